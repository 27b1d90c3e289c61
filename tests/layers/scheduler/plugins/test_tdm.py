"""Nodes that are lent for some hours of the day."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

ROOM = {"cpu": 4000, "memory": 1 << 34}
LENT = Node("lent", ROOM, labels={"volcano.sh/revocable-zone": "rz1"})
OWN = Node("own", ROOM)
HOURS = {"tdm.revocable-zone.rz1": "10:00-21:00"}
HOUR_S = 3600
NOON_S, MIDNIGHT_S = 12 * HOUR_S, 0


def pod(name: str, zone: str = "", on: str | None = None, cpu: int = 1000, preemptable: bool = True) -> Pod:
    phase = PodPhase.RUNNING if on else PodPhase.PENDING
    group = f"n/{name.rpartition('-')[0] or name}"
    return Pod(name, group, PodShape(request=(("cpu", cpu),)), phase, on, revocable_zone=zone, preemptable=preemptable)


def snapshot_of(pods: Sequence[Pod], now_s: float, nodes: Sequence[Node] = (LENT, OWN), **annotations: str) -> Snapshot:
    said = {key.replace("__", "/").replace("_", "-"): value for key, value in annotations.items()}
    groups = [PodGroup(name, phase=GroupPhase.INQUEUE, annotations=said) for name in sorted({one.group for one in pods})]
    return take_snapshot(nodes, pods, groups, [Queue("default")], now_s=now_s)


def configuration(*actions: str, **hours: str) -> Configuration:
    arguments = {f"tdm.revocable-zone.{zone}": said for zone, said in hours.items()} or HOURS
    return Configuration(actions=actions or ("allocate",), tiers=tiers_of((PluginOption("tdm", arguments=arguments),)))


def binds(pods: Sequence[Pod], now_s: float, nodes: Sequence[Node] = (LENT, OWN)) -> dict[str, str]:
    return dict(schedule(snapshot_of(pods, now_s, nodes), configuration()).binds())


def test_a_lent_node_is_preferred_in_its_hours_by_pods_that_may_use_it() -> None:
    assert binds([pod("p", "rz1")], NOON_S) == {"p": "lent"}
    assert binds([pod("p", "*")], NOON_S) == {"p": "lent"}


def test_other_pods_keep_to_nodes_that_are_not_lent() -> None:
    assert binds([pod("p"), pod("q", "rz2")], NOON_S) == {"p": "own", "q": "own"}
    assert binds([pod("p")], NOON_S, [LENT]) == {}


def test_outside_its_hours_a_lent_node_takes_nothing() -> None:
    assert binds([pod("p", "*")], MIDNIGHT_S) == {"p": "own"}
    assert binds([pod("p", "*")], MIDNIGHT_S, [LENT]) == {}


def test_a_zone_without_hours_is_closed() -> None:
    stray = Node("stray", ROOM, labels={"volcano.sh/revocable-zone": "rz9"})
    assert binds([pod("p", "*")], NOON_S, [stray]) == {}


@pytest.mark.parametrize(
    ("one", "now_s", "clause"),
    [
        (pod("p"), NOON_S, "it is lent to pods of the revocable zone 'rz1' only"),
        (pod("p", "*"), MIDNIGHT_S, "its revocable zone 'rz1' is closed at this hour"),
        (pod("p", "*"), NOON_S, None),
    ],
)
def test_a_refusal_says_whether_it_is_the_hour_or_the_pod(one: Pod, now_s: float, clause: str | None) -> None:
    session = Session(snapshot_of([one], now_s, [LENT]), configuration())
    assert session.points.plugins[0].refusal(0, 0) == clause


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 30_000))
def test_a_zone_is_open_from_its_first_minute_to_its_last_on_every_day(start: int, end: int, minute: int, day: int) -> None:
    def clock(minutes: int) -> str:
        return f"{minutes // 60:02}:{minutes % 60:02}"

    snapshot = snapshot_of([pod("p", "rz1")], day * 86_400 + minute * 60, [LENT])
    decision = schedule(snapshot, configuration(rz1=f"{clock(start)}-{clock(end)}"))
    # By walking through the day from the start on: open until the end has been passed.
    length = (end - start) % 1440 or 1440
    assert bool(dict(decision.binds())) == ((minute - start) % 1440 <= length)


def test_when_the_hours_are_over_shuffle_sends_pods_away_one_of_a_job_at_a_time() -> None:
    running = [pod("a-1", "*", "lent"), pod("a-2", "*", "lent"), pod("b-1", "*", "lent"), pod("c-1", "*", "own")]
    assert schedule(snapshot_of(running, MIDNIGHT_S), configuration("shuffle")).evicted() == ["a-1", "b-1"]
    assert schedule(snapshot_of(running, NOON_S), configuration("shuffle")).evicted() == []


def test_pods_that_cannot_be_preempted_stay_beyond_the_hours() -> None:
    running = [pod("a-1", "*", "lent", preemptable=False)]
    assert schedule(snapshot_of(running, MIDNIGHT_S), configuration("shuffle")).evicted() == []


@pytest.mark.parametrize(
    ("budget", "many"),
    [
        ({"volcano.sh__jdb_max_unavailable": "3"}, 3),
        ({"volcano.sh__jdb_max_unavailable": "50%"}, 2),
        ({"volcano.sh__jdb_min_available": "1"}, 3),
        ({"volcano.sh__jdb_min_available": "75%"}, 1),
        ({"volcano.sh__jdb_min_available": "4"}, 0),
        ({}, 1),
    ],
)
def test_a_job_loses_as_many_pods_at_a_time_as_its_budget_says(budget: dict[str, str], many: int) -> None:
    running = [pod(f"a-{number}", "*", "lent") for number in range(4)]
    assert len(schedule(snapshot_of(running, MIDNIGHT_S, **budget), configuration("shuffle")).evicted()) == many


def test_pods_that_are_away_already_count_against_the_budget() -> None:
    pods = [pod("a-1", "*", "lent"), pod("a-2", "*", "lent"), pod("a-3", "*")]
    snapshot = snapshot_of(pods, MIDNIGHT_S, **{"volcano.sh__jdb_max_unavailable": "1"})
    assert schedule(snapshot, configuration("shuffle")).evicted() == []


def test_online_work_takes_the_place_of_preemptable_pods_on_nodes_that_are_not_lent() -> None:
    batch = [pod("batch-1", "", "own", 4000), pod("batch-2", "*", "lent", 4000)]
    online = pod("online-1", cpu=4000, preemptable=False)
    decision = schedule(snapshot_of([*batch, online], NOON_S), configuration("allocate", "preempt"))
    assert decision.evicted() == ["batch-1"]
    assert dict(decision.pipelined()) == {"online-1": "own"}


def test_batch_work_takes_nobodys_place() -> None:
    pods = [pod("batch-1", "", "own", 4000), pod("more-1", cpu=4000)]
    assert schedule(snapshot_of(pods, NOON_S, [OWN]), configuration("allocate", "preempt")).evicted() == []


def test_a_cluster_without_lent_nodes_pays_nothing_for_the_plugin() -> None:
    session = Session(snapshot_of([pod("p", "*")], NOON_S, [OWN]), configuration())
    assert session.points.packs
    assert not session.points.distinguishes


@pytest.mark.parametrize("hours", ["10-21", "25:00-26:00", "10:00", "10:00-21:60", ""])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(InputError, match="should be hours such as 10:00-21:00"):
        configuration(rz1=hours).plugins()


def test_a_budget_that_is_no_number_is_refused_with_its_place() -> None:
    running = [pod("a-1", "*", "lent")]
    with pytest.raises(InputError, match="should be a number or percent, not 'few'") as caught:
        schedule(snapshot_of(running, MIDNIGHT_S, **{"volcano.sh__jdb_max_unavailable": "few"}), configuration("shuffle"))
    assert caught.value.where == "pod group 'n/a'"
