"""Nodes that are measured to be busy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

ROOM = {"cpu": 8000, "memory": 1 << 34}


def snapshot_of(*usages: tuple[float | None, float | None], pods: int = 1) -> Snapshot:
    """Nodes a, b, c … with shares of cpu and memory in use."""
    nodes = [Node(chr(97 + n), ROOM, cpu_usage=cpu, memory_usage=memory) for n, (cpu, memory) in enumerate(usages)]
    shape = PodShape(request=(("cpu", 1000),))
    work = [Pod(f"n/p{number}", "n/job", shape) for number in range(pods)]
    return take_snapshot(nodes, work, [PodGroup("n/job", phase=GroupPhase.INQUEUE)], [Queue("default")])


def configuration(**arguments: object) -> Configuration:
    return Configuration(actions=("allocate",), tiers=tiers_of((PluginOption("usage", arguments=arguments),)))


def placed(snapshot: Snapshot, **arguments: object) -> dict[str, str]:
    return dict(schedule(snapshot, configuration(**arguments)).binds())


def test_a_node_above_a_threshold_takes_nothing_and_says_why() -> None:
    snapshot = snapshot_of((0.85, 0.1), (0.1, 0.9))
    assert placed(snapshot) == {}
    session = Session(snapshot, configuration())
    clauses = [session.points.plugins[0].refusal(0, node) for node in range(2)]
    assert clauses[0] == "85 % of its cpu is in use, above the threshold of 80 %"
    assert clauses[1] == "90 % of its mem is in use, above the threshold of 80 %"


def test_a_threshold_is_the_last_share_that_still_will_do() -> None:
    assert placed(snapshot_of((0.5, 0.5)), thresholds={"cpu": 50, "mem": 50}) == {"n/p0": "a"}
    assert placed(snapshot_of((0.51, 0.5)), thresholds={"cpu": 50, "mem": 50}) == {}


def test_the_least_used_node_is_taken() -> None:
    assert placed(snapshot_of((0.5, 0.5), (0.2, 0.3), (0.2, 0.4))) == {"n/p0": "b"}


def test_weights_say_whether_cpu_or_memory_matters() -> None:
    nodes = snapshot_of((0.1, 0.6), (0.6, 0.1))
    assert placed(nodes, **{"cpu.weight": 2}) == {"n/p0": "a"}
    assert placed(nodes, **{"memory.weight": 2}) == {"n/p0": "b"}


def test_a_node_that_was_not_measured_is_neither_refused_nor_preferred() -> None:
    assert placed(snapshot_of((None, None))) == {"n/p0": "a"}
    assert placed(snapshot_of((None, None), (0.7, 0.7))) == {"n/p0": "b"}


def test_pods_fill_the_least_used_node_before_the_next() -> None:
    got = placed(snapshot_of((0.5, 0.5), (0.2, 0.2), pods=10))
    assert sorted(got.values()) == ["a"] * 2 + ["b"] * 8


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_scores_lie_between_nothing_and_the_weight_times_100_and_fall_with_use(shares: list[tuple[float, float]]) -> None:
    session = Session(snapshot_of(*shares), configuration(**{"usage.weight": 3}))
    scores = session.points.score(0, np.arange(len(shares)))
    assert ((scores >= 0) & (scores <= 300)).all()
    for (cpu, memory), score in zip(shares, scores, strict=True):
        assert score == pytest.approx(300 * (1 - (cpu + memory) / 2))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"thresholds": {"cpus": 80}}, "'thresholds' of 'usage' has no 'cpus'"),
        ({"thresholds": {"cpu": "much"}}, "should be percent, not 'much'"),
        ({"thresholds": 80}, "should be a mapping"),
        ({"cpu.weight": 0, "memory.weight": 0}, "must not be negative, nor both 0"),
        ({"usage.weights": 1}, "has no argument 'usage.weights'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Session(snapshot_of((0.1, 0.1)), configuration(**arguments))
