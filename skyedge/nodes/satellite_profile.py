"""What a satellite is made of in one run: all that is fixed, and nothing that changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.inference.cloud_filter import CloudFilter
from skyedge.inference.miners import Miner
from skyedge.time import Instant


@dataclass(frozen=True)
class OnBoardModel:
    """A network in orbit and what one scene costs there."""

    model: str
    seconds_per_scene: float
    joules_per_scene: float


@dataclass(frozen=True, eq=False)
class Session:
    """A pass as the satellite plans it: until when, and how many bytes up to which instant."""

    closes_at: Instant
    times_us: NDArray[np.int64]
    cumulative_bytes: NDArray[np.float64]
    retransmitted_share: float
    light_time_us: int


@dataclass(frozen=True, eq=False)
class SatelliteProfile:
    """All that is fixed about a satellite in one run.

    ``strips`` are the planned captures: when a strip is complete, and its scenes.  Without a ``model`` every scene is
    queued as it was taken, the bent pipe.  ``captured_at`` and ``worth_sending`` are indexed by scene.
    """

    name: str
    seed: int
    strips: tuple[tuple[Instant, NDArray[np.int32]], ...]
    captured_at: NDArray[np.int64]
    cloud_network: OnBoardModel | None
    cloud_filter: CloudFilter | None
    model: OnBoardModel | None
    miner: Miner | None
    mine_first: bool
    worth_sending: NDArray[np.bool_] | None
    temperature: float
    scene_bytes: int
    result_bytes: int
    scene_expiry_us: int
    result_expiry_us: int
    storage_bytes: int
    transfer_burst_us: int
    transmit_w: float
    reboot_us: int
    sessions: dict[int, Session]
