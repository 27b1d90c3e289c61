"""Which resources the files hold, and which policy speaks for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from skyedge.kube import FEDERATION, Manifest, Manifests
from skyedge.kube.karmada import ClusterPropagationPolicy as WidePolicyManifest
from skyedge.kube.karmada import PropagationPolicy as PolicyManifest
from skyedge.kube.workloads import Propagated, WithSpec
from skyedge.layers.federation.dependencies import Reference, dependencies_of
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.policy import (
    Closeness,
    PropagationPolicy,
    Resource,
    ResourceSelector,
    choose_policy,
    closest,
)
from skyedge.layers.federation.reading.notices import Notices, doubled
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE, policy_of, rules_of

_NAMESPACED = {(word, kind.name): kind.namespaced for kind in FEDERATION for word in kind.api_versions}
_SHAPES: dict[type[Propagated], None] = {
    kind.type: None for kind in FEDERATION if kind.handed_on and issubclass(kind.type, Propagated)
}


class ResourceKey(NamedTuple):
    """What tells a resource from all others."""

    api_version: str
    kind: str
    namespace: str
    name: str


def key_of(resource: Resource) -> ResourceKey:
    """The key of a resource."""
    return ResourceKey(resource.api_version, resource.kind, resource.namespace, resource.name)


def title_of(resource: Resource) -> str:
    """As sentences call it: ``Deployment 'ground/big-model'``."""
    name = f"{resource.namespace}/{resource.name}" if resource.namespace else resource.name
    return f"{resource.kind} '{name}'"


RESERVED_NAMESPACES = re.compile(r"karmada-system|karmada-cluster|karmada-es-.*|kube-.*")
"""What lies there is a control plane's own, and no policy speaks for it (Karmada: ``--skipped-propagating-namespaces``)."""


@dataclass(frozen=True, eq=False)
class ReadResource:
    """A resource, and where it is written."""

    resource: Resource
    manifest: Manifest[Propagated]

    @property
    def reserved(self) -> bool:
        """Whether it is none of a user's."""
        return RESERVED_NAMESPACES.fullmatch(self.resource.namespace) is not None

    @cached_property
    def plain(self) -> dict[str, Any]:
        """Its whole manifest."""
        return self.manifest.plain()

    @property
    def runs_pods(self) -> bool:
        """Whether it is a workload."""
        return self.manifest.object.template is not None

    @cached_property
    def needs(self) -> dict[ResourceKey, Reference]:
        """What it refers to."""
        found: list[Reference] = dependencies_of(self.plain)
        return {ResourceKey("v1", one.kind, self.resource.namespace, one.name): one for one in found}

    @cached_property
    def owned(self) -> bool:
        """Whether another resource has made it: then that one is propagated, and not this."""
        owners = (self.plain.get("metadata") or {}).get("ownerReferences") or []
        return any(isinstance(owner, dict) and owner.get("controller") for owner in owners)


def read_resources(manifests: Manifests) -> dict[ResourceKey, ReadResource]:
    """All that can be propagated, in the order of its keys, without what others have made or what is a control plane's own.

    Raises:
        InputError: with the place, for a resource that is there twice.
    """
    found: dict[ResourceKey, ReadResource] = {}
    without = _defined_without_namespace(manifests)
    for shape in _SHAPES:
        for manifest in manifests.of(shape):
            read = ReadResource(_resource(manifest.object, without), manifest)
            key = key_of(read.resource)
            if key in found:
                raise doubled(manifest, f"a {title_of(read.resource)}", found[key].manifest)
            found[key] = read
    return {key: found[key] for key in sorted(found) if not found[key].owned and not found[key].reserved}


def _defined_without_namespace(manifests: Manifests) -> set[tuple[str, str]]:
    """Group and kind of what somebody has defined for whole clusters; what is not defined in the files has namespaces."""
    found = set()
    for manifest in manifests.of(WithSpec):
        if manifest.object.kind == "CustomResourceDefinition":
            spec = manifest.plain().get("spec") or {}
            if isinstance(spec, dict) and spec.get("scope") == "Cluster":
                names = spec.get("names") or {}
                found.add((str(spec.get("group")), str(names.get("kind")) if isinstance(names, dict) else ""))
    return found


