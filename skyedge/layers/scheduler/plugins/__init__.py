"""The plugins by the name under which a configuration asks for them; each is loaded when it is asked for."""

from __future__ import annotations

from typing import Final

PLUGINS: Final[dict[str, str]] = {
    name: f"{__name__}.{place}"
    for name, place in {
        "bestfit": "bestfit:BestFit",
        "binpack": "binpack:Binpack",
        "capacity": "capacity:Capacity",
        "conformance": "conformance:Conformance",
        "deviceshare": "deviceshare:DeviceShare",
        "dot-product": "bestfit:DotProduct",
        "drf": "drf:Drf",
        "fgd": "fgd:Fgd",
        "gang": "gang:Gang",
        "gpu-clustering": "gpu_baselines:GpuClustering",
        "gpu-packing": "gpu_baselines:GpuPacking",
        "network-topology-aware": "network_topology_aware:NetworkTopologyAware",
        "nodeorder": "nodeorder:NodeOrder",
        "overcommit": "overcommit:Overcommit",
        "predicates": "predicates:Predicates",
        "priority": "priority:Priority",
        "processors": "processors:Processors",
        "proportion": "proportion:Proportion",
        "random": "gpu_baselines:RandomNode",
        "seeded-ties": "gpu_baselines:SeededTies",
        "sla": "sla:Sla",
        "task-topology": "task_topology:TaskTopology",
        "tdm": "tdm:Tdm",
        "usage": "usage:Usage",
        "worstfit": "bestfit:WorstFit",
    }.items()
}
