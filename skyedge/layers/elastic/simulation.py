"""A whole run of an elastic pool over columns of work, and a burst of instances without any."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.layers.elastic.autoscaler import Autoscaler
from skyedge.layers.elastic.bill import Bill, InstanceTable
from skyedge.layers.elastic.launching import Launcher, Timeline
from skyedge.layers.elastic.pool import ElasticPool
from skyedge.layers.elastic.profile import PoolProfile
from skyedge.time import FOREVER, SECOND, Instant


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the work; columns (items,) in the order given, FOREVER where it was not done in time."""

    begun_us: NDArray[np.int64]
    finished_us: NDArray[np.int64]
    waited_s: NDArray[np.float64]  # from arrival to completion; infinite where it was not done
    instances: InstanceTable
    bill: Bill
    size_at_us: NDArray[np.int64]
    size: NDArray[np.int64]  # instances that are ready, from each of these instants on


def simulate(
    at_us: ArrayLike,
    work_s: ArrayLike,
    profile: PoolProfile,
    autoscaler: Autoscaler,
    *,
    start: Instant,
    end: Instant,
    name: str = "pool",
    seed: int = 0,
) -> Outcome:
    """Run a pool from ``start`` to ``end``.

    Args:
        at_us: when each item arrives, (items,).
        work_s: seconds of work of one instance in each, (items,).
        profile: of the pool.
        autoscaler: a fresh one.
        start: of the billing.
        end: of it; what is not done then stays undone.
        name: keys the random streams with ``seed``.
        seed: of the run.
    """
    arrived = np.asarray(at_us, np.int64)
    pool = ElasticPool(profile, autoscaler, name=name, seed=seed, start=start)
    pool.offer(np.arange(len(arrived)), arrived, work_s, start)
    done = pool.advance(end)
    begun, finished = (np.full(len(arrived), FOREVER, np.int64) for _ in range(2))
    begun[done.item], finished[done.item] = done.begun_us, done.finished_us
    waited_s = np.where(finished < FOREVER, (finished - arrived) / SECOND, math.inf)
    return Outcome(begun, finished, waited_s, pool.instances(), pool.bill(), *pool.size_log())


def burst(profile: PoolProfile, instances: int, *, name: str = "burst", seed: int = 0) -> Timeline:
    """Milestones of so many instances asked for at once at time zero of a platform that is at rest.

    The quota is lifted: the question is how fast, not whether.
    """
    start_up = profile.start_up.model_copy(update={"quota": max(instances, 1)})
    timeline, _ = Launcher(start_up, profile.image, name=name, seed=seed).launch(instances, 0)
    return timeline


def seconds_until(milestone_us: NDArray[np.int64], count: int) -> float:
    """When the ``count``-th of some milestones is reached, seconds; infinite if there are fewer."""
    if count > len(milestone_us):
        return math.inf
    return float(np.partition(milestone_us, count - 1)[count - 1]) / SECOND if count else 0.0
