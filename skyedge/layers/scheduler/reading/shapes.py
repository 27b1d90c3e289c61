"""From the ``spec`` of a pod to its shape: all of it that decides where the pod may run.

Reading has made one object of parts that are written alike, so a shape is looked up by the identity of its parts and made
once for all pods that share it.

GPUs come in three forms.  Whole ones (``nvidia.com/gpu``, ``huawei.com/Ascend910``, ``amd.com/gpu`` …) are counted like any
other resource.  Of Volcano's shared ones, ``volcano.sh/gpu-memory`` is a part of one GPU, ``volcano.sh/gpu-number`` a number
of whole ones, and ``volcano.sh/vgpu-number`` a number of parts, each as large as ``vgpu-memory``, ``vgpu-memory-percentage``
or ``vgpu-cores`` (percent) says, whichever is more.  Memory is in MiB, and becomes thousandths of a GPU by the least memory
of a GPU that any node has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from skyedge.kube.metadata import LabelSelector, Metadata, NodeSelectorTerm
from skyedge.kube.pods import PodAffinity, PodSpec, requested
from skyedge.layers.scheduler.labels import NAME_FIELD
from skyedge.layers.scheduler.objects import THOUSANDTHS, PodShape, PodTerm, Requirement, Term, Toleration

ARCHITECTURES = "skyedge.io/architectures"
"""Label or annotation of a pod: the processors that its image was built for, best first, with commas between them."""

GPU_MODELS = "skyedge.io/gpu-models"
"""Label or annotation of a pod: the models of GPU that will do."""

GPU_NUMBER, GPU_MEMORY = "volcano.sh/gpu-number", "volcano.sh/gpu-memory"
VGPU_NUMBER, VGPU_MEMORY = "volcano.sh/vgpu-number", "volcano.sh/vgpu-memory"
VGPU_PERCENTAGE, VGPU_CORES = "volcano.sh/vgpu-memory-percentage", "volcano.sh/vgpu-cores"
PER_DEVICE = (VGPU_MEMORY, VGPU_PERCENTAGE, VGPU_CORES)
"""Said of each GPU of a pod, and so no amount that adds up over a node."""

NOBODY: Term = (Requirement("", "In"),)
"""What a term about pods without a selector is about."""


class Shapes:
    """Shapes of pods, one for all that are alike.

    Args:
        device_memory: least memory of a GPU that any node can share, in MiB; None if none says.
    """

    def __init__(self, device_memory: int | None) -> None:
        self._device_memory = device_memory
        self._known: dict[tuple[object, ...], PodShape] = {}

    def of(self, spec: PodSpec, metadata: Metadata) -> PodShape:
        """The shape of a pod."""
        architectures, models = said(metadata, ARCHITECTURES), said(metadata, GPU_MODELS)
        key = (
            *[id(container.resources) for container in spec.containers],
            *[(id(container.resources), container.restart_policy) for container in spec.init_containers],
            id(spec.overhead),
            id(spec.resources),
            id(spec.node_selector) if spec.node_selector else 0,
            id(spec.affinity),
            *[id(toleration) for toleration in spec.tolerations],
            architectures,
            models,
        )
        shape = self._known.get(key)
        if shape is None:
            shape = self._known[key] = self._make(spec, _words(architectures), _words(models))
        return shape

    def _make(self, spec: PodSpec, architectures: tuple[str, ...], models: tuple[str, ...]) -> PodShape:
        request = requested(spec)
        count, milli = self._devices(request)
        affinity = spec.affinity
        nodes = affinity.node_affinity if affinity else None
        return PodShape(
            request=tuple((name, amount) for name, amount in request.items() if name not in PER_DEVICE),
            node_selector=tuple(sorted(spec.node_selector.items())),
            node_terms=tuple(node_term(term) for term in nodes.required.node_selector_terms)
            if nodes and nodes.required
            else (),
            preferred=tuple((wish.weight, node_term(wish.preference)) for wish in nodes.preferred) if nodes else (),
            pod_terms=_pod_terms(affinity.pod_affinity, away=False) + _pod_terms(affinity.pod_anti_affinity, away=True)
            if affinity
            else (),
            tolerations=tuple(Toleration(t.key, t.operator, t.value, t.effect) for t in spec.tolerations),
            architectures=architectures,
            device_count=count,
            device_milli=milli,
            device_models=models,
        )

    def _devices(self, request: Mapping[str, int]) -> tuple[int, int]:
        """How many GPUs, and how many thousandths of each."""
        whole = {
            name: -(-request.get(name, 0) // THOUSANDTHS) for name in (GPU_NUMBER, GPU_MEMORY, VGPU_NUMBER, *PER_DEVICE)
        }
        if whole[GPU_NUMBER]:
            return whole[GPU_NUMBER], THOUSANDTHS
        if whole[GPU_MEMORY]:
            return 1, self._part(whole[GPU_MEMORY])
        parts = [whole[VGPU_PERCENTAGE] * THOUSANDTHS // 100, whole[VGPU_CORES] * THOUSANDTHS // 100]
        if whole[VGPU_MEMORY]:
            parts.append(self._part(whole[VGPU_MEMORY]))
        if not whole[VGPU_NUMBER] and not any(parts):
            return 0, 0
        return whole[VGPU_NUMBER] or 1, max(parts) or THOUSANDTHS

    def _part(self, memory: int) -> int:
        """Thousandths of a GPU for so much memory; more than all of it, if no node says how much its GPUs have."""
        return -(-memory * THOUSANDTHS // self._device_memory) if self._device_memory else THOUSANDTHS + 1


def said(metadata: Metadata, key: str) -> str:
    """What an annotation, or else a label, says."""
    return metadata.annotations.get(key) or metadata.labels.get(key) or ""


def selector_term(selector: LabelSelector | None) -> Term:
    """Requirements of a label selector; without a selector nothing is meant, with an empty one all."""
    if selector is None:
        return NOBODY
    equal = (Requirement(key, "In", (value,)) for key, value in sorted(selector.match_labels.items()))
    return (*equal, *(Requirement(r.key, r.operator, r.values) for r in selector.match_expressions))


def node_term(term: NodeSelectorTerm) -> Term:
    """Requirements of a node selector term."""
    labels = (Requirement(r.key, r.operator, r.values) for r in term.match_expressions)
    return (*labels, *(Requirement(NAME_FIELD, r.operator, r.values) for r in term.match_fields))


def _pod_terms(affinity: PodAffinity | None, *, away: bool) -> tuple[PodTerm, ...]:
    if affinity is None:
        return ()
    weighted = [(None, term) for term in affinity.required]
    weighted += [(wish.weight, wish.pod_affinity_term) for wish in affinity.preferred]  # type: ignore[misc]
    return tuple(
        PodTerm(term.topology_key, selector_term(term.label_selector), away, weight, tuple(sorted(term.namespaces)))
        for weight, term in weighted
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


ShapeOf = Callable[[PodSpec, Metadata], PodShape]
