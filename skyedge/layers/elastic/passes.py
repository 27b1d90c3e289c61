"""From a contact plan to work: which picture lands when, and what a planner knows of it beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.elastic.contact_plan import Outlook
from skyedge.layers.elastic.profile import PoolProfile
from skyedge.space.plan import ContactPlan


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Pictures that land, in order of (pass, time), columns of one length."""

    at_us: NDArray[np.int64]
    session: NDArray[np.intp]  # of the contact plan

    def __len__(self) -> int:
        return len(self.at_us)


def pictures_that_land(plan: ContactPlan, picture_bytes: float, filled: float = 1.0) -> Arrivals:
    """Every picture of ``picture_bytes`` that the passes carry when ``filled`` of what each can carry is used, first part
    first; a picture has landed when its last byte has."""
    times, sessions = [], []
    for session in range(len(plan)):
        at_us, carried = plan.curve(session)
        count = int(carried[-1] * filled // picture_bytes)
        wanted = picture_bytes * np.arange(1, count + 1)
        times.append(np.interp(wanted, carried, at_us.astype(np.float64)))
        sessions.append(np.full(count, session, np.intp))
    if not times:
        return Arrivals(np.empty(0, np.int64), np.empty(0, np.intp))
    return Arrivals(np.ceil(np.concatenate(times)).astype(np.int64), np.concatenate(sessions))


def outlook(
    plan: ContactPlan, picture_bytes: float, seconds_per_picture: float, profile: PoolProfile, *, filled: float = 1.0
) -> Outlook:
    """What is known beforehand: the work that each pass *nominally* lands, against time.

    The fortune of a pass, its yield, is not known before.  The cold start is that of the largest pass's instances, were
    none of its work to wait.
    """
    session = np.repeat(np.arange(len(plan)), np.diff(plan.offsets))
    nominal_bytes = plan.curve_bytes / plan.pass_yield[session]
    work_s = nominal_bytes * (seconds_per_picture / picture_bytes)
    work_s = np.minimum(work_s, filled * work_s[plan.offsets[1:] - 1][session])  # the first part of a pass is used
    known = Outlook(plan.offsets, plan.curve_times_us, work_s, 0.0)
    largest = int(known.instances(0.0).max(initial=1))
    return replace(known, cold_start_s=profile.cold_start_s(largest))
