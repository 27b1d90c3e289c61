"""The engine gives the same answer however the nodes are hosted, and whoever dies on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import CausalityError
from skyedge.events import Record, Send, Started
from skyedge.runtime.engine import Engine, HostLost, LocalHost
from skyedge.runtime.host import Host, Reboot
from skyedge.runtime.model_executor import PredictionTables
from skyedge.testing import chatter_world
from skyedge.time import FOREVER, HOUR, SECOND

END = 6 * HOUR


def engine_for(seed, host_of, satellites=4, stations=2, handle=LocalHost, **options):
    nodes, channels = chatter_world(seed, satellites, stations, END)
    ranks = {node.name: rank for rank, node in enumerate(nodes)}
    count = max(host_of(name) for name in ranks) + 1

    def builder(index):
        def build():
            fresh, _ = chatter_world(seed, satellites, stations, END)
            mine = [node for node in fresh if host_of(node.name) == index]
            return Host(mine, ranks, PredictionTables({}), 0, END, SECOND)

        return build

    handles = [handle(builder(index)) for index in range(count)]
    return Engine(handles, {name: host_of(name) for name in ranks}, channels, END, **options)


def one_host(name):
    return 0


def sky_and_ground(name):
    return 0 if name.startswith("satellite") else 1


def four_hosts(name):
    return int(name[-1]) % 3 if name.startswith("satellite") else 3


def scattered(name):
    return {"cloud": 0, "station-0": 1, "station-1": 2}.get(name, 3)


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([sky_and_ground, four_hosts, scattered]))
def test_hosting_does_not_change_what_anyone_hears(seed, host_of):
    alone = engine_for(seed, one_host).run()
    shared = engine_for(seed, host_of).run()
    assert alone.windows == 1
    assert shared.records == alone.records
    assert len(alone.records) > 100


def test_a_single_host_needs_one_window_and_two_hosts_no_more_than_there_are_sends():
    outcome = engine_for(3, sky_and_ground).run()
    assert 1 < outcome.windows < outcome.events


class DyingHost(LocalHost):
    """Dies at its 4th and 9th request, like an actor whose process is killed."""

    def __init__(self, build):
        super().__init__(build)
        self.requests = 0

    def advance(self, horizon, inbox):
        self.requests += 1
        if self.requests in (4, 9):
            self._host = None
            raise HostLost("killed by the test")
        return super().advance(horizon, inbox)


@pytest.mark.parametrize("checkpoint_every", [0, 3])
def test_a_host_that_dies_is_restored_and_replayed_and_nobody_notices(checkpoint_every):
    undisturbed = engine_for(5, sky_and_ground).run()
    disturbed = engine_for(5, sky_and_ground, handle=DyingHost, checkpoint_every_windows=checkpoint_every).run()
    assert disturbed.recoveries >= 2
    assert disturbed.records == undisturbed.records


class AlwaysDying(LocalHost):
    def advance(self, horizon, inbox):
        raise HostLost("killed by the test")


def test_a_host_that_keeps_dying_ends_the_run_with_a_sentence():
    with pytest.raises(HostLost, match="5 times in a row"):
        engine_for(5, sky_and_ground, handle=AlwaysDying).run()


class SendsIntoThePast:
    name = "rogue"

    def earliest_send(self):
        return FOREVER

    def handle(self, event, now):
        return [Send("rogue", now - 1, Started())] if isinstance(event, Started) else []


def test_nobody_may_send_into_the_past():
    host = Host([SendsIntoThePast()], {"rogue": 0}, PredictionTables({}), 10, END, SECOND)
    with pytest.raises(CausalityError, match="rogue"):
        host.advance(END)


class Forgetful:
    """Counts what it was told; keeps every second count in storage."""

    name = "forgetful"

    def earliest_send(self):
        return FOREVER

    def handle(self, event, now):
        return [Record("saw", {"event": type(event).__name__})]


def test_a_reboot_happens_at_its_planned_moment():
    host = Host([Forgetful()], {"forgetful": 0}, PredictionTables({}), 0, END, SECOND, [Reboot("forgetful", 7 * SECOND)])
    host.advance(END)
    assert [(at, columns["event"]) for at, _, _, _, columns in host.harvest().records] == [
        (0, "Started"),
        (7 * SECOND, "Rebooted"),
        (END, "Ended"),
    ]


def test_prediction_tables_answer_by_scene():
    tables = PredictionTables({("small", "camera"): np.arange(12, dtype=np.float32).reshape(4, 3)})
    assert tables.logits("small", "camera", np.array([2, 0], np.int32)).tolist() == [[6, 7, 8], [0, 1, 2]]
