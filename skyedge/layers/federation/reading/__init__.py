"""From manifests to what a federation decides over: clusters, workloads under their policies, overrides."""

from skyedge.layers.federation.reading.federation import FederationReading, read_federation

__all__ = ["FederationReading", "read_federation"]
