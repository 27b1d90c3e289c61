"""``TrafficClasses`` to the classes of service of :mod:`~skyedge.layers.mesh.traffic.qos`, and what in them is in vain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skyedge.errors import nearest
from skyedge.kube import Manifests
from skyedge.kube import traffic_classes as kube
from skyedge.kube.istio_values import seconds
from skyedge.layers.mesh.reading.names import say_namespace_unused
from skyedge.layers.mesh.reading.routes import Routes
from skyedge.layers.mesh.reading.workloads import Workload
from skyedge.layers.mesh.traffic import ClassRule, Discipline, ServiceClasses


def read_classes(manifests: Manifests, written_routes: Sequence[Routes]) -> ServiceClasses:
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
    routes = {rule.name for one in written_routes for rule in one.shown.thing.http if rule.name}
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


def check_classes(manifests: Manifests, workloads: Sequence[Workload], warnings: list[str]) -> None:
    """Say which classes no request is of, which rules no request meets, and which namespace says nothing.

    Args:
        workloads: whoever may call.
    """
    for manifest in manifests.of(kube.TrafficClasses):
        say_namespace_unused(manifest, "classes of service", warnings)
        spec = manifest.object.spec
        given = {rule.class_ for rule in spec.rules} | {spec.default or spec.classes[-1].name}
        for number, one in enumerate(spec.classes):
            if one.name not in given:
                place = manifest.place("spec", "classes", number)
                warnings.append(f"{place}: no request is of the class '{one.name}', as no rule gives it")
        for number, rule in enumerate(spec.rules):
            taken = next((at for at in range(number) if _takes(spec.rules[at], rule)), None)
            if taken is not None:
                place = manifest.place("spec", "rules", number)
                warnings.append(f"{place}: never met, as rules[{taken}] takes every request that it would")
            elif rule.caller_labels and not _somebody_carries(rule.caller_labels, workloads):
                place = manifest.place("spec", "rules", number, "callerLabels")
                warnings.append(f"{place}: nobody carries {_in_words(rule.caller_labels, workloads)}")


def _takes(earlier: kube.TrafficClassRule, later: kube.TrafficClassRule) -> bool:
    """Whether a rule takes every request that another one would."""
    asked, of_later = ({name.lower(): value for name, value in one.headers.items()} for one in (earlier, later))
    same_routes = not earlier.routes or (bool(later.routes) and set(later.routes) <= set(earlier.routes))
    return asked.items() <= of_later.items() and earlier.caller_labels.items() <= later.caller_labels.items() and same_routes


def _somebody_carries(labels: Mapping[str, str], workloads: Sequence[Workload]) -> bool:
    return any(labels.items() <= one.labels.items() for one in workloads)


def _in_words(labels: Mapping[str, str], workloads: Sequence[Workload]) -> str:
    """``app: wbe (did you mean 'web'?)``, with the nearest value, or label, that somebody has."""
    for name, value in labels.items():
        values = {one.labels[name] for one in workloads if name in one.labels}
        if value not in values:
            right = nearest(value, sorted(values))
            if not values:
                right = nearest(name, sorted({label for one in workloads for label in one.labels}))
            return f"{name}: {value}" + (f" (did you mean '{right}'?)" if right is not None else "")
    return "all of these labels"
