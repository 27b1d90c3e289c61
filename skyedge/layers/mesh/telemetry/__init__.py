"""What traffic looks like from outside: golden signals, who calls whom, traces, and metrics for Prometheus.

All of it is read from the columns that :mod:`~skyedge.layers.mesh.traffic` leaves; nothing is counted twice or elsewhere.
"""

from skyedge.layers.mesh.telemetry.golden_signals import Signals, by_class, by_edge, by_service, by_subset
from skyedge.layers.mesh.telemetry.prometheus import exposition
from skyedge.layers.mesh.telemetry.topology import Topology, as_dot, as_mermaid, topology
from skyedge.layers.mesh.telemetry.traces import traces

__all__ = [
    "Signals",
    "Topology",
    "as_dot",
    "as_mermaid",
    "by_class",
    "by_edge",
    "by_service",
    "by_subset",
    "exposition",
    "topology",
    "traces",
]
