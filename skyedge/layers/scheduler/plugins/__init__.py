"""The plugins by the name under which a configuration asks for them."""

from __future__ import annotations

from importlib import import_module

from skyedge.layers.scheduler.plugin import Plugin

_CLASSES = {
    "binpack": "binpack.Binpack",
    "capacity": "capacity.Capacity",
    "conformance": "conformance.Conformance",
    "deviceshare": "deviceshare.DeviceShare",
    "drf": "drf.Drf",
    "gang": "gang.Gang",
    "network-topology-aware": "network_topology_aware.NetworkTopologyAware",
    "nodeorder": "nodeorder.NodeOrder",
    "overcommit": "overcommit.Overcommit",
    "predicates": "predicates.Predicates",
    "priority": "priority.Priority",
    "processors": "processors.Processors",
    "proportion": "proportion.Proportion",
    "sla": "sla.Sla",
    "task-topology": "task_topology.TaskTopology",
    "tdm": "tdm.Tdm",
    "usage": "usage.Usage",
}


def _load(place: str) -> type[Plugin]:
    module, _, name = place.partition(".")
    cls: type[Plugin] = getattr(import_module(f"{__name__}.{module}"), name)
    return cls


PLUGINS: dict[str, type[Plugin]] = {name: _load(place) for name, place in _CLASSES.items()}
