"""Preempting: who goes, and who is spared."""

import pytest

from skyedge.layers.scheduler.configuration import Configuration, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.snapshot import take_snapshot

PREEMPT = Configuration(("preempt",), tiers_of(("gang", "priority")))


def cores(many):
    return PodShape((("cpu", 1000 * many),))


def preempted(node_cores, running, wanting):
    """What preempting comes to on one node, where pods of an unimportant group run and an important gang waits."""
    low = PodGroup("low", min_member=0, phase=GroupPhase.RUNNING, priority=1)
    high = PodGroup("high", min_member=len(wanting), phase=GroupPhase.INQUEUE, priority=10)
    return schedule(
        take_snapshot([Node("node", {"cpu": 1000 * node_cores})], [*running, *wanting], [low, high], [Queue("default")]),
        PREEMPT,
    )


def gang(many):
    return [Pod(f"gang-{number}", "high", cores(1)) for number in range(many)]


def test_one_large_victim_makes_room_for_a_whole_gang():
    decision = preempted(2, [Pod("large", "low", cores(2), PodPhase.RUNNING, "node")], gang(2))
    assert decision.evicted() == ["large"]
    assert dict(decision.pipelined()) == {"gang-0": "node", "gang-1": "node"}


def test_nobody_is_evicted_where_there_is_room():
    decision = preempted(3, [Pod("small", "low", cores(1), PodPhase.RUNNING, "node")], gang(2))
    assert decision.evicted() == []
    assert len(list(decision.pipelined())) == 2


@pytest.mark.parametrize("phase", [PodPhase.RUNNING, PodPhase.BOUND])
def test_a_pod_on_its_way_to_run_can_be_evicted_as_one_that_runs(phase):
    assert preempted(1, [Pod("there", "low", cores(1), phase, "node")], gang(1)).evicted() == ["there"]


@pytest.mark.parametrize(("priorities", "least"), [((1, 5), "a"), ((5, 1), "b")])
def test_a_gang_that_can_spare_one_pod_spares_its_least(priorities, least):
    pods = [Pod(n, "low", cores(1), PodPhase.RUNNING, "node", priority=p) for n, p in zip("ab", priorities, strict=True)]
    low = PodGroup("low", min_member=1, phase=GroupPhase.RUNNING, priority=1)
    high = PodGroup("high", min_member=1, phase=GroupPhase.INQUEUE, priority=10)
    snapshot = take_snapshot([Node("node", {"cpu": 2000})], [*pods, *gang(1)], [low, high], [Queue("default")])
    assert schedule(snapshot, PREEMPT).evicted() == [least]


def test_what_is_reserved_on_idle_room_is_not_given_away_in_the_same_cycle():
    important = PodGroup("important", min_member=1, phase=GroupPhase.INQUEUE, priority=10)
    other = PodGroup("other", min_member=1, phase=GroupPhase.INQUEUE)
    pods = [Pod("first", "important", cores(1)), Pod("second", "other", cores(1))]
    snapshot = take_snapshot([Node("node", {"cpu": 1000})], pods, [important, other], [Queue("default")])
    decision = schedule(snapshot, Configuration(("preempt", "allocate"), tiers_of(("gang", "priority"))))
    assert dict(decision.pipelined()) == {"first": "node"}
    assert dict(decision.binds()) == {}
