"""Pods and the processors that their images were built for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.plugins.processors import suits, words_of
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

CONFIGURATION = Configuration(actions=("allocate",), tiers=tiers_of(("processors",)))
ARCH = "kubernetes.io/arch"
KUNPENG = Node("kunpeng", {"cpu": 8000}, labels={ARCH: "arm64", "host-arch": "huawei-arm"})
GRAVITON = Node("graviton", {"cpu": 8000}, labels={ARCH: "arm64"})
EPYC = Node("epyc", {"cpu": 8000}, labels={ARCH: "amd64", "feature.node.kubernetes.io/cpu-model.vendor_id": "AMD"})
XEON = Node("xeon", {"cpu": 8000}, labels={ARCH: "amd64", "feature.node.kubernetes.io/cpu-model.vendor_id": "Intel"})
ATLAS = Node("atlas", {"cpu": 8000}, labels={ARCH: "arm64", "accelerator": "huawei-Ascend910"})
A100 = Node("a100", {"cpu": 8000}, {ARCH: "amd64", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, device_model="A100")
SILENT = Node("silent", {"cpu": 8000})
ALL = (KUNPENG, GRAVITON, EPYC, XEON, ATLAS, A100, SILENT)


def snapshot_of(nodes: tuple[Node, ...] = ALL, *architectures: str, models: tuple[str, ...] = ()) -> Snapshot:
    shape = PodShape(request=(("cpu", 1000),), architectures=architectures, device_models=models)
    return take_snapshot(
        nodes, [Pod("n/p", "n/job", shape)], [PodGroup("n/job", phase=GroupPhase.INQUEUE)], [Queue("default")]
    )


def will_do(*architectures: str) -> set[str]:
    session = Session(snapshot_of(ALL, *architectures), CONFIGURATION)
    flags = session.points.allowed(0)
    names = session.snapshot.nodes.names
    for row, allowed in enumerate(flags):
        assert (session.points.plugins[0].refusal(0, row) is None) == bool(allowed)
    return {name for name, allowed in zip(names, flags, strict=True) if allowed}


@pytest.mark.parametrize(
    ("architectures", "nodes"),
    [
        (("amd64",), {"epyc", "xeon", "a100"}),
        (("x86_64",), {"epyc", "xeon", "a100"}),
        (("aarch64",), {"kunpeng", "graviton", "atlas"}),
        (("Kunpeng",), {"kunpeng"}),
        (("amd",), {"epyc"}),
        (("GenuineIntel",), {"xeon"}),
        (("ascend",), {"atlas"}),
        (("Ascend 910",), {"atlas"}),
        (("ascend-310",), set()),
        (("a100",), {"a100"}),
        (("kunpeng", "intel"), {"kunpeng", "xeon"}),
        (("riscv64",), set()),
    ],
)
def test_an_image_runs_on_what_it_was_built_for(architectures: tuple[str, ...], nodes: set[str]) -> None:
    assert will_do(*architectures) == nodes


def test_an_image_that_says_nothing_runs_anywhere() -> None:
    assert will_do() == {node.name for node in ALL}


def test_the_processor_that_is_named_first_is_taken() -> None:
    for order, first in ((("arm64", "amd64"), "atlas"), (("amd64", "arm64"), "a100"), (("xyz", "intel", "arm64"), "xeon")):
        assert dict(schedule(snapshot_of(ALL, *order), CONFIGURATION).binds()) == {"n/p": first}


def test_the_gpu_model_that_is_named_first_is_taken() -> None:
    nodes = tuple(Node(f"n{n}", {"cpu": 8000}, device_model=model) for n, model in enumerate(["T4", "P100", "V100"]))
    assert dict(schedule(snapshot_of(nodes, models=("V100", "T4")), CONFIGURATION).binds()) == {"n/p": "n2"}
    assert dict(schedule(snapshot_of(nodes[:2], models=("V100", "T4")), CONFIGURATION).binds()) == {"n/p": "n0"}


def test_a_refusal_names_what_the_node_has() -> None:
    session = Session(snapshot_of((GRAVITON, SILENT), "amd64"), CONFIGURATION)
    clauses = [session.points.plugins[0].refusal(0, row) for row in range(2)]
    assert clauses[0] == "processor arm64 is not one that the image was built for"
    assert clauses[1] == "it does not say what processor it has"


@given(st.text("abnx-_ 19/", min_size=1, max_size=12))
def test_putting_a_name_into_plain_words_twice_changes_nothing_more(name: str) -> None:
    for word in words_of(name):
        assert words_of(word) == (word,) or word in words_of(word)
        assert suits(word, word)


@given(st.lists(st.sampled_from(["amd64", "arm64", "kunpeng", "intel", "ascend"]), unique=True), st.permutations(ALL))
def test_one_node_alone_is_worth_what_it_is_worth_among_all(architectures: list[str], nodes: tuple[Node, ...]) -> None:
    session = Session(snapshot_of(tuple(nodes), *architectures), CONFIGURATION)
    scores = session.points.score(0, np.arange(len(nodes)))
    assert [session.points.score(0, np.array([row]))[0] for row in range(len(nodes))] == scores.tolist()
    if architectures:
        assert ((scores > 0) == session.points.allowed(0)).all()
