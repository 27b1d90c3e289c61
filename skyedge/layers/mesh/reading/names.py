"""Short names to whole ones, and who may see what: a manifest means a name as seen from its own namespace.

A host without a dot belongs to the namespace of whoever writes it; one with a dot is taken as it stands, as Istio does, so
``reviews.shop`` is no service of Kubernetes although a program inside the cluster could call it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from skyedge.errors import nearest
from skyedge.kube import Manifest
from skyedge.kube.metadata import Metadata
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN

ROOT_NAMESPACE = "istio-system"
"""Where rules for the whole mesh stand (Istio's default)."""

Thing = TypeVar("Thing")


def namespace_of(metadata: Metadata) -> str:
    """The namespace of an object."""
    return metadata.namespace or "default"


def say_namespace_unused(manifest: Manifest[Any], what: str, warnings: list[str]) -> None:
    """Say that an object of the whole mesh names a namespace, if it does; ``what`` is its sort, in the plural."""
    if manifest.object.metadata.namespace:
        warnings.append(f"{manifest.place('metadata', 'namespace')}: not used, as {what} are of the whole mesh")


def age(metadata: Metadata) -> tuple[str, str, str]:
    """Puts the oldest first; what says nothing of its age was made just now, and comes after what was there."""
    return metadata.creation_timestamp or "~", namespace_of(metadata), metadata.name


def whole_name(host: str, namespace: str) -> str:
    """The whole name of a host that was written in a namespace."""
    host = host.lower().rstrip(".")
    return host if "." in host or "*" in host else f"{host}.{namespace}.{CLUSTER_DOMAIN}"


def fits(pattern: str, host: str) -> bool:
    """Whether a whole name, or a wildcard such as ``*.shop.svc.cluster.local``, stands for ``host``, itself or a wildcard.

    A wildcard stands for at least one character, but also for itself.
    """
    if pattern == host:
        return True
    return pattern.startswith("*") and host.endswith(pattern[1:]) and (host.startswith("*") or len(host) >= len(pattern))


def most_precise(patterns: Iterable[str], host: str) -> str | None:
    """Of the patterns that fit a host the one written out, or else the longest."""
    fitting = [pattern for pattern in patterns if fits(pattern, host)]
    return max(fitting, key=lambda pattern: (not pattern.startswith("*"), len(pattern), pattern), default=None)


def right_host(host: str, namespace: str, known: Sequence[str]) -> str | None:
    """The service that was probably meant by a name that is none, as it should be written in ``namespace``."""
    for whole in (f"{host}.{CLUSTER_DOMAIN}", host.replace(".svc", f".{CLUSTER_DOMAIN}")):
        if whole in known:
            return whole
    ending = f".{namespace}.{CLUSTER_DOMAIN}"
    here = {name.removesuffix(ending): name for name in known if name.endswith(ending)}
    short = host.removesuffix(ending)
    close = nearest(short, here)
    if close is not None:
        return close if "." not in short else here[close]
    elsewhere = [name for name in known if "." not in short and name.startswith(f"{short}.")]
    return min(elsewhere) if elsewhere else nearest(host, known)


@dataclass(frozen=True)
class Shown(Generic[Thing]):
    """Something, and the namespaces that it is shown to (``exportTo``); to all if none is said."""

    thing: Thing
    namespace: str
    to: frozenset[str] = frozenset()

    def seen_from(self, namespace: str) -> bool:
        """Whether somebody in a namespace sees it."""
        if not self.to or "*" in self.to or namespace in self.to:
            return True
        return "." in self.to and namespace == self.namespace
