"""Scheduling policies by name: what ``skyedge schedule --trace --policy NAME`` and experiments choose from.

A policy is a configuration of the scheduler.  Some say nothing about the order of jobs, about queues or about gangs, only
about nodes; those can be run one pod at a time (:mod:`skyedge.layers.scheduler.packing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.configuration import DEFAULT, Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.plugin import ALWAYS, POINTS, Plugin, overrides

NODE_POINTS = frozenset({"node_order", "predicate", "predicate_now", "tie_order", "device_choice"})
"""Points at which a plugin speaks about nodes only."""


def _packing(name: str, *plugins: str | PluginOption) -> Configuration:
    """Nodes equally good are as likely as one another to be taken, as in Kubernetes, but by a seed."""
    return Configuration(("allocate",), tiers_of(("predicates", *plugins, "seeded-ties")), name)


_FIRST_COME = ("priority", "gang")  # and, where these tie, by age

POLICIES: Mapping[str, Configuration] = {
    policy.name: policy
    for policy in (
        Configuration(("allocate",), tiers_of(("predicates", "fgd")), "fgd"),
        _packing("bestfit", "bestfit"),
        _packing("worst-fit", "worstfit"),
        Configuration(("allocate",), tiers_of(("predicates", "random")), "random"),
        _packing("dot-product", "dot-product"),
        _packing("gpu-packing", "gpu-packing"),
        _packing("gpu-clustering", "gpu-clustering"),
        _packing("binpack", PluginOption("binpack", arguments={"binpack.resources": "nvidia.com/gpu"})),
        Configuration(("easy-backfill",), tiers_of(_FIRST_COME, ("predicates", "bestfit")), "easy-backfill"),
        DEFAULT,
    )
}

ALIASES = {"best-fit": "bestfit", "worstfit": "worst-fit", "dotprod": "dot-product", "volcano": "default"}


def policy(name: str) -> Configuration:
    """The policy called ``name``, or the one that the scheduler configuration file of that name holds.

    Raises:
        InputError: if there is neither.
    """
    wanted = ALIASES.get(name.lower(), name.lower())
    if wanted in POLICIES:
        return POLICIES[wanted]
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml", ".conf", ".json") or path.is_file():
        if not path.is_file():
            raise InputError("there is no such scheduler configuration", where=name)
        return _from_file(path)
    there = f"there is no policy '{name}'; there are {', '.join(POLICIES)}"
    raise InputError(there, nearest=nearest(wanted, [*POLICIES, *ALIASES]))


def looks_at_nodes_only(configuration: Configuration) -> bool:
    """Whether the policy takes pods first come, first served, and only has a say in where they go."""
    if configuration.actions != ("allocate",):
        return False
    elsewhere = [point for point in (*POINTS, *ALWAYS) if hasattr(Plugin, point) and point not in NODE_POINTS]
    plugins = [plugin for tier in configuration.plugins() for _, plugin in tier]
    return not any(overrides(plugin, point) for plugin in plugins for point in elsewhere)


def _from_file(path: Path) -> Configuration:
    # Manifests are read by a room of their own, which most policies do without.
    from skyedge.kube import read_manifests, scheduler_configurations
    from skyedge.layers.scheduler.reading import read_configuration

    manifests = read_manifests([str(path)])
    if not scheduler_configurations(manifests):
        raise InputError("there is no scheduler configuration in this", where=path)
    return replace(read_configuration(manifests), name=path.stem)
