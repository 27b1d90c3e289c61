"""Kubernetes-style manifests to typed objects: what the control plane reads, as people have it in their files.

:func:`read_manifests` reads files, :mod:`~skyedge.kube.registry` says which kinds there are, and a kind is a frozen struct
in :mod:`~skyedge.kube.pods`, :mod:`~skyedge.kube.cluster` or :mod:`~skyedge.kube.volcano`.
"""

from skyedge.kube.reading import Manifest, Manifests, parse_manifests, read_manifests, scheduler_configurations
from skyedge.kube.registry import SCHEDULING, Kind

__all__ = [
    "SCHEDULING",
    "Kind",
    "Manifest",
    "Manifests",
    "parse_manifests",
    "read_manifests",
    "scheduler_configurations",
]
