"""Packing GPUs until more is asked for than there is: what policies promise, and who packs better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import CPU, MEMORY
from skyedge.layers.scheduler.fragmentation import Fragmentation, class_of, target_workload
from skyedge.layers.scheduler.inflation import arrivals, fragments, pack, pack_trace
from skyedge.layers.scheduler.objects import Node, PodShape
from skyedge.layers.scheduler.openb import GPU, read_trace
from skyedge.layers.scheduler.packing import Packer
from skyedge.layers.scheduler.policies import POLICIES, policy
from skyedge.resources import folder

SAMPLE = folder("experiments") / "traces" / "openb-sample"
GIB = 1 << 30
ALL = sorted(POLICIES)

nodes = st.lists(
    st.builds(
        lambda cpu, memory, gpus, model: (cpu, memory, gpus, model if gpus else ""),
        st.integers(2, 16),
        st.integers(2, 16),
        st.integers(0, 4),
        st.sampled_from(["A", "B"]),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        Node(
            f"n{number}",
            {"cpu": cpu * 1000, "memory": memory * GIB, **({GPU: gpus * 1000} if gpus else {})},
            device_count=gpus,
            device_model=model,
        )
        for number, (cpu, memory, gpus, model) in enumerate(rows)
    ]
)


def shape(cpu, memory, count, milli, models=()):
    request = [("cpu", cpu), ("memory", memory * GIB)] + ([(GPU, count * milli)] if count else [])
    return PodShape(tuple(request), device_count=count, device_milli=milli, device_models=models)


shapes = st.builds(
    lambda cpu, memory, need, models: shape(cpu, memory, *need, models if need[0] else ()),
    st.integers(1, 6).map(lambda cores: 1000 * cores),
    st.integers(0, 4),
    st.one_of(st.just((0, 0)), st.tuples(st.just(1), st.sampled_from([250, 400, 600, 1000])), st.just((2, 1000))),
    st.sampled_from([(), ("A",), ("A", "B")]),
)


@settings(max_examples=40)
@pytest.mark.parametrize("name", ALL)
@given(cluster=nodes, pods=st.lists(shapes, min_size=1, max_size=30), leaving=st.data())
def test_no_node_and_no_gpu_is_ever_given_away_twice(name, cluster, pods, leaving):
    packer = Packer(cluster, pods, policy(name))
    session = packer.session
    placed: dict[int, int] = {}
    for pod in range(len(pods)):
        node = packer.place(pod)
        if node is not None:
            placed[pod] = node
        if placed and leaving.draw(st.booleans()):
            gone = leaving.draw(st.sampled_from(sorted(placed)))
            packer.remove(gone)
            del placed[gone]
    ordered = sorted(cluster, key=lambda node: node.name)
    for row, node in enumerate(ordered):
        here = [pods[pod] for pod, at in placed.items() if at == row]
        cpu = sum(dict(each.request)["cpu"] for each in here)
        memory = sum(dict(each.request)["memory"] for each in here)
        assert session.idle[CPU, row] == node.allocatable["cpu"] - cpu >= 0
        assert session.idle[MEMORY, row] == node.allocatable["memory"] - memory >= 0
        held = [0] * node.device_count
        for pod, at in placed.items():
            if at == row and pods[pod].device_count:
                assert len(set(session.devices_of[pod])) == pods[pod].device_count
                assert not pods[pod].device_models or node.device_model in pods[pod].device_models
                for device in session.devices_of[pod]:
                    held[device] += pods[pod].device_milli
        assert all(milli <= 1000 for milli in held)
        assert session.devices_free[row, : node.device_count].tolist() == [1000 - milli for milli in held]


@settings(max_examples=60)
@given(nodes, st.lists(shapes, min_size=1, max_size=25))
def test_a_pod_is_refused_only_if_no_node_has_room(cluster, pods):
    packer = Packer(cluster, pods, policy("fgd"))
    session = packer.session
    models = session.snapshot.nodes.device_model
    for pod, wanted in enumerate(pods):
        request = dict(wanted.request)
        room = any(
            session.idle[CPU, row] >= request["cpu"]
            and session.idle[MEMORY, row] >= request["memory"]
            and (session.devices_free[row] >= max(wanted.device_milli, 1)).sum() >= wanted.device_count
            and (not wanted.device_models or models[row] in wanted.device_models)
            for row in range(len(cluster))
        )
        assert (packer.place(pod) is not None) == room


@settings(max_examples=40)
@given(nodes, st.lists(shapes, min_size=1, max_size=25))
def test_the_gradient_kept_from_pod_to_pod_is_the_one_from_scratch(cluster, pods):
    """The scores that the ranking keeps, brought up to date on touched nodes only, are those of a new session."""
    if not any(node.device_count for node in cluster):
        return
    target = target_workload(class_of(each) for each in pods)
    packer = Packer(cluster, pods, policy("fgd"))
    session = packer.session
    models = sorted(set(session.snapshot.nodes.device_model))
    number = np.array([models.index(model) for model in session.snapshot.nodes.device_model])
    scratch = Fragmentation(target, models)
    for pod, wanted in enumerate(pods):
        kept = session.rankings.of(pod).score.copy()
        cpu_left = session.idle[CPU] - dict(wanted.request)["cpu"]
        need = (wanted.device_count, wanted.device_milli)
        before = scratch.of(session.idle[CPU], session.devices_free, number)
        more = scratch.after(cpu_left, session.devices_free, number, *need) - before
        here = np.isfinite(kept)
        points = np.floor(np.round(100 / (1 + np.exp(more[here] / 1000)), 6))
        assert kept[here].tolist() == points.tolist()
        packer.place(pod)
    assert fragments(session, target) == pytest.approx(scratch.of(session.idle[CPU], session.devices_free, number))


def test_a_departure_leaves_everything_as_it_was():
    trace = read_trace(SAMPLE)
    packer = Packer(trace.nodes, trace.shapes, policy("fgd"))
    idle, devices = packer.session.idle.copy(), packer.session.devices_free.copy()
    placed = [pod for pod in range(200) if packer.place(pod) is not None]
    assert (packer.session.devices_free < devices).any()
    for pod in placed:
        packer.remove(pod)
    assert (packer.session.idle == idle).all()
    assert (packer.session.devices_free == devices).all()


def test_fgd_packs_better_than_best_fit_and_best_fit_better_than_chance():
    trace = read_trace(SAMPLE)
    mean = {
        name: np.mean([pack_trace(trace, policy(name), 1.3, seed).allocation_percent()[130] for seed in range(42, 47)])
        for name in ("fgd", "bestfit", "random")
    }
    assert mean["fgd"] >= mean["bestfit"] >= mean["random"]


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_nodes_and_pods_in_the_files_does_not_matter(name, tmp_path):
    outcomes = []
    for reverse in (False, True):
        place = tmp_path / str(reverse)
        place.mkdir()
        for file in ("openb_node_list_gpu_node.csv", "openb_pod_list_default.csv"):
            header, *lines = (SAMPLE / file).read_text().splitlines()
            (place / file).write_text("\n".join([header, *(lines[::-1] if reverse else lines)]) + "\n")
        packing = pack_trace(read_trace(place), policy(name), 1.1, seed=7)
        outcomes.append((packing.node.tolist(), packing.allocation_percent(), packing.fragmented_milli))
    assert outcomes[0] == outcomes[1]


def test_all_of_the_list_comes_once_before_any_of_it_comes_again():
    trace = read_trace(SAMPLE)
    order = arrivals(trace, 1.3, seed=1).tolist()
    assert sorted(order[: len(trace)]) == list(range(len(trace)))
    assert order[: len(trace)] != list(range(len(trace)))
    assert arrivals(trace, 1.3, seed=1).tolist() == order != arrivals(trace, 1.3, seed=2).tolist()


@pytest.mark.parametrize("demand", [0.013, 0.5, 1.0, 1.3, 2.0])
def test_pods_come_until_the_demand_is_reached_and_no_longer(demand):
    trace = read_trace(SAMPLE)
    asked = trace.device_milli()[arrivals(trace, demand, seed=3)].cumsum()
    wanted = demand * trace.gpus * 1000
    assert asked[-1] >= wanted - 1e-6
    assert len(asked) == 1 or asked[-2] < wanted


def test_allocation_is_told_at_each_whole_percent_and_is_never_more_than_demand_or_the_cluster():
    packing = pack_trace(read_trace(SAMPLE), policy("bestfit"), 1.3, seed=42)
    percents = packing.allocation_percent()
    assert list(percents) == list(range(1, 131))
    values = list(percents.values())
    assert values == sorted(values)
    largest = 100 * 8000 / packing.cluster_milli
    assert all(value <= min(percent + largest, 100) for percent, value in percents.items())
    assert packing.refused > 0
    assert 0 <= packing.fragmented_milli <= packing.unallocated_milli
    assert packing.unallocated_milli + packing.allocated_milli[-1] == packing.cluster_milli


def test_two_gpus_for_three_halves_and_a_whole():
    """By hand: packed, two halves share one GPU and the whole one gets the other; the third half is refused."""
    cluster = [Node("n", {"cpu": 9000, "memory": 9 * GIB, GPU: 2000}, device_count=2, device_model="A")]
    half, whole = shape(1000, 1, 1, 500), shape(1000, 1, 1, 1000)
    pods = [half, half, whole, half]
    packing = pack(cluster, pods, policy("fgd"), target_workload(class_of(each) for each in pods))
    assert packing.node.tolist() == [0, 0, 0, -1]
    assert packing.allocation_percent()[100] == 100
    assert packing.refused == 1
    # Spread out, as worst fit does it, the halves leave no whole GPU.
    assert pack(cluster, pods, policy("worst-fit"), {}).node.tolist() == [0, 0, -1, 0]


def test_a_list_that_asks_for_no_gpus_and_a_cluster_without_any_are_refused():
    trace = read_trace(SAMPLE)
    with pytest.raises(InputError, match="no node of this list has a GPU"):
        arrivals(replace(trace, nodes=(Node("n", {"cpu": 1}),)), 1.3, 0)
    with pytest.raises(InputError, match="no pod of this list asks for a GPU"):
        arrivals(replace(trace, shapes=(shape(1000, 1, 0, 0),) * len(trace)), 1.3, 0)
