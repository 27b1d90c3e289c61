"""What queues deserve and may have: proportion and capacity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, PluginOption, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.columns import UNLIMITED
from skyedge.layers.scheduler.configuration import ON_BY_DEFAULT
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.plugins.proportion import deserved_shares

amounts = st.integers(0, 100)


@st.composite
def claims(draw):
    many = draw(st.integers(1, 5))
    rows = st.lists(st.tuples(amounts, amounts), min_size=many, max_size=many)
    total = np.array(draw(st.tuples(st.integers(1, 100), st.integers(1, 100))), np.int64)
    weight = np.array(draw(st.lists(st.integers(1, 5), min_size=many, max_size=many)), np.int64)
    request = np.array(draw(rows), np.int64)
    capability = np.where(np.array(draw(rows)) > 50, UNLIMITED, np.array(draw(rows)))
    return total, weight, request, capability.astype(np.int64)


@given(claims())
def test_no_queue_deserves_more_than_it_asks_for_or_may_have(claim):
    total, weight, request, capability = claim
    deserved = deserved_shares(total, weight, request, capability, np.zeros_like(request))
    assert (deserved <= np.minimum(request, capability) + 1e-6).all()
    assert (deserved.sum(axis=0) <= total + 1e-6).all()


@given(claims())
def test_nothing_is_kept_back_from_a_queue_that_could_use_it(claim):
    total, weight, request, _ = claim
    unlimited = np.full_like(request, UNLIMITED)
    deserved = deserved_shares(total, weight, request, unlimited, np.zeros_like(request))
    wanting = deserved < request - 0.2
    left = total - deserved.sum(axis=0)
    # A queue that wants more of a resource finds none of it left; Volcano calls amounts below 0.1 nothing.
    assert (left[wanting.any(axis=0)] <= 0.1 * len(weight) + 1e-6).all()


@given(claims(), st.integers(2, 7))
def test_only_the_ratio_of_weights_matters(claim, factor):
    total, weight, request, capability = claim
    none = np.zeros_like(request)
    one = deserved_shares(total, weight, request, capability, none)
    assert deserved_shares(total, weight * factor, request, capability, none) == pytest.approx(one)


def test_a_guarantee_is_kept_whatever_others_ask_for():
    total, request = np.array([10, 10]), np.array([[10, 10], [10, 10]])
    guarantee = np.array([[8, 8], [0, 0]])
    unlimited = np.full_like(request, UNLIMITED)
    deserved = deserved_shares(total, np.array([1, 9]), request, unlimited, guarantee)
    assert (deserved[0] >= 8).all()
    assert (deserved[1] <= 2 + 1e-9).all(), "what is guaranteed to others is out of reach"


NODE = Node("n", {"cpu": 8000, "pods": 110_000})


def jobs(queue: str, many: int, *, running: bool = False, cores: int = 1, priority: int = 0):
    """One-pod jobs of a queue."""
    phase = GroupPhase.RUNNING if running else GroupPhase.INQUEUE
    groups = [PodGroup(f"ns/{queue}-{n}", queue, 1, phase=phase, priority=priority) for n in range(many)]
    state, node = (PodPhase.RUNNING, "n") if running else (PodPhase.PENDING, None)
    shape = PodShape((("cpu", cores * 1000),))
    return groups, [Pod(f"{group.name}-0", group.name, shape, state, node) for group in groups]


def cycle(configuration: Configuration, queues: list[Queue], *many):
    groups = [group for some, _ in many for group in some]
    pods = [pod for _, some in many for pod in some]
    return schedule(take_snapshot([NODE], pods, groups, queues), configuration)


def bound_by_queue(decision) -> dict[str, int]:
    counts: dict[str, int] = {}
    for pod, _ in decision.binds():
        queue = pod.split("/")[1].rsplit("-", 2)[0]
        counts[queue] = counts.get(queue, 0) + 1
    return counts


FAIR = Configuration(actions=("allocate",), tiers=tiers_of(("gang",), ("proportion", "predicates")))
LENDING = tiers_of(("gang", "priority"), ("capacity", "predicates"))


def test_queues_share_by_weight():
    decision = cycle(FAIR, [Queue("a", weight=3), Queue("b", weight=1)], jobs("a", 8), jobs("b", 8))
    assert bound_by_queue(decision) == {"a": 6, "b": 2}


def test_what_one_queue_does_not_need_another_gets():
    decision = cycle(FAIR, [Queue("a", weight=3), Queue("b", weight=1)], jobs("a", 1), jobs("b", 8))
    assert bound_by_queue(decision) == {"a": 1, "b": 7}


def test_capacity_lets_a_queue_borrow_beyond_what_it_deserves():
    queues = [Queue("a", deserved={"cpu": 4000}), Queue("b", deserved={"cpu": 4000})]
    policy = Configuration(actions=("allocate",), tiers=LENDING)
    assert bound_by_queue(cycle(policy, queues, jobs("a", 8))) == {"a": 8}


def test_and_the_owner_takes_it_back():
    queues = [Queue("a", deserved={"cpu": 4000}), Queue("b", deserved={"cpu": 4000})]
    policy = Configuration(actions=("allocate", "reclaim"), tiers=LENDING)
    decision = cycle(policy, queues, jobs("a", 8, running=True), jobs("b", 6))
    assert len(decision.evicted()) == 4, "no more than what b deserves"
    assert len(list(decision.pipelined())) == 4


def test_a_queue_that_is_not_reclaimable_keeps_what_it_borrowed():
    queues = [Queue("a", deserved={"cpu": 4000}, reclaimable=False), Queue("b", deserved={"cpu": 4000})]
    policy = Configuration(actions=("allocate", "reclaim"), tiers=LENDING)
    assert cycle(policy, queues, jobs("a", 8, running=True), jobs("b", 4)).evicted() == []


def test_a_ceiling_is_never_crossed():
    queues = [Queue("a", capability={"cpu": 3000})]
    policy = Configuration(actions=("allocate",), tiers=LENDING)
    assert bound_by_queue(cycle(policy, queues, jobs("a", 8))) == {"a": 3}


def nested(action: str = "allocate", level: int = 0) -> Configuration:
    capacity = PluginOption("capacity", ON_BY_DEFAULT | {"hierarchy"}, {"ancestorReclaimLevel": level})
    return Configuration(("allocate", action), ((PluginOption("gang"),), (capacity, PluginOption("predicates"))))


def test_every_ancestor_must_have_room():
    queues = [
        Queue("root"),
        Queue("lab", parent="root", capability={"cpu": 3000}),
        Queue("a", parent="lab"),
        Queue("b", parent="lab", capability={"cpu": 2000}),
    ]
    bound = bound_by_queue(cycle(nested(), queues, jobs("a", 8), jobs("b", 8)))
    assert sum(bound.values()) == 3
    assert bound.get("b", 0) <= 2


def test_victims_come_from_the_nearest_relatives_first():
    queues = [
        Queue("root"),
        Queue("lab", parent="root"),
        Queue("office", parent="root"),
        Queue("wants", parent="lab", deserved={"cpu": 4000}),
        Queue("sibling", parent="lab", deserved={"cpu": 1000}),
        Queue("cousin", parent="office", deserved={"cpu": 1000}),
    ]
    decision = cycle(
        nested("reclaim"), queues, jobs("sibling", 4, running=True), jobs("cousin", 4, running=True), jobs("wants", 2)
    )
    assert {name.split("/")[1].split("-")[0] for name in decision.evicted()} == {"sibling"}


def test_a_job_in_a_queue_that_has_children_does_not_run():
    queues = [Queue("root"), Queue("lab", parent="root"), Queue("a", parent="lab")]
    assert bound_by_queue(cycle(nested(), queues, jobs("lab", 1))) == {}
