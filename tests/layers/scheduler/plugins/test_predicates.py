"""What keeps a pod off a node, and what does not; the rules are those of the Kubernetes documentation."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler.actions.allocate import allocate
from skyedge.layers.scheduler.configuration import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.decision import decide, schedule
from skyedge.layers.scheduler.labels import meets
from skyedge.layers.scheduler.objects import (
    GroupPhase,
    Node,
    Pod,
    PodGroup,
    PodPhase,
    PodShape,
    PodTerm,
    Queue,
    Requirement,
    Taint,
    Toleration,
)
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

ROOM = {"cpu": 8000, "memory": 1 << 34}
SMALL = (("cpu", 1000), ("memory", 1 << 30))
CONFIGURATION = Configuration(actions=("allocate",), tiers=tiers_of(("predicates", "binpack")))


def node(name: str, taints: tuple[Taint, ...] = (), unschedulable: bool = False, **labels: str) -> Node:
    return Node(name, ROOM, labels=labels, taints=taints, unschedulable=unschedulable)


def pod(name: str, on: str | None = None, labels: dict[str, str] | None = None, **shape: object) -> Pod:
    phase = PodPhase.RUNNING if on else PodPhase.PENDING
    return Pod(name, f"{name.partition('/')[0]}/jobs", PodShape(request=SMALL, **shape), phase, on, labels=labels or {})


def session_of(nodes: Iterable[Node], pods: Sequence[Pod], configuration: Configuration = CONFIGURATION) -> Session:
    names = sorted({pod.group for pod in pods})
    groups = [PodGroup(name, phase=GroupPhase.INQUEUE) for name in names]
    return Session(take_snapshot(nodes, pods, groups, [Queue("default")]), configuration)


def binds(nodes: Iterable[Node], pods: Sequence[Pod], configuration: Configuration = CONFIGURATION) -> dict[str, str]:
    return dict(schedule(session_of(nodes, pods).snapshot, configuration).binds())


def open_to(one: Pod, nodes: Sequence[Node], others: Sequence[Pod] = ()) -> set[str]:
    """Names of the nodes on which ``one`` may run as things stand; the reasons given agree with it."""
    session = session_of(nodes, [one, *others])
    number = session.snapshot.pods.names.index(one.name)
    rows = session.snapshot.nodes.names
    flags = session.points.allowed(number)
    flags &= session.points.allowed_now(number, np.arange(len(rows)))
    for row, allowed in enumerate(flags):
        assert (session.points.plugins[0].refusal(number, row) is None) == bool(allowed)
    return {rows[row] for row in range(len(rows)) if flags[row]}


def why_not(one: Pod, where: Node, others: Sequence[Pod] = ()) -> str | None:
    session = session_of([where], [one, *others])
    return session.points.plugins[0].refusal(session.snapshot.pods.names.index(one.name), 0)


# Selectors and node affinity.


@pytest.mark.parametrize(
    ("requirement", "value", "met"),
    [
        (Requirement("k", "In", ("a", "b")), "a", True),
        (Requirement("k", "In", ("a", "b")), "c", False),
        (Requirement("k", "In", ("a",)), None, False),
        (Requirement("k", "NotIn", ("a",)), "b", True),
        (Requirement("k", "NotIn", ("a",)), None, True),
        (Requirement("k", "Exists"), "", True),
        (Requirement("k", "Exists"), None, False),
        (Requirement("k", "DoesNotExist"), None, True),
        (Requirement("k", "Gt", ("9",)), "10", True),
        (Requirement("k", "Gt", ("9",)), "9", False),
        (Requirement("k", "Lt", ("9",)), "-1", True),
        (Requirement("k", "Lt", ("9",)), "few", False),
        (Requirement("k", "Gt", ("9",)), None, False),
    ],
)
def test_a_requirement_is_met_by_one_label_as_by_a_column_of_them(
    requirement: Requirement, value: str | None, met: bool
) -> None:
    assert meets(requirement, value) == met
    labels = {} if value is None else {"k": value}
    nodes = [Node("a", ROOM, labels=labels), node("b", k="something-else")]
    assert ("a" in open_to(pod("n/p", node_terms=((requirement,),)), nodes)) == met


def test_a_node_selector_needs_every_label() -> None:
    nodes = [node("a", disk="ssd", zone="z1"), node("b", disk="ssd"), node("c")]
    assert open_to(pod("n/p", node_selector=(("disk", "ssd"), ("zone", "z1"))), nodes) == {"a"}


def test_one_of_the_terms_of_a_node_affinity_is_enough_and_an_empty_one_stands_for_no_node() -> None:
    nodes = [node("a", disk="ssd"), node("b", zone="z1"), node("c")]
    either = ((Requirement("disk", "Exists"),), (Requirement("zone", "Exists"),))
    assert open_to(pod("n/p", node_terms=either), nodes) == {"a", "b"}
    assert open_to(pod("n/p", node_terms=((),)), nodes) == set()


def test_a_node_can_be_asked_for_by_its_name() -> None:
    nodes = [node("a"), node("b")]
    assert open_to(pod("n/p", node_terms=((Requirement("metadata.name", "In", ("b",)),),)), nodes) == {"b"}


# Taints.


def test_a_taint_keeps_off_whom_it_does_not_suit() -> None:
    gpu = Taint("gpu", "yes")
    nodes = [
        node("a", (gpu,)),
        node("b", (Taint("gone", "", "NoExecute"),)),
        node("c", (Taint("old", "", "PreferNoSchedule"),)),
    ]
    assert open_to(pod("n/p"), nodes) == {"c"}
    assert open_to(pod("n/p", tolerations=(Toleration("gpu", value="yes"),)), nodes) == {"a", "c"}
    assert open_to(pod("n/p", tolerations=(Toleration("gpu", value="no"),)), nodes) == {"c"}
    assert open_to(pod("n/p", tolerations=(Toleration("gpu", "Exists", effect="NoExecute"),)), nodes) == {"c"}
    assert open_to(pod("n/p", tolerations=(Toleration(operator="Exists"),)), nodes) == {"a", "b", "c"}


def test_a_cordoned_node_takes_only_who_tolerates_that() -> None:
    nodes = [node("a", unschedulable=True), node("b")]
    assert open_to(pod("n/p"), nodes) == {"b"}
    daemon = pod("n/p", tolerations=(Toleration("node.kubernetes.io/unschedulable", "Exists", effect="NoSchedule"),))
    assert open_to(daemon, nodes) == {"a", "b"}


def test_taints_can_be_switched_off_but_not_cordons() -> None:
    without = PluginOption("predicates", arguments={"predicate.TaintTolerationEnable": False})
    configuration = Configuration(actions=("allocate",), tiers=tiers_of((without,)))
    nodes = [node("a", unschedulable=True), node("b", (Taint("gpu"),))]
    assert binds(nodes, [pod("n/p")], configuration) == {"n/p": "b"}


# Other pods.

WEB = {"app": "web"}
NEAR_WEB = PodTerm("zone", (Requirement("app", "In", ("web",)),))
AWAY_FROM_WEB = PodTerm("zone", (Requirement("app", "In", ("web",)),), away=True)
ZONES = [node("a1", zone="a"), node("a2", zone="a"), node("b1", zone="b"), node("c")]


def test_affinity_goes_where_the_other_is_and_to_no_node_without_domain() -> None:
    assert open_to(pod("n/p", pod_terms=(NEAR_WEB,)), ZONES, [pod("n/web", "a2", WEB)]) == {"a1", "a2"}
    assert open_to(pod("n/p", pod_terms=(NEAR_WEB,)), ZONES) == set()


def test_the_first_of_a_series_that_wants_to_be_with_its_like_may_go_wherever_there_is_a_domain() -> None:
    assert open_to(pod("n/p", labels=WEB, pod_terms=(NEAR_WEB,)), ZONES) == {"a1", "a2", "b1"}


def test_several_affinities_want_one_pod_that_meets_them_all() -> None:
    both = (NEAR_WEB, PodTerm("zone", (Requirement("tier", "In", ("front",)),)))
    halves = [pod("n/x", "a1", WEB), pod("n/y", "a1", {"tier": "front"})]
    assert open_to(pod("n/p", pod_terms=both), ZONES, halves) == set()
    assert open_to(pod("n/p", pod_terms=both), ZONES, [pod("n/x", "b1", {**WEB, "tier": "front"})]) == {"b1"}


def test_anti_affinity_shuns_the_domain_and_not_nodes_without_one() -> None:
    assert open_to(pod("n/p", pod_terms=(AWAY_FROM_WEB,)), ZONES, [pod("n/web", "a2", WEB)]) == {"b1", "c"}


def test_who_is_there_already_repels_newcomers_by_its_own_anti_affinity() -> None:
    hermit = pod("n/hermit", "a1", pod_terms=(AWAY_FROM_WEB,))
    assert open_to(pod("n/p", labels=WEB), ZONES, [hermit]) == {"b1", "c"}
    assert open_to(pod("n/p", labels={"app": "db"}), ZONES, [hermit]) == {"a1", "a2", "b1", "c"}


def test_a_term_is_about_its_own_namespace_unless_it_says_otherwise() -> None:
    elsewhere = [pod("m/web", "a1", WEB)]
    assert open_to(pod("n/p", pod_terms=(AWAY_FROM_WEB,)), ZONES, elsewhere) == {"a1", "a2", "b1", "c"}
    named = PodTerm("zone", AWAY_FROM_WEB.selector, away=True, namespaces=("m",))
    assert open_to(pod("n/p", pod_terms=(named,)), ZONES, elsewhere) == {"b1", "c"}


def test_who_has_succeeded_is_no_neighbour() -> None:
    done = Pod("n/web", "n/jobs", PodShape(), PodPhase.SUCCEEDED, "a1", labels=WEB)
    assert open_to(pod("n/p", pod_terms=(AWAY_FROM_WEB,)), ZONES, [done]) == {"a1", "a2", "b1", "c"}


def test_pods_that_shun_their_like_take_a_node_each_and_the_last_waits() -> None:
    apart = PodTerm("kubernetes.io/hostname", (Requirement("app", "In", ("web",)),), away=True)
    pods = [pod(f"n/p{number}", labels=WEB, pod_terms=(apart,)) for number in range(4)]
    nodes = [node(name) for name in "abc"]
    got = binds(nodes, pods)
    assert sorted(got.values()) == ["a", "b", "c"]
    assert "n/p3" not in got


def test_pods_that_want_to_be_together_follow_the_first_one() -> None:
    pods = [pod(f"n/p{number}", labels=WEB, pod_terms=(NEAR_WEB,)) for number in range(10)]
    zone = {"a1": "a", "a2": "a", "b1": "b"}
    assert {zone[name] for name in binds(ZONES, pods).values()} == {"a"}


def test_nothing_is_asked_for_each_pod_where_no_pod_looks_at_others() -> None:
    plain, mixed = session_of(ZONES, [pod("n/p")]), session_of(ZONES, [pod("n/p", pod_terms=(NEAR_WEB,))])
    assert plain.points.packs
    assert not plain.points.distinguishes
    assert mixed.points.distinguishes


@settings(max_examples=100)
@given(st.data())
def test_pods_placed_together_go_where_they_would_go_one_by_one_though_some_look_at_others(data: st.DataObject) -> None:
    nodes, pods = data.draw(_nodes), data.draw(_pods)
    one_by_one = session_of(nodes, pods)
    one_by_one.points.packs = False
    allocate(one_by_one)
    assert binds(nodes, pods) == dict(decide(one_by_one).binds())


PROPORTION = {
    "predicate.ProportionalEnable": True,
    "predicate.resources": "nvidia.com/gpu",
    "predicate.resources.nvidia.com/gpu.cpu": 2,
    "predicate.resources.nvidia.com/gpu.memory": 1,
}


def test_pods_without_gpus_leave_what_goes_with_the_gpus_that_are_idle() -> None:
    option = PluginOption("predicates", arguments=PROPORTION)
    configuration = Configuration(actions=("allocate",), tiers=tiers_of((option, "binpack")))
    gpus = Node("gpus", {**ROOM, "nvidia.com/gpu": 3000})
    plain = [pod(f"n/p{number}") for number in range(4)]
    # Of 8 cores 2 must stay for each of the 3 idle GPUs: there is room for two pods of one core.
    assert binds([gpus], plain, configuration) == {"n/p0": "gpus", "n/p1": "gpus"}
    assert len(binds([node("plain")], plain, configuration)) == 4
    hungry = [Pod(f"n/g{n}", "n/jobs", PodShape(request=(("cpu", 2500), ("nvidia.com/gpu", 1000)))) for n in range(3)]
    assert len(binds([gpus], hungry, configuration)) == 3


# Reasons.


@pytest.mark.parametrize(
    ("one", "where", "clause"),
    [
        (pod("n/p", node_selector=(("disk", "ssd"),)), node("a"), "node selector disk=ssd does not match"),
        (pod("n/p"), node("a", (Taint("gpu", "yes"),)), "taint gpu=yes:NoSchedule is not tolerated"),
        (pod("n/p"), node("a", unschedulable=True), "it is unschedulable"),
        (
            pod("n/p", node_terms=((Requirement("disk", "In", ("ssd", "nvme")),), (Requirement("gen", "Gt", ("3",)),))),
            node("a", gen="2"),
            "node affinity does not match: disk in (ssd, nvme) or gen > 3",
        ),
        (pod("n/p", pod_terms=(NEAR_WEB,)), node("a", zone="z"), "no pod that it must be near is in its zone"),
        (pod("n/p"), node("a"), None),
    ],
)
def test_a_refusal_says_what_was_in_the_way(one: Pod, where: Node, clause: str | None) -> None:
    assert why_not(one, where) == clause


def test_a_switch_that_is_neither_true_nor_false_is_refused() -> None:
    odd = PluginOption("predicates", arguments={"predicate.PodAffinityEnable": "perhaps"})
    with pytest.raises(InputError, match="should be true or false, not 'perhaps'"):
        session_of([node("a")], [pod("n/p")], Configuration(tiers=tiers_of((odd,))))


# In general.

_labels = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
_taints = st.lists(st.builds(Taint, st.sampled_from("tu"), st.sampled_from("12")), max_size=1).map(tuple)
_requirements = st.builds(
    Requirement,
    st.sampled_from("xy"),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt"]),
    st.tuples(st.sampled_from("12")),
)
_pod_terms = st.builds(
    PodTerm,
    st.sampled_from(["x", "kubernetes.io/hostname"]),
    st.tuples(st.builds(Requirement, st.just("app"), st.just("In"), st.tuples(st.sampled_from("ab")))),
    st.booleans(),
)
_shapes = st.builds(
    PodShape,
    request=st.just(SMALL),
    node_selector=st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("12")), max_size=1).map(tuple),
    node_terms=st.lists(st.lists(_requirements, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple),
    tolerations=st.lists(st.builds(Toleration, st.sampled_from("tu"), st.just("Exists")), max_size=1).map(tuple),
    pod_terms=st.lists(_pod_terms, max_size=2).map(tuple),
)
_nodes = st.lists(st.tuples(_labels, _taints, st.booleans()), min_size=1, max_size=6).map(
    lambda rows: [Node(f"node{n}", ROOM, labels, taints, cordoned) for n, (labels, taints, cordoned) in enumerate(rows)]
)
_pods = st.lists(st.tuples(_shapes, st.sampled_from("abc")), min_size=1, max_size=8).map(
    lambda rows: [Pod(f"n/p{n}", "n/jobs", shape, labels={"app": app}) for n, (shape, app) in enumerate(rows)]
)


@settings(max_examples=150)
@given(_nodes, _pods, st.randoms(use_true_random=False))
def test_no_node_gets_a_pod_that_it_refuses_and_the_order_of_the_input_does_not_matter(
    nodes: list[Node], pods: list[Pod], shuffler: random.Random
) -> None:
    session = session_of(nodes, pods)
    rows = {name: row for row, name in enumerate(session.snapshot.pods.names)}
    got = binds(nodes, pods)
    for name, where in got.items():
        assert session.points.allowed(rows[name])[session.snapshot.nodes.names.index(where)]
    mixed_nodes, mixed_pods = list(nodes), list(pods)
    shuffler.shuffle(mixed_nodes)
    shuffler.shuffle(mixed_pods)
    assert binds(mixed_nodes, mixed_pods) == got


@settings(max_examples=150)
@given(_nodes, _pods)
def test_when_all_is_placed_no_two_pods_are_where_an_anti_affinity_forbids_it(nodes: list[Node], pods: list[Pod]) -> None:
    got = binds(nodes, pods)
    labels = {one.name: {**one.labels, "kubernetes.io/hostname": one.name} for one in nodes}
    by_name = {one.name: one for one in pods}
    for mine, where in got.items():
        for term in by_name[mine].shape.pod_terms:
            domain = labels[where].get(term.topology_key)
            if not term.away or domain is None:
                continue
            for other, there in got.items():
                if other != mine and labels[there].get(term.topology_key) == domain:
                    wanted = term.selector[0].values
                    assert (by_name[other].labels or {})["app"] not in wanted
