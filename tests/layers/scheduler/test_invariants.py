"""What holds whatever the cluster, the actions, the plugins and their order are."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property

from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, Decision
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, Queue
from tests.layers.scheduler.random_clusters import HOST, Things, needs, random_case

HOLDING = (PodPhase.BOUND, PodPhase.RUNNING)
MANY = 150


@dataclass
class Case:
    """A decision beside what it is about."""

    things: Things
    configuration: Configuration
    seed: int
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        self.decision = self.things.decide(self.configuration)
        self.binds, self.reserved = dict(self.decision.binds()), dict(self.decision.pipelined())
        self.evicted = set(self.decision.evicted())
        self.pods: dict[str, Pod] = {pod.name: pod for pod in self.things.pods}
        self.nodes: dict[str, Node] = {node.name: node for node in self.things.nodes}
        self.groups: dict[str, PodGroup] = {group.name: group for group in self.things.groups}

    def asks(self, plugin: str, point: str) -> bool:
        """Whether the plugin has a say at that point."""
        return any(o.name == plugin and point in o.points for tier in self.configuration.tiers for o in tier)

    def queue(self, pod: str) -> Queue:
        """The pod's queue."""
        name = self.groups[self.pods[pod].group].queue
        return next(queue for queue in self.things.queues if queue.name == name)

    @cached_property
    def running(self) -> list[Pod]:
        """Pods that hold a place before the cycle."""
        return [pod for pod in self.things.pods if pod.phase in HOLDING]


cases = st.integers(0, 2**32).map(lambda seed: Case(*random_case(seed), seed))


def summary(decision: Decision) -> tuple:
    """All that a decision says, by name."""
    return (
        sorted(decision.binds()),
        sorted(decision.pipelined()),
        sorted(decision.evicted()),
        decision.phases(),
        decision.impossible,
    )


@settings(max_examples=MANY)
@given(cases)
def test_nothing_is_given_away_twice(case: Case):
    now, later = defaultdict(Counter), defaultdict(Counter)
    for pod in case.things.pods:
        if pod.node and pod.phase in (*HOLDING, PodPhase.RELEASING):
            now[pod.node] += needs(pod)
            if pod.phase != PodPhase.RELEASING and pod.name not in case.evicted:
                later[pod.node] += needs(pod)
    for name, node in case.binds.items():
        now[node] += needs(case.pods[name])
        later[node] += needs(case.pods[name])
    for name, node in case.reserved.items():
        later[node] += needs(case.pods[name])
    for used in (now, later):
        for node, amounts in used.items():
            assert all(amount <= case.nodes[node].allocatable.get(r, 0) for r, amount in amounts.items()), node


@settings(max_examples=MANY)
@given(cases)
def test_only_pods_that_wait_are_placed_and_each_once(case: Case):
    assert len(list(case.decision.binds())) == len(case.binds)
    assert case.binds.keys().isdisjoint(case.reserved)
    for name in (*case.binds, *case.reserved):
        assert case.pods[name].phase is PodPhase.PENDING
        assert not case.pods[name].gated


@settings(max_examples=MANY)
@given(cases)
def test_a_gang_starts_whole_or_not_at_all(case: Case):
    if not case.asks("gang", "job_ready"):
        return
    for group in {case.pods[name].group for name in case.binds}:
        members = [pod for pod in case.things.pods if pod.group == group]
        held = sum(pod.phase in (*HOLDING, PodPhase.SUCCEEDED) or pod.name in case.binds for pod in members)
        # Pods that ask for nothing find a place sooner or later, and count (as Volcano has it).
        modest = sum(
            pod.phase is PodPhase.PENDING and not pod.shape.request and not pod.shape.device_count
            for pod in members
            if pod.name not in case.binds
        )
        assert held + modest >= case.groups[group].min_member, group


@settings(max_examples=MANY)
@given(cases)
def test_evictions_spare_whom_they_must_and_are_for_somebody(case: Case):
    for name in case.evicted:
        assert case.pods[name].phase in HOLDING
        assert case.pods[name].preemptable
    if "shuffle" in case.configuration.actions:
        return
    assert {case.pods[name].node for name in case.evicted} <= set(case.reserved.values())
    guarded = case.asks("conformance", "preemptable") and case.asks("conformance", "reclaimable")
    if guarded and len(case.configuration.tiers) == 1:
        assert not any(name.startswith("kube-system/") or case.pods[name].system_critical for name in case.evicted)


@settings(max_examples=MANY)
@given(cases)
def test_a_placed_pod_is_where_it_may_be(case: Case):
    if not case.asks("predicates", "predicate"):
        return
    for name, place in (*case.binds.items(), *case.reserved.items()):
        shape, node = case.pods[name].shape, case.nodes[place]
        assert all(node.labels[key] == value for key, value in shape.node_selector)
        assert shape.tolerations or not node.taints
        assert not node.unschedulable
        for ((zones,),) in [shape.node_terms] if shape.node_terms else []:
            assert (node.labels["zone"] in zones.values) == (zones.operator == "In")
    where = {pod.name: pod.node for pod in case.running if pod.name not in case.evicted} | case.binds
    for name, place in case.binds.items():
        for term in case.pods[name].shape.pod_terms:
            if term.weight is None and term.away:
                key = term.topology_key
                near = [o for o, n in where.items() if case.nodes[n].labels[key] == case.nodes[place].labels[key]]
                shunned = {o for o in near if o.startswith("ns/") and case.pods[o].labels["app"] in term.selector[0].values}
                assert shunned <= {name}


