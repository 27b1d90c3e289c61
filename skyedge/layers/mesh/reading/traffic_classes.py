"""``TrafficClasses`` to the classes of service of :mod:`~skyedge.layers.mesh.traffic.qos`, every route's name checked."""

from __future__ import annotations

from skyedge.errors import nearest
from skyedge.kube import Manifests
from skyedge.kube import traffic_classes as kube
from skyedge.kube.istio_values import seconds
from skyedge.layers.mesh.reading.mesh import MeshReading
from skyedge.layers.mesh.traffic import ClassRule, Discipline, ServiceClasses


def read_classes(manifests: Manifests, reading: MeshReading) -> ServiceClasses:
    """The classes of the mesh; one that all are of if nobody says any.

    Raises:
        InputError: if there are classes twice, or a rule names a route that there is not.
    """
    written = manifests.of(kube.TrafficClasses)
    if not written:
        return ServiceClasses()
    manifest, *others = written
    if others:
        message = f"a mesh has its classes once, and there are TrafficClasses already: {manifest.place()}"
        raise others[0].error(("metadata", "name"), message)
    routes = {rule.name for one in reading.routes for rule in one.shown.thing.http if rule.name}
    spec = manifest.object.spec
    for number, rule in enumerate(spec.rules):
        for at, name in enumerate(rule.routes):
            if name not in routes:
                path = ("spec", "rules", number, "routes", at)
                raise manifest.error(path, f"no route is called '{name}'", nearest(name, routes))
    limit_s = None if spec.starvation_limit is None else seconds(spec.starvation_limit)
    return ServiceClasses(
        names=tuple(one.name for one in spec.classes),
        rules=tuple(ClassRule(rule.class_, rule.headers, rule.caller_labels, frozenset(rule.routes)) for rule in spec.rules),
        default=spec.default,
        discipline=Discipline(spec.discipline.lower()),
        weights={one.name: one.weight for one in spec.classes if one.weight is not None},
        starvation_limit_us=None if limit_s is None else round(limit_s * 1e6),
    )
