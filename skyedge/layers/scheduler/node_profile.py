"""What a node keeps for itself before a pod may have the rest: with its services on the host or on a card, plain or secure.

CCE Turbo (Huawei QingTian), AWS Nitro and Azure AccelNet move storage, network and the container engine from the host's
processor to a card, and run containers in small virtual machines (Kata).  None of that can be measured on a laptop, so it
stands here as figures, each with who says so in :data:`SOURCES`; where nobody does, it says *assumed*.  A result that
rests on them is modelled, and should name those that decide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class NodeShape:
    """The bare machine."""

    cores: float = 32.0
    memory_bytes: int = 128 * GIB
    line_rate_gbps: float = 25.0


@dataclass(frozen=True)
class NodeServices:
    """What storage, network, container engine and agents take, wherever they run.

    ``cpu_share`` is of the host's cores and ``price_share`` of the bare machine's price.  ``network_efficiency`` is the
    share of the line rate that reaches a pod; ``latency_us`` is from pod to pod, one way.
    """

    cpu_share: float
    memory_bytes: int
    network_efficiency: float
    latency_us: float
    price_share: float


@dataclass(frozen=True)
class ContainerRuntime:
    """What one pod takes beyond what it asked for, and how long it takes to start, its image being there."""

    pod_cores: float
    pod_memory_bytes: int
    start_s: float


ON_HOST = NodeServices(0.125, int(9.32 * GIB), 0.60, 26.0, 0.0)
"""Everything in software on the host's processor."""

ON_CARD = NodeServices(0.02, 4 * GIB, 1.0, 15.0, 0.10)
"""Storage, network and container engine on a card of its own."""

PLAIN = ContainerRuntime(0.0, 0, 0.3)
"""Processes in cgroups (runc)."""

SECURE = ContainerRuntime(0.25, 160 * MIB, 1.0)
"""A small virtual machine around each pod (Kata)."""

SOURCES: Mapping[str, str] = {
    "node": "assumed: a common shape of a two-socket server's half, 4 GiB a core",
    "on_host.cpu_share": "10 to 15 % of the host for Xen's dom0 before Nitro (system-knowledge.pages.dev, secondary); "
    "others say up to 30 % (awsi.click, pingdo.net, secondary)",
    "on_host.memory_bytes": "what Google Kubernetes Engine reserves of 128 GiB: 25, 20, 10, 6 % of 4, 4, 8, 112 GiB",
    "on_host.network_efficiency": "1 / 1.66: what a key-value store gained without it (Zhuo et al., Slim, NSDI 2019)",
    "on_host.latency_us": "15 us / (1 - 0.42): the latency that went with the overlay (Zhuo et al., Slim, NSDI 2019)",
    "on_host.price_share": "nothing is bought",
    "on_card.cpu_share": "under 2 % of the host on Nitro (system-knowledge.pages.dev, secondary)",
    "on_card.memory_bytes": "assumed: kernel, kubelet and what of the engine stays",
    "on_card.network_efficiency": "no loss in Cloud Native Network 2.0 (Huawei Cloud, CCE user guide, vendor)",
    "on_card.latency_us": "under 15 us between virtual machines (Firestone et al., AccelNet, NSDI 2018)",
    "on_card.price_share": "assumed",
    "plain.pod_cores": "a process needs no machine of its own",
    "plain.pod_memory_bytes": "a process needs no machine of its own",
    "plain.start_s": "assumed",
    "secure.pod_cores": "250m, the pod overhead of kata-deploy (Kata Containers)",
    "secure.pod_memory_bytes": "160Mi, the pod overhead of kata-deploy (Kata Containers)",
    "secure.start_s": "assumed; the machine alone boots in 0.125 s (Firecracker's specification)",
}
"""Who says so, by profile and field."""


def allocatable(node: NodeShape, services: NodeServices) -> tuple[float, int]:
    """Cores and bytes of memory that are left for pods."""
    return node.cores * (1 - services.cpu_share), node.memory_bytes - services.memory_bytes


def pod_network_gbps(node: NodeShape, services: NodeServices) -> float:
    """The most that all pods of a node can send together, Gb/s."""
    return node.line_rate_gbps * services.network_efficiency