@settings(max_examples=MANY)
@given(cases)
def test_a_hard_topology_holds(case: Case):
    if not case.asks("network-topology-aware", "hypernode_gradient"):
        return
    for group in case.things.groups:
        places = {
            node for name, node in case.binds.items() if case.pods[name].group == group.name and needs(case.pods[name])
        }
        modest = any(not case.pods[n].shape.request for n in case.binds if case.pods[n].group == group.name)
        if group.topology is None or group.topology.mode != "hard" or group.topology.highest_tier_allowed != 1 or modest:
            continue
        domains = [set(domain.nodes) for domain in case.things.hypernodes if domain.tier == 1]
        assert not places or any(places <= domain for domain in domains)


@settings(max_examples=MANY)
@given(cases)
def test_no_queue_grows_above_its_ceiling_and_a_closed_one_not_at_all(case: Case):
    if not (case.asks("proportion", "allocatable") or case.asks("capacity", "allocatable")):
        return
    for queue in case.things.queues:
        mine = [name for name in case.binds if case.queue(name) == queue]
        new = sum((needs(case.pods[name]) for name in mine), Counter())
        stay = [pod for pod in case.running if case.queue(pod.name) == queue and pod.name not in case.evicted]
        held = sum((needs(pod) for pod in stay), Counter())
        assert queue.open or not any(case.pods[name].shape.request for name in mine)
        for resource, most in (queue.capability or {}).items():
            assert not new[resource] or held[resource] + new[resource] <= most


@settings(max_examples=MANY)
@given(cases)
def test_neither_the_order_of_the_input_nor_a_question_changes_the_decision(case: Case):
    said = summary(case.decision)
    assert summary(case.things.shuffled(case.seed).decide(case.configuration)) == said
    asked = case.things.decide(case.configuration, explain=True)
    assert summary(asked) == said


@settings(max_examples=MANY)
@given(cases)
def test_every_pod_that_is_placed_sent_away_or_left_waiting_has_its_sentence(case: Case):
    explanations = case.things.decide(case.configuration, explain=True).explanations
    assert explanations is not None
    for name, pod in case.pods.items():
        sentence = explanations.pods.get(name, "")
        if name in case.binds:
            assert sentence.startswith("goes to ")
        elif name in case.reserved:
            assert sentence.startswith("has a reservation on ")
        elif name in case.evicted:
            assert sentence.startswith("evicted from ")
        elif pod.phase is PodPhase.PENDING:
            assert sentence.startswith(("waits: ", "can never run")), sentence
            assert len(sentence) > len("waits: ")


@settings(max_examples=MANY)
@given(cases)
def test_what_is_called_impossible_cannot_run_in_an_empty_cluster_either(case: Case):
    for name in case.decision.impossible:
        assert name not in {case.pods[pod].group for pod in case.binds}
        members = [pod for pod in case.things.pods if pod.group == name and pod.phase != PodPhase.RELEASING]
        afresh = [
            pod if pod.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED) else replace(pod, phase=PodPhase.PENDING, node=None)
            for pod in members
        ]
        group = case.groups[name]
        outside = group.phase is GroupPhase.PENDING and "enqueue" in case.configuration.actions
        group = replace(group, phase=GroupPhase.PENDING if outside else GroupPhase.INQUEUE, annotations={})
        alone = replace(case.things, pods=afresh, groups=[group])
        decision = alone.decide(replace(case.configuration, actions=("enqueue", "allocate") if outside else ("allocate",)))
        bound = len(dict(decision.binds())) + sum(pod.phase is PodPhase.SUCCEEDED for pod in members)
        assert not dict(decision.binds()) or bound < group.min_member


@settings(max_examples=MANY)
@given(cases)
def test_when_all_that_was_decided_is_done_the_next_cycle_finds_nothing_to_do(case: Case):
    """Where no pod minds its neighbours, and no job waits for a gang or a network domain.

    With neighbours a later pod may open a place to one that was asked first; a domain that was best for a gang may have no
    room for all that the job has beyond it, which then waits for the next cycle (as in Volcano); and a gang that was
    packed in vain may be packed otherwise, and fit, when others have been placed.  Devices are left out, for which of a
    node's devices a pod has got is not told to the next cycle here.
    """
    things = replace(
        case.things,
        pods=[replace(pod, shape=replace(pod.shape, pod_terms=(), device_count=0)) for pod in case.things.pods],
        groups=[replace(group, topology=None, min_member=0, min_task_member={}) for group in case.things.groups],
    )
    policy = replace(case.configuration, actions=("allocate",))
    first = things.decide(policy)
    if list(first.pipelined()):
        return
    place, phases = dict(first.binds()), first.phases()
    done = replace(
        things,
        pods=[replace(p, node=place[p.name], phase=PodPhase.BOUND) if p.name in place else p for p in things.pods],
        groups=[replace(group, phase=phases[group.name]) for group in things.groups],
    )
    second = done.decide(policy)
    assert not list(second.binds())
    assert not second.evicted()


def test_the_random_cases_meet_all_that_is_asserted_here():
    """The properties above would hold of cases in which nothing happens."""
    some = [Case(*random_case(seed), seed) for seed in range(300)]
    assert sum(bool(case.binds) for case in some) > 50
    assert sum(bool(case.reserved) for case in some) > 10
    assert sum(bool(case.evicted) for case in some) > 5
    assert sum(bool(case.decision.impossible) for case in some) > 50
    assert any(HOST in node.labels for case in some for node in case.things.nodes)
