from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.scheduler.fragmentation import Fragmentation, TaskClass, target_workload

MODELS = ("A", "B", "")

needs = st.one_of(
    st.tuples(st.just(0), st.just(0)),
    st.tuples(st.just(1), st.integers(1, 999)),
    st.tuples(st.sampled_from([1, 2, 4]), st.just(1000)),
)
task_classes = st.builds(
    lambda cpu, need, models: TaskClass(cpu, *need, models if need[0] else ()),
    st.integers(0, 8000),
    needs,
    st.sampled_from([(), ("A",), ("A", "B")]),
)
workloads = st.lists(task_classes, min_size=1, max_size=8).map(target_workload)
residual = st.one_of(st.just(0), st.just(1000), st.integers(0, 1000))
node_states = st.lists(
    st.tuples(st.integers(0, 9000), st.lists(residual, min_size=4, max_size=4), st.integers(0, 2)), min_size=1, max_size=5
)


def columns(nodes):
    cpu, devices, model = zip(*nodes, strict=True)
    return np.array(cpu, np.int64), np.array(devices, np.int64), np.array(model)


def fragment_by_definition(workload, cpu_left, devices, model) -> float:
    """Case by case, one class and one node at a time, as the paper says it."""
    whole = sum(devices)
    fragment = 0.0
    for task, popularity in workload.items():
        roomy = [left for left in devices if left >= task.device_milli]
        runs = (
            task.device_count > 0
            and cpu_left >= task.cpu_milli
            and len(roomy) >= task.device_count
            and (not task.device_models or MODELS[model] in task.device_models)
        )
        fragment += popularity * (whole - sum(roomy) if runs else whole)
    return fragment


@given(workloads, node_states)
def test_the_tables_give_what_the_definition_gives(workload, nodes):
    computed = Fragmentation(workload, MODELS).of(*columns(nodes))
    expected = [fragment_by_definition(workload, *node) for node in nodes]
    assert computed == pytest.approx(expected, abs=1e-6)


@given(workloads, node_states)
def test_a_fragment_is_never_negative_and_never_more_than_what_is_unallocated(workload, nodes):
    cpu, devices, model = columns(nodes)
    fragment = Fragmentation(workload, MODELS).of(cpu, devices, model)
    assert (fragment >= -1e-6).all()
    assert (fragment <= devices.sum(axis=1) + 1e-6).all()


@given(workloads, node_states, st.integers(1, 1000))
def test_the_fragment_after_a_share_is_that_of_the_node_as_it_will_be(workload, nodes, milli):
    fragmentation = Fragmentation(workload, MODELS)
    cpu, devices, model = columns(nodes)
    after = fragmentation.after_share(cpu, devices, model, milli)
    for node, device in np.ndindex(*devices.shape):
        if devices[node, device] < milli:
            assert after[node, device] == np.inf
        else:
            changed = devices[[node]].copy()
            changed[0, device] -= milli
            assert after[node, device] == pytest.approx(fragmentation.of(cpu[[node]], changed, model[[node]])[0], abs=1e-6)


@given(workloads, node_states, st.sampled_from([1, 2, 4]))
def test_the_fragment_after_whole_gpus_is_that_of_the_node_as_it_will_be(workload, nodes, count):
    fragmentation = Fragmentation(workload, MODELS)
    cpu, devices, model = columns(nodes)
    after = fragmentation.after(cpu, devices, model, count, 1000)
    for node in range(len(cpu)):
        free = np.flatnonzero(devices[node] == 1000)[:count]
        if len(free) < count:
            assert after[node] == np.inf
        else:
            changed = devices[[node]].copy()
            changed[0, free] = 0
            assert after[node] == pytest.approx(fragmentation.of(cpu[[node]], changed, model[[node]])[0], abs=1e-6)


