"""From manifests to what the scheduler knows: a snapshot and a configuration."""

from skyedge.layers.scheduler.reading.cluster import Reading, read_cluster
from skyedge.layers.scheduler.reading.configuration import read_configuration

__all__ = ["Reading", "read_cluster", "read_configuration"]
