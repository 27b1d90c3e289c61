"""The scheduler's configuration: which actions run, and which plugins are asked, tier by tier.

The form is Volcano's (actions as one string, tiers of plugins with switches and arguments), so that a configuration from
a cluster can be used as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skyedge.errors import InputError, SkyedgeError, nearest
from skyedge.layers.scheduler.guard import guarded
from skyedge.layers.scheduler.plugin import POINTS, Plugin
from skyedge.layers.scheduler.plugins import PLUGINS
from skyedge.plugins import is_import_path, load_class

ACTIONS = ("enqueue", "allocate", "backfill", "easy-backfill", "preempt", "reclaim", "shuffle")

ON_BY_DEFAULT = frozenset(POINTS) - {"hierarchy"}


@dataclass(frozen=True)
class PluginOption:
    """A plugin in a tier, with the points at which it is asked and its arguments."""

    name: str
    points: frozenset[str] = ON_BY_DEFAULT
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    """Actions in order; tiers of plugins."""

    actions: tuple[str, ...] = ("enqueue", "allocate", "backfill")
    tiers: tuple[tuple[PluginOption, ...], ...] = ()
    name: str = ""

    def plugins(self) -> list[list[tuple[PluginOption, Plugin]]]:
        """The plugins themselves, made anew for a cycle.

        Raises:
            InputError: for an unknown plugin or argument.
        """
        return [[(option, make_plugin(option)) for option in tier] for tier in self.tiers]


def make_plugin(option: PluginOption) -> Plugin:
    """The plugin that ``option`` names, one of ours or ``package.module:Class``.

    Raises:
        InputError: if there is none, or it does not know an argument.
    """
    path = option.name if is_import_path(option.name) else PLUGINS.get(option.name)
    if path is None:
        raise InputError(f"there is no plugin '{option.name}'", nearest=nearest(option.name, PLUGINS))
    cls = load_class(path)
    if path == option.name:
        return _brought(cls, option)
    ours: Plugin = cls(option.arguments, "hierarchy" in option.points)
    return ours


def _brought(cls: type[Any], option: PluginOption) -> Plugin:
    """A plugin that a user has brought, which is checked at every step."""
    if not issubclass(cls, Plugin):
        raise InputError("this is no plugin: it should be a subclass of skyedge's Plugin", where=option.name)
    try:
        plugin = cls(option.arguments, "hierarchy" in option.points)
    except SkyedgeError:
        raise
    except Exception as error:  # whatever a user's own code does
        raise InputError(f"this plugin cannot be made ({type(error).__name__}: {error})", where=option.name) from error
    return guarded(plugin, option.name)


def tiers_of(*tiers: Sequence[str | PluginOption]) -> tuple[tuple[PluginOption, ...], ...]:
    """Tiers from plain names."""
    return tuple(tuple(PluginOption(p) if isinstance(p, str) else p for p in tier) for tier in tiers)


DEFAULT = Configuration(
    tiers=tiers_of(
        ("priority", "gang", "conformance"),
        ("overcommit", "drf", "predicates", "proportion", "nodeorder"),
    ),
    name="default",
)
"""Volcano's own default."""


def configuration_from(mapping: Mapping[str, Any], *, where: object) -> Configuration:
    """A configuration from the mapping that a file holds.

    Raises:
        InputError: for an unknown action, plugin, switch or argument.
    """
    known = ("actions", "tiers", "configurations", "name")
    for key in mapping:
        if key not in known:
            raise InputError(f"a scheduler configuration has no '{key}'", where=where, nearest=nearest(str(key), known))
    said = mapping.get("actions", ", ".join(DEFAULT.actions))
    words = said.split(",") if isinstance(said, str) else said
    if not isinstance(words, list):
        raise InputError("actions: this should be words with commas between them", where=where)
    actions = tuple(str(word).strip() for word in words)
    for action in actions:
        if action not in ACTIONS:
            raise InputError(f"actions: there is no action '{action}'", where=where, nearest=nearest(action, ACTIONS))
    if "tiers" not in mapping:
        return Configuration(actions, DEFAULT.tiers, str(mapping.get("name", "")))
    tiers = mapping["tiers"]
    if not isinstance(tiers, list):
        raise InputError("tiers: this should be a list", where=where)
    parsed = []
    for number, tier in enumerate(tiers):
        plugins = tier.get("plugins") if isinstance(tier, dict) else None
        if not isinstance(plugins, list):
            raise InputError(f"tiers[{number}]: this should hold a list of 'plugins'", where=where)
        parsed.append(tuple(_option(plugin, f"tiers[{number}].plugins[{row}]", where) for row, plugin in enumerate(plugins)))
    configuration = Configuration(actions, tuple(parsed), str(mapping.get("name", "")))
    try:
        configuration.plugins()
    except InputError as error:
        raise InputError(error.message, where=error.where or where, nearest=error.nearest) from None
    return configuration


def _option(plugin: Any, path: str, where: object) -> PluginOption:
    if isinstance(plugin, str):
        plugin = {"name": plugin}
    if not isinstance(plugin, dict) or not isinstance(plugin.get("name"), str):
        raise InputError(f"{path}: this should be a plugin with a 'name'", where=where)
    switch_of = {switch.lower().replace("enabled", "enable"): point for point, switch in POINTS.items()}
    points = set(ON_BY_DEFAULT)
    for key, value in plugin.items():
        if key in ("name", "arguments"):
            continue
        point = switch_of.get(str(key).lower().replace("enabled", "enable"))
        if point is None and key not in UNUSED_SWITCHES:
            right = nearest(str(key), [*POINTS.values(), "arguments"])
            raise InputError(f"{path}: a plugin has no '{key}'", where=where, nearest=right)
        if not isinstance(value, bool):
            raise InputError(f"{path}.{key} must be true or false, not '{value}'", where=where)
        if point is not None:
            (points.add if value else points.discard)(point)
    arguments = plugin.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise InputError(f"{path}.arguments: this should be a mapping", where=where)
    return PluginOption(plugin["name"], frozenset(points), arguments)


UNUSED_SWITCHES = frozenset(
    {
        "enabledClusterOrder",
        "enableBestNode",
        "enableTargetJob",
        "enableReservedNodes",
        "enabledSubJobReady",
    }
)
"""Switches of points that no plugin here has."""
