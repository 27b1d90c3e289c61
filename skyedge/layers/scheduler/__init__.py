"""The batch scheduler: who runs where and when, by Volcano's rules, over columns.

``schedule(snapshot, configuration)`` decides one cycle.  A snapshot is made by ``take_snapshot`` from plain objects.
"""

from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import DEFAULT, Configuration, PluginOption, configuration_from, tiers_of
from skyedge.layers.scheduler.decision import Decision, schedule
from skyedge.layers.scheduler.snapshot import take_snapshot

__all__ = [
    "DEFAULT",
    "Configuration",
    "Decision",
    "PluginOption",
    "Snapshot",
    "configuration_from",
    "schedule",
    "take_snapshot",
    "tiers_of",
]
