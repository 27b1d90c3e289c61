"""What the ground can know before the flight of the pictures that each pass will land.

Known are the plan of passes, the link's nominal rate, when the camera is planned to take pictures and how large they are.
Not known are clouds, the fortune of a pass, and what a miner will find worth sending: for these stands one share.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skyedge.experiment.world import World
from skyedge.layers.elastic import Outlook, PoolProfile


def outlook_of(
    world: World, picture_bytes: float, expected_share: float, seconds_per_picture: float, profile: PoolProfile
) -> Outlook:
    """The work that each pass should land, against time.

    A satellite's queue is filled by its planned captures, of which ``expected_share`` is thought to come down, and emptied
    by its passes at their nominal rate; what is taken during a pass goes down with it.  A pass that lands nothing is left
    out, and one that has landed all it will is over then: nobody needs an instance for the rest of it.  No queue expires.
    """
    plan = world.plan
    nominal = plan.curve_bytes / plan.pass_yield[np.repeat(np.arange(len(plan)), np.diff(plan.offsets))]
    times: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(plan)
    landed: list[NDArray[np.float64]] = [np.empty(0)] * len(plan)
    for satellite in range(len(plan.satellite_names)):
        captured_at = np.sort(world.scenes.captured_at[world.scenes.satellite == satellite])
        gone = 0.0
        for session in np.flatnonzero(plan.satellite == satellite):
            rows = slice(plan.offsets[session], plan.offsets[session + 1])
            at, carried = plan.curve_times_us[rows], nominal[rows] - nominal[rows][0]
            captures = np.searchsorted(captured_at, at, side="right")
            queue = np.maximum(captures * (expected_share * picture_bytes) - gone, 0.0)
            # Since any earlier moment of the pass no more has landed than waited then and the link could carry since.
            bytes_ = np.maximum(carried + np.minimum.accumulate(np.minimum(queue - carried, 0.0)), 0.0)
            gone += float(bytes_[-1])
            if bytes_[-1] > 0:
                over = int(np.argmax(bytes_ >= bytes_[-1])) + 1
                times[session], landed[session] = at[:over], bytes_[:over]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in times if len(part)])]).astype(np.intp)
    work_s = np.concatenate([np.empty(0), *landed]) * (seconds_per_picture / picture_bytes)
    known = Outlook(offsets, np.concatenate([np.empty(0, np.int64), *times]), work_s, 0.0)
    largest = int(known.instances(0.0).max(initial=1))
    return replace(known, cold_start_s=profile.cold_start_s(max(1, largest)))
