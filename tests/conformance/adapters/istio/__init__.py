"""Istio's and Envoy's cases, for ``skyedge.layers.mesh``: a module for each subject."""

from __future__ import annotations

from . import balancing, conditions, hosts, localities, manifests, policies, routes

ADAPTERS = {
    **conditions.ADAPTERS,
    **routes.ADAPTERS,
    **localities.ADAPTERS,
    **balancing.ADAPTERS,
    **policies.ADAPTERS,
    **manifests.ADAPTERS,
    **hosts.ADAPTERS,
}
