"""The answers that a cluster has, by zone, and what it has heard of those of others: only the newest of a zone counts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from skyedge.time import Instant

NOTHING: Instant = -1
"""The time of a picture where there is no answer."""


class AnswerStore:
    """One cluster's view of the newest answers.

    Args:
        owner: the cluster.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._newest: dict[str, dict[int, Instant]] = {owner: {}}

    def put(self, holder: str, zone: NDArray[np.int64], captured_at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Take note of a holder's answers, columns of one length; which of them were news about this holder."""
        known = self._newest.setdefault(holder, {})
        news = np.zeros(len(zone), bool)
        for row in np.argsort(-captured_at, kind="stable").tolist():
            here, at = int(zone[row]), int(captured_at[row])
            if at > known.get(here, NOTHING):
                known[here] = at
                news[row] = True
        return news

    def holder(self, zone: int, out: Collection[str] = ()) -> tuple[str, Instant]:
        """Who has the newest answer over a zone, and of when; the owner and :data:`NOTHING` if nobody has one.

        Of equal ones the owner's own counts, then the first by name; holders in ``out`` are passed over.
        """
        found = (self.owner, self._newest[self.owner].get(zone, NOTHING))
        for name in sorted(self._newest):
            at = self._newest[name].get(zone, NOTHING)
            if name not in out and at > found[1]:
                found = (name, at)
        return found