def _resource(given: Propagated, without_namespace: set[tuple[str, str]]) -> Resource:
    metadata = given.metadata
    known = _NAMESPACED.get((given.api_version, given.kind))
    if known is None:
        known = (given.api_version.rpartition("/")[0], given.kind) not in without_namespace
    namespace = metadata.namespace or DEFAULT_NAMESPACE if known else ""
    return Resource(given.kind, metadata.name, namespace, given.api_version, metadata.labels)


@dataclass(frozen=True, eq=False)
class ReadPolicy:
    """A propagation policy, its rules, and where it is written."""

    policy: PropagationPolicy
    rules: PlacementRules
    manifest: Manifest[PolicyManifest]

    @property
    def title(self) -> str:
        """As sentences call it."""
        return f"{self.manifest.object.kind} '{self.name}'"

    @property
    def name(self) -> str:
        """As NAMESPACE/NAME, or NAME alone."""
        return f"{self.policy.namespace}/{self.policy.name}" if self.policy.namespace else self.policy.name

    @property
    def propagates_needs(self) -> bool:
        """Whether what a workload needs follows it."""
        return self.manifest.object.spec.propagate_deps or self.manifest.object.spec.association


class Policies:
    """The propagation policies, by what they can speak for.

    Raises:
        InputError: with the place, for a policy that is there twice, or an annotation that is not as it should be.
    """

    def __init__(self, manifests: Manifests) -> None:
        seen: dict[tuple[str, str], ReadPolicy] = {}
        for shape in (PolicyManifest, WidePolicyManifest):
            for manifest in manifests.of(shape):
                read = ReadPolicy(policy_of(manifest), rules_of(manifest), manifest)
                key = (read.policy.namespace, read.policy.name)
                if key in seen:
                    raise doubled(manifest, read.title, seen[key].manifest)
                seen[key] = read
        self.all = tuple(seen[key] for key in sorted(seen))
        self.matched: set[int] = set()
        """Identities of the policies that have selected any resource yet."""
        self._places: dict[tuple[str, ...], set[int]] = {}
        for place, read in enumerate(self.all):
            for selector in read.policy.selectors:
                self._places.setdefault(_shelf(selector), set()).add(place)
        self._ties: set[tuple[str, str]] = set()

    def matching(self, resource: Resource) -> Iterator[tuple[ReadPolicy, Closeness]]:
        """The policies that select the resource, and how closely."""
        kind = (resource.api_version, resource.kind)
        shelves = [kind, (*kind, resource.name), *((*kind, *label) for label in resource.labels.items())]
        for place in sorted(set().union(*(self._places.get(shelf, set()) for shelf in shelves))):
            read, policy = self.all[place], self.all[place].policy
            if policy.namespace in ("", resource.namespace):
                close = closest(policy.selectors, resource, policy.namespace)
                if close:
                    yield read, close

    def speaker(self, resource: Resource, notices: Notices) -> ReadPolicy | None:
        """The policy that speaks for the resource; a tie with another that only the name decides is said, once a pair."""
        matching = dict(self.matching(resource))
        self.matched.update(map(id, matching))
        candidates = list(matching)
        chosen = choose_policy(resource, [read.policy for read in candidates])
        if chosen is None:
            return None
        speaker = next(read for read in candidates if read.policy is chosen)
        for other in candidates:
            same = (other.policy.namespace, other.policy.priority, matching[other]) == (
                chosen.namespace,
                chosen.priority,
                matching[speaker],
            )
            pair = (speaker.title, other.title)
            if other is not speaker and same and pair not in self._ties:
                self._ties.add(pair)
                what = f"{other.title} selects {title_of(resource)} as closely and with the same priority as {speaker.title}"
                notices.say(other.manifest, ("spec", "priority"), f"{what}, which speaks for it, being first by name")
        return speaker


def _shelf(selector: ResourceSelector) -> tuple[str, ...]:
    """Where a selector is looked for: by what a resource must be to be meant by it."""
    kind = (selector.api_version, selector.kind)
    if selector.name:
        return (*kind, selector.name)
    return (*kind, *next(iter(selector.match_labels.items()), ()))
