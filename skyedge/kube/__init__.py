"""Kubernetes-style manifests to typed objects: what the control plane reads, as people have it in their files.

:func:`read_manifests` reads files, :mod:`~skyedge.kube.registry` says which kinds there are, and a kind is a frozen struct
in :mod:`~skyedge.kube.pods`, :mod:`~skyedge.kube.cluster`, :mod:`~skyedge.kube.volcano`, :mod:`~skyedge.kube.services`,
:mod:`~skyedge.kube.workloads`, or one of the ``istio_`` and ``karmada`` modules.
"""

from skyedge.kube.reading import Manifest, Manifests, parse_manifests, read_manifests, scheduler_configurations
from skyedge.kube.registry import FEDERATION, MESH, SCHEDULING, Kind

__all__ = [
    "FEDERATION",
    "MESH",
    "SCHEDULING",
    "Kind",
    "Manifest",
    "Manifests",
    "parse_manifests",
    "read_manifests",
    "scheduler_configurations",
]
