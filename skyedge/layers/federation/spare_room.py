"""Where replicas that lost their cluster may go, when all that counts is one resource: room by cluster, in a column.

For studies of thousands of moves.  What a placement policy says is looked after by
:mod:`skyedge.layers.federation.placing`; here every workload may go everywhere, first to where its data would be soonest
and then to where there is most room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.failover_events import NO_ROOM, Counts, Floats, Home, Rows


class SpareRoom:
    """Keeps the account of what is left.

    Args:
        room: of each cluster, (clusters,), in whole units.
        size: of one replica of each workload, (workloads,), in the same units.
        waits_s: how long workloads would wait for their data, (moves, clusters), of :func:`.data.seconds_to_bring`; None:
            nobody asks.
    """

    def __init__(self, room: Counts, size: Counts, waits_s: Callable[[Rows], Floats] | None = None) -> None:
        self.room = room.copy()
        self._size = size
        self._waits_s = waits_s

    def find(self, workload: Rows, replicas: Counts, closed: NDArray[np.bool_], whole: bool) -> Sequence[Sequence[Home]]:
        """See :class:`skyedge.layers.federation.failover_events.Homes`."""
        waits_s = None if self._waits_s is None else self._waits_s(workload)
        open_room = np.where(closed, 0, self.room)
        found = []
        for move, (of, wanted) in enumerate(zip(workload.tolist(), replicas.tolist(), strict=True)):
            homes = self._homes(open_room, int(self._size[of]), wanted, None if waits_s is None else waits_s[move])
            if whole and sum(count for _, count in homes) < wanted:
                for cluster, count in homes:
                    open_room[cluster] += count * int(self._size[of])
                homes = []
            for cluster, count in homes:
                self.room[cluster] -= count * self._size[of]
            found.append(homes)
        return found

    def why_not(self, workload: int) -> str:
        """There is but one reason."""
        return NO_ROOM

    def give_back(self, workload: int, cluster: int, replicas: int) -> None:
        """These replicas are not there any more."""
        self.room[cluster] += replicas * self._size[workload]

    def _homes(self, room: Counts, size: int, wanted: int, waits_s: Floats | None) -> list[Home]:
        """The soonest first, then the roomiest, then the first; ``room`` is brought up to date."""
        homes: list[Home] = []
        nearest_first = None
        if waits_s is not None:
            fits = np.flatnonzero(room >= size)
            nearest_first = iter(fits[np.lexsort((fits, -room[fits], np.round(waits_s[fits], 3)))].tolist())
        while wanted > 0:
            best = int(np.argmax(room)) if nearest_first is None else next(nearest_first, -1)
            count = min(wanted, int(room[best]) // size) if best >= 0 else 0
            if not count:
                break
            room[best] -= count * size
            wanted -= count
            homes.append((best, count))
        return homes
