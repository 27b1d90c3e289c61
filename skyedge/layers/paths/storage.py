"""Earliest delivery when nodes can store: contact-graph routing over snapshots, from every node and every step at once.

Contact-graph routing (Fraire, De Jonckère and Burleigh 2021) looks for the earliest arrival over a plan of contacts.  Here
the plan is a row of snapshots, and the search runs backwards in time.  In one step, which is longer than any way over
links, data reaches every node that is connected to its own; so it either comes to a sink in this step, by the shortest
way, or waits where the next step is best:

    E_t(v) = min( D_t(v),  step + min E_{t+1}(u) over the u connected to v at t ).

That is exact for these snapshots if links carry all that is asked; volumes are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, dijkstra

from skyedge.errors import InputError
from skyedge.layers.paths.shortest import graph_of
from skyedge.space.topology import Snapshot
from skyedge.time import SECOND

Floats = NDArray[np.float64]


def earliest_delivery(latest_first: Iterable[Snapshot], sinks: NDArray[np.intp]) -> Floats:
    """Seconds from each snapshot to the earliest arrival at a sink, from every node: (snapshots, nodes).

    Snapshots come, and rows go, from the latest to the earliest.  What does not arrive before the end is infinite.

    Raises:
        InputError: if two snapshots lie nearer than the longest shortest way, so that the step would not bridge it.
    """
    rows: list[Floats] = []
    after: Snapshot | None = None
    for snapshot in latest_first:
        graph = graph_of(snapshot)
        best = np.asarray(dijkstra(graph, indices=sinks, min_only=True))
        if after is not None:
            step_s = (after.at - snapshot.at) / SECOND
            # Twice the longest way to a sink bounds the way between any two nodes that reach one.
            if 2 * best[np.isfinite(best)].max(initial=0.0) > step_s:
                raise InputError(f"steps of {step_s:g} s are too short: data may be longer on its way over links")
            count, part = connected_components(graph, directed=False)
            soonest = np.full(count, np.inf)
            np.minimum.at(soonest, part, rows[-1])
            best = np.minimum(best, step_s + soonest[part])
        rows.append(best)
        after = snapshot
    return np.array(rows)
