"""From manifests to queues, with those that every cluster has, and their line of parents checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.volcano import Queue as QueueManifest
from skyedge.layers.scheduler.objects import Queue

DEFAULT_QUEUE, ROOT_QUEUE = "default", "root"
HIERARCHY, HIERARCHY_WEIGHTS = "volcano.sh/hierarchy", "volcano.sh/hierarchy-weights"


def read_queues(manifests: Manifests, created_s: Callable[[Manifest[QueueManifest]], float]) -> dict[str, Queue]:
    """Queues by name; ``default`` is always there, and ``root`` where queues stand in a tree.

    Raises:
        InputError: for a parent that is not there, or parents that go round in a circle.
    """
    given = {manifest.object.metadata.name: manifest for manifest in manifests.of(QueueManifest)}
    for name, manifest in given.items():
        _check_line(name, manifest, given)
    queues = {name: _queue(name, manifest, created_s(manifest)) for name, manifest in given.items()}
    queues.setdefault(DEFAULT_QUEUE, Queue(DEFAULT_QUEUE))
    if any(queue.parent for queue in queues.values()):
        queues.setdefault(ROOT_QUEUE, Queue(ROOT_QUEUE))
    return queues


def _queue(name: str, manifest: Manifest[QueueManifest], created_s: float) -> Queue:
    spec = manifest.object.spec
    return Queue(
        name=name,
        weight=spec.weight,
        priority=spec.priority,
        open=manifest.object.status.state in ("Open", ""),
        capability=spec.capability,
        deserved=spec.deserved,
        guarantee=spec.guarantee.resource or None,
        parent=spec.parent or None,
        reclaimable=spec.reclaimable,
        created_s=created_s,
        hierarchy=_hierarchy(manifest),
    )


def _check_line(name: str, manifest: Manifest[QueueManifest], given: Mapping[str, Manifest[QueueManifest]]) -> None:
    """Check that a queue's parents are there and lead somewhere."""
    line, parent = [name], manifest.object.spec.parent
    known = {*given, DEFAULT_QUEUE, ROOT_QUEUE}
    if parent and parent not in known:
        raise manifest.error(("spec", "parent"), f"there is no queue '{parent}'", nearest(parent, sorted(known)))
    while parent in given:
        line.append(parent)
        if parent == name:
            raise manifest.error(("spec", "parent"), f"the queues go round in a circle: {' under '.join(line)}")
        if line.count(parent) > 1:
            return  # a circle that this queue hangs on, found at one of its own
        parent = given[parent].object.spec.parent


def _hierarchy(manifest: Manifest[QueueManifest]) -> tuple[tuple[str, float], ...]:
    """The path of a queue for hierarchical DRF: ``root/science/imaging`` with weights ``1/2/1``."""
    annotations = manifest.object.metadata.annotations
    path, weights = annotations.get(HIERARCHY, ""), annotations.get(HIERARCHY_WEIGHTS, "")
    if not path:
        return ()
    names, numbers = path.split("/"), weights.split("/")
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if len(values) != len(names) or not all(0 < value < float("inf") for value in values):
        what = f"'{path}' needs as many weights above zero, with slashes between them, not '{weights}'"
        raise manifest.error(("metadata", "annotations", HIERARCHY_WEIGHTS if weights else HIERARCHY), what)
    return tuple(zip(names, values, strict=True))
