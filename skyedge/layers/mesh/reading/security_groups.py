"""``SecurityGroup`` to the groups of :mod:`~skyedge.layers.mesh.admission`, every name checked."""

from __future__ import annotations

from collections.abc import Sequence

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import security_groups as kube
from skyedge.layers.mesh.admission import Ingress, SecurityGroup
from skyedge.layers.mesh.reading.names import say_namespace_unused
from skyedge.layers.mesh.reading.workloads import Workload


def read_security_groups(
    manifests: Manifests, workloads: Sequence[Workload], warnings: list[str]
) -> tuple[SecurityGroup, ...]:
    """All of them, by name.

    Args:
        workloads: whoever may be a member.
        warnings: is told of namespaces, which say nothing here.

    Raises:
        InputError: if one is there twice, has no members, or lets in a group that there is not.
    """
    named: dict[str, Manifest[kube.SecurityGroup]] = {}
    for manifest in manifests.of(kube.SecurityGroup):
        first = named.setdefault(manifest.object.metadata.name, manifest)
        if first is not manifest:
            message = f"there is a SecurityGroup '{manifest.object.metadata.name}' already: {first.place()}"
            raise manifest.error(("metadata", "name"), message)
        say_namespace_unused(manifest, "security groups", warnings)
    return tuple(_group(named[name], named, workloads) for name in sorted(named))


def _group(
    manifest: Manifest[kube.SecurityGroup], named: dict[str, Manifest[kube.SecurityGroup]], workloads: Sequence[Workload]
) -> SecurityGroup:
    spec = manifest.object.spec
    ingress: list[Ingress] = []
    for number, rule in enumerate(spec.ingress):
        if rule.group and rule.group not in named:
            path = ("spec", "ingress", number, "group")
            raise manifest.error(path, f"there is no SecurityGroup '{rule.group}'", nearest(rule.group, named))
        ingress += [Ingress(rule.group, rule.network, first, last, rule.protocol) for first, last in rule.ranges]
    group = SecurityGroup(manifest.object.metadata.name, spec.selector.wanted, tuple(ingress))
    if not any(group.has(one.labels) for one in workloads):
        words = {f"{label}={value}" for one in workloads for label, value in one.labels.items()}
        missing = [f"{label}={value}" for label, value in sorted(group.members.items())]
        wrong = next((word for word in missing if word not in words), None)
        said = f"nothing that runs has {wrong or 'all of these'}, so the group has no members"
        raise manifest.error(("spec", "selector"), said, nearest(wrong, words) if wrong else None)
    return group
