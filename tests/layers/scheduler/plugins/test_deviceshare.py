"""Which GPU of which node a share of one goes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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


def pod(name: str, milli: int, count: int = 1, on: str | None = None) -> Pod:
    phase = PodPhase.RUNNING if on else PodPhase.PENDING
    shape = PodShape(request=(("cpu", 100),), device_count=count, device_milli=milli)
    return Pod(name, "n/job", shape, phase, on)


def snapshot_of(pods: Sequence[Pod], gpus: Sequence[int] = (2, 2)) -> Snapshot:
    nodes = [Node(chr(97 + n), {"cpu": 64000, "memory": 1 << 36}, device_count=count) for n, count in enumerate(gpus)]
    return take_snapshot(nodes, pods, [PodGroup("n/job", phase=GroupPhase.INQUEUE)], [Queue("default")])


def configuration(policy: str | None = None, weight: float = 1) -> Configuration:
    arguments = {"deviceshare.ScheduleWeight": weight}
    if policy:
        arguments["deviceshare.SchedulePolicy"] = policy  # type: ignore[assignment]
    option = PluginOption("deviceshare", arguments=arguments)
    return Configuration(actions=("allocate",), tiers=tiers_of((option,)))


def devices(snapshot: Snapshot, policy: str) -> dict[str, tuple[str, list[int]]]:
    decision = schedule(snapshot, configuration(policy))
    rows = {name: row for row, name in enumerate(snapshot.pods.names)}
    return {name: (node, decision.devices[rows[name]]) for name, node in decision.binds()}


def test_binpack_joins_a_device_that_is_in_use_already() -> None:
    held = [pod("n/old", 500, on="b")]
    assert devices(snapshot_of([*held, pod("n/p", 300)]), "binpack")["n/p"] == ("b", [0])


def test_spread_opens_an_empty_one() -> None:
    held = [pod("n/old", 500, on="a"), pod("n/older", 500, on="b")]
    assert devices(snapshot_of([*held, pod("n/p", 300)], gpus=(1, 2)), "spread")["n/p"] == ("b", [1])


def test_shares_that_fit_together_leave_whole_devices_for_who_needs_them() -> None:
    shares = [pod(f"n/a{number}", 250) for number in range(4)]
    got = devices(snapshot_of([*shares, pod("n/z", 1000)], gpus=(2,)), "binpack")
    assert {got[one.name][1][0] for one in shares} == {0}
    assert got["n/z"] == ("a", [1])


def test_several_devices_are_several() -> None:
    got = devices(snapshot_of([pod("n/p", 600, count=2)]), "spread")
    assert got["n/p"] == ("a", [0, 1])


def test_without_a_weight_the_first_node_by_name_is_as_good_as_any() -> None:
    snapshot = snapshot_of([pod("n/old", 500, on="b"), pod("n/p", 300)])
    assert dict(schedule(snapshot, configuration("binpack", weight=0)).binds()) == {"n/p": "a"}


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 4)), max_size=8),
    st.integers(1, 1000),
    st.integers(1, 3),
    st.sampled_from(["binpack", "spread"]),
)
def test_a_node_is_worth_what_the_devices_that_it_would_give_are_worth(
    gpus: list[int], held: list[tuple[int, int]], milli: int, count: int, policy: str
) -> None:
    running = [
        pod(f"n/r{number}", share, on=chr(97 + node))
        for number, (share, node) in enumerate(held)
        if node < len(gpus) and gpus[node]
    ]
    session = Session(snapshot_of([pod("n/p", milli, count), *running], gpus), configuration(policy))
    row = session.snapshot.pods.names.index("n/p")
    everywhere = np.arange(len(gpus))
    scores = session.points.score(row, everywhere)
    for node in everywhere:
        chosen = session.points.device_choice(row, int(node))
        free = session.devices_free[node, chosen]
        if len(chosen) == count:
            worth = (1000 - free + milli).sum() / 10 if policy == "binpack" else (free == 1000).sum() * 100
            assert scores[node] == pytest.approx(worth)
        assert session.points.score(row, np.array([node]))[0] == scores[node]


def test_a_policy_must_be_one_of_two() -> None:
    with pytest.raises(InputError, match="must be binpack or spread, not 'sprad'"):
        Session(snapshot_of([]), configuration("sprad"))
