"""Paths through a constellation: which links a packet takes, how long it is on its way, and when the path changes.

Pure functions over :class:`~skyedge.space.topology.Snapshot`: :mod:`~skyedge.layers.paths.shortest` looks at one instant,
:mod:`~skyedge.layers.paths.following` goes along in time, and :mod:`~skyedge.layers.paths.storage` lets satellites keep
what they cannot send yet.
"""

from skyedge.layers.paths.following import Journey, follow
from skyedge.layers.paths.shortest import Route, delays_to_each, delays_to_nearest, shortest
from skyedge.layers.paths.storage import earliest_delivery

__all__ = ["Journey", "Route", "delays_to_each", "delays_to_nearest", "earliest_delivery", "follow", "shortest"]