def test_a_task_without_a_gpu_strands_all_gpus_and_a_fitting_one_only_what_is_too_small_for_it():
    devices = np.array([[300, 1000, 600]])
    some = (np.array([4000]), devices, np.array([0]))
    assert Fragmentation({TaskClass(1000, 0, 0): 1.0}, MODELS).of(*some) == 1900
    assert Fragmentation({TaskClass(1000, 1, 500): 1.0}, MODELS).of(*some) == 300
    assert Fragmentation({TaskClass(1000, 1, 1000): 1.0}, MODELS).of(*some) == 900
    assert Fragmentation({TaskClass(1000, 2, 1000): 1.0}, MODELS).of(*some) == 1900
    assert Fragmentation({TaskClass(5000, 1, 500): 1.0}, MODELS).of(*some) == 1900
    assert Fragmentation({TaskClass(1000, 1, 500, ("B",)): 1.0}, MODELS).of(*some) == 1900


# The typical pods and the scores of hkust-adsl/kubernetes-scheduler-simulator, pkg/utils/frag_test.go (Apache-2.0), the
# authors' own implementation: CPU in milli-cores, thousandths of each GPU, GPUs, model, popularity in percent.
PUBLISHED_CLASSES = [
    (6000, 465, 1, "", 9.33), (8000, 440, 1, "2080", 9.15), (8000, 475, 1, "T4", 8.76), (8000, 440, 1, "P100", 8.72),
    (2000, 465, 1, "", 8.68), (12000, 900, 1, "", 8.65), (4000, 900, 1, "", 8.43), (16000, 678, 1, "T4", 8.36),
    (8000, 500, 1, "", 8.29), (6000, 511, 1, "", 8.11), (14000, 1000, 2, "2080", 0.54), (4000, 1000, 1, "2080", 0.43),
    (32000, 1000, 2, "T4", 0.43), (16000, 1000, 1, "V100M16", 0.40), (64000, 1000, 2, "", 0.40), (10000, 1000, 2, "", 0.40),
    (11400, 1000, 1, "T4", 0.36), (16000, 1000, 1, "T4", 0.36), (4000, 1000, 2, "", 0.36), (14000, 1000, 2, "V100M16", 0.36),
    (8000, 1000, 4, "", 0.36), (16000, 1000, 2, "", 0.32), (2000, 1000, 1, "T4", 0.32), (6000, 1000, 1, "", 0.32),
    (4000, 1000, 1, "", 0.32), (5000, 1000, 1, "", 0.32), (32000, 1000, 4, "V100M16", 0.32), (32000, 1000, 2, "", 0.32),
    (24000, 1000, 8, "2080", 0.32), (40000, 1000, 4, "", 0.29), (32000, 1000, 8, "", 0.29), (32000, 1000, 1, "T4", 0.29),
    (16000, 1000, 1, "", 0.25), (7000, 1000, 1, "V100M16", 0.25), (24000, 1000, 1, "T4", 0.25),
]  # fmt: skip


@pytest.mark.parametrize(
    ("devices", "published"),
    [([200, 1000, 1000, 500], 2566.62), ([1000] * 4, 3802.40), ([1000] * 8, 7604.80)],
)
def test_fragments_are_those_of_the_authors_of_fgd(devices, published):
    workload = {
        TaskClass(cpu, count, milli, (model,) if model else ()): percent / 100
        for cpu, milli, count, model, percent in PUBLISHED_CLASSES
    }
    fragmentation = Fragmentation(workload, ("1080",))
    fragment = fragmentation.of(np.array([1000]), np.array([devices]), np.array([0]))[0]
    assert fragment == pytest.approx(published, abs=0.01)


@given(st.lists(task_classes, min_size=1, max_size=30), st.randoms())
def test_the_target_workload_does_not_depend_on_the_order_of_the_pods(classes, random):
    shuffled = list(classes)
    random.shuffle(shuffled)
    assert target_workload(shuffled) == target_workload(classes)


@given(st.lists(task_classes, min_size=1, max_size=30))
def test_the_target_workload_stands_for_nearly_all_pods(classes):
    workload = target_workload(classes)
    assert sum(workload.values()) == pytest.approx(1)
    assert sum(task in workload for task in classes) >= 0.95 * len(classes)
