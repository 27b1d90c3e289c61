"""Links between satellites: the +Grid of a Walker shell, how long its links are, and whether the Earth is in the way.

In a +Grid every satellite keeps four links for good: to the one before and behind in its plane, and to one neighbour in
each plane beside it.  What changes is only how long they are.  Which neighbour that is, where planes are ahead of one
another, is a choice (:data:`NEIGHBOURS`), and either closes over the seam, where the last plane meets the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.space.constellation import WalkerShell
from skyedge.space.frames import EQUATORIAL_RADIUS_KM, LIGHT_KM_S

LOWEST_KM = 80.0
"""No link dips below this height: the weather is there (Kassing et al. 2020, "Exploring the Internet from space")."""
_FEWEST = 3

NEIGHBOURS = ("row", "slot")
"""Who is linked to whom between planes:

- ``row``: satellites of one rank, counted from the node on; rows stay level, as Hypatia has them;
- ``slot``: the same slot in the next plane; every link then leans by the phase between two planes.
"""

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def plus_grid(shell: WalkerShell, neighbours: str = "row", *, where: object = None) -> Rows:
    """The links of a +Grid as pairs of satellites, (links, 2), lower number first, in ascending order.

    Exactly two a satellite.  In a ``star`` pattern the first and the last plane fly against one another and are not
    linked, which leaves out one link for each slot.

    Raises:
        InputError: if there are fewer than three planes or three satellites in a plane, or ``neighbours`` is unknown.
    """
    if neighbours not in NEIGHBOURS:
        hint = nearest(neighbours, NEIGHBOURS)
        raise InputError(f"unknown neighbours '{neighbours}': row or slot is meant", where=where, nearest=hint)
    planes, slots = shell.planes, shell.total // shell.planes
    if planes < _FEWEST or slots < _FEWEST:
        raise InputError(
            f"a +Grid needs {_FEWEST} planes of {_FEWEST} satellites at least, not {planes} of {slots}", where=where
        )
    plane, slot = np.divmod(np.arange(shell.total), slots)
    ahead = plane * slots + (slot + 1) % slots
    beside = (plane + 1) % planes * slots + (slot + _steps(shell, neighbours)[plane]) % slots
    pairs = np.stack([np.tile(np.arange(shell.total), 2), np.concatenate([ahead, beside])], axis=1)
    if shell.pattern == "star":
        pairs = pairs[: shell.total * 2 - slots]  # those of the last plane come last
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.intp)


def _steps(shell: WalkerShell, neighbours: str) -> NDArray[np.int64]:
    """How many slots further the neighbour in the next plane is, (planes,).

    Plane p is ahead of the first by f p / planes slots.  After the last plane comes the first again, whose slots are then
    f further: that is the offset of the seam.  Rows take the whole slots out as they come up.
    """
    plane = np.arange(shell.planes + 1)
    whole = shell.phasing * plane // shell.planes
    steps = -np.diff(whole) if neighbours == "row" else np.zeros(shell.planes, np.int64)
    if shell.pattern == "delta":
        steps[-1] += shell.phasing
    return np.asarray(steps, np.int64)


def lengths_km(positions_km: Floats, links: Rows) -> Floats:
    """Lengths (..., links) between satellites at ``positions_km`` (..., satellites, 3)."""
    across = positions_km[..., links[:, 1], :] - positions_km[..., links[:, 0], :]
    return np.sqrt(np.einsum("...i,...i", across, across))


def lowest_points_km(positions_km: Floats, links: Rows) -> Floats:
    """Height (..., links) over a sphere of the Earth's equatorial radius at which each link passes lowest."""
    first, across = positions_km[..., links[:, 0], :], positions_km[..., links[:, 1], :] - positions_km[..., links[:, 0], :]
    square = np.maximum(np.einsum("...i,...i", across, across), 1e-12)
    share = np.clip(-np.einsum("...i,...i", first, across) / square, 0.0, 1.0)
    nearest_point = first + share[..., None] * across
    return np.linalg.norm(nearest_point, axis=-1) - EQUATORIAL_RADIUS_KM


def delays_s(length_km: Floats) -> Floats:
    """One-way delay of light in a vacuum along links of ``length_km``, in its shape."""
    return np.asarray(length_km / LIGHT_KM_S)
