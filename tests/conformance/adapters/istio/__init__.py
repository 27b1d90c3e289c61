"""Istio's and Envoy's cases, for ``skyedge.layers.mesh``: a module for each subject."""

from __future__ import annotations

from collections.abc import Callable

from . import access, balancing, conditions, hosts, localities, manifests, policies, repeats, routes, visibility
from .fields import Answer, Given, written_out

Adapter = Callable[[Given], Answer]


def reading_short_forms(adapter: Adapter) -> Adapter:
    """The same adapter for an input in which something long may be written short."""
    return lambda given: adapter(written_out(given))


SUBJECTS: dict[str, Adapter] = {
    **conditions.ADAPTERS,
    **routes.ADAPTERS,
    **localities.ADAPTERS,
    **balancing.ADAPTERS,
    **policies.ADAPTERS,
    **manifests.ADAPTERS,
    **hosts.ADAPTERS,
    **repeats.ADAPTERS,
    **visibility.ADAPTERS,
    **access.ADAPTERS,
}
ADAPTERS = {kind: reading_short_forms(adapter) for kind, adapter in SUBJECTS.items()}
