"""The plugins by the name under which a configuration asks for them; each is loaded when it is asked for."""

from __future__ import annotations

from typing import Final

PLUGINS: Final[dict[str, str]] = {
    name: f"{__name__}.{place}"
    for name, place in {
        "binpack": "binpack:Binpack",
        "capacity": "capacity:Capacity",
        "conformance": "conformance:Conformance",
        "deviceshare": "deviceshare:DeviceShare",
        "drf": "drf:Drf",
        "gang": "gang:Gang",
        "network-topology-aware": "network_topology_aware:NetworkTopologyAware",
        "nodeorder": "nodeorder:NodeOrder",
        "overcommit": "overcommit:Overcommit",
        "predicates": "predicates:Predicates",
        "priority": "priority:Priority",
        "processors": "processors:Processors",
        "proportion": "proportion:Proportion",
        "sla": "sla:Sla",
        "task-topology": "task_topology:TaskTopology",
        "tdm": "tdm:Tdm",
        "usage": "usage:Usage",
    }.items()
}
