"""Processors: send a pod to the processors that its image was built for (ours; Volcano leaves this to labels by hand).

An image is built for some processors, best first: ``amd64``, ``arm64``, or more closely ``kunpeng``, ``intel``, ``amd``,
``ascend``, ``ascend-910b``.  A node says what it has by labels that kubelets, feature discovery and device plugins set.
Both are put into the same plain words, and one of the pod must be found, between dashes, in one of the node: ``ascend`` in
``huawei-ascend-910``.  A node that says nothing about its processor cannot be trusted with such a pod.

Which GPU models will do is a list as well (``device_models``).  That the node has one of them is checked elsewhere; here
the model that stands first is preferred.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

LABELS = (
    "kubernetes.io/arch",
    "beta.kubernetes.io/arch",
    "host-arch",  # of the Ascend device plugin: huawei-arm, huawei-x86
    "feature.node.kubernetes.io/cpu-model.vendor_id",
    "accelerator",  # of the Ascend device plugin and of CCE: huawei-Ascend910, nvidia-t4
    "accelerator/huawei-npu",
    "node.kubernetes.io/npu.chip.name",
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
)
"""Labels of nodes that name a processor."""

SAME = {
    "x86": ("amd64",),
    "x86-64": ("amd64",),
    "x64": ("amd64",),
    "arm": ("arm64",),
    "aarch64": ("arm64",),
    "arm64-v8": ("arm64",),
    "arm64-v8a": ("arm64",),
    # Huawei's servers with Arm processors are those with Kunpeng; feature discovery knows the maker's name.
    "huawei-arm": ("arm64", "kunpeng"),
    "huawei-x86": ("amd64",),
    "hisilicon": ("arm64", "kunpeng"),
    "genuineintel": ("intel",),
    "authenticamd": ("amd",),
}
"""Words for the same thing; all else is taken as it is."""


def words_of(name: str) -> tuple[str, ...]:
    """The plain words for a processor: lower case, dashes, ``huawei-Ascend910`` as ``huawei-ascend-910``."""
    word = re.sub(r"[\s_/]+", "-", name.strip().lower())
    return SAME.get(word) or (re.sub(r"(ascend|kunpeng)-?(?=\w)", r"\1-", word),)


def suits(wanted: str, has: str) -> bool:
    """Whether a node with the processor ``has`` meets ``wanted``, both plain words: ``a100`` is in ``nvidia-a100-80gb``."""
    return f"-{wanted}-" in f"-{has}-"


class Processors(Plugin):
    """Filters nodes by processor and prefers the one that the pod names first.

    Argument: ``processors.weight`` (1).  The score is 100 × weight × (n − place) ÷ n for a list of n processors of which
    the node has that at ``place``, counted from 0; with a list of processors and one of GPU models it is their mean.
    """

    name: ClassVar[str] = "processors"
    known_arguments: ClassVar[tuple[str, ...]] = ("processors.weight",)
    packs = True

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._weight = self.number("processors.weight", 1)

    def open(self, session: Session) -> None:
        """A cycle begins; nothing is looked up before a pod asks."""
        super().open(session)
        self._flags: dict[str, Flags] = {}
        self._scores: dict[int, Floats] = {}

    def predicate(self, pod: int) -> Flags:
        """Nodes with one of the processors that the pod was built for, (nodes,)."""
        snapshot = self.session.snapshot
        architectures = snapshot.shapes[snapshot.pods.shape[pod]].architectures
        flags: Flags = np.full(len(snapshot.nodes), not architectures)
        for name in architectures:
            flags |= self._with(name)
        return flags

    def refusal(self, pod: int, node: int) -> str | None:
        """What the node has that will not do, or None."""
        if self.predicate(pod)[node]:
            return None
        index = self.session.snapshot.nodes.label_index
        said = [value for value in (index.value(key, node) for key in LABELS) if value]
        if not said:
            return "it does not say what processor it has"
        return f"processor {', '.join(dict.fromkeys(said))} is not one that the image was built for"

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """The earlier the node's processor stands in the pod's lists, the better, (nodes,)."""
        shape = int(self.session.snapshot.pods.shape[pod])
        score = self._scores.get(shape)
        if score is None:
            score = self._scores[shape] = self._score(shape)
        chosen: Floats = score[nodes]
        return chosen

    def _score(self, shape: int) -> Floats:
        snapshot = self.session.snapshot
        of = snapshot.shapes[shape]
        total: Floats = np.zeros(len(snapshot.nodes))
        lists = [[self._with(name) for name in of.architectures]]
        lists += [[np.array([model == name for model in snapshot.nodes.device_model]) for name in of.device_models]]
        lists = [places for places in lists if places]
        for places in lists:
            preference = np.zeros(len(snapshot.nodes))
            for place in reversed(range(len(places))):
                preference[places[place]] = (len(places) - place) / len(places)
            total += preference
        return total * (100.0 * self._weight) / len(lists) if lists else total

    def _with(self, name: str) -> Flags:
        """Which nodes have the processor, (nodes,)."""
        flags = self._flags.get(name)
        if flags is None:
            wanted = words_of(name)
            flags = np.zeros(len(self.session.snapshot.nodes), np.bool_)
            for key in LABELS:
                codes, number = self.session.snapshot.nodes.label_index.column(key)
                table = [
                    value is not None and any(suits(w, has) for w in wanted for has in words_of(value)) for value in number
                ]
                flags |= np.array(table, np.bool_)[codes]
            self._flags[name] = flags
        return flags
