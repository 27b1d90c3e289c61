"""From passes to work: what lands, what is known beforehand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.elastic import PoolProfile
from skyedge.layers.elastic.passes import outlook, pictures_that_land
from skyedge.space.plan import ContactPlan
from skyedge.time import SECOND


def plan_of(*curves: tuple[list[float], list[float], float]) -> ContactPlan:
    """Sessions of one satellite and site from (seconds, bytes, yield)."""
    lengths = [len(seconds) for seconds, _, _ in curves]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    times = np.concatenate([np.array(seconds) for seconds, _, _ in curves] or [np.empty(0)]) * SECOND
    carried = np.concatenate([np.array(bytes_, float) for _, bytes_, _ in curves] or [np.empty(0)])
    count, times = len(curves), times.astype(np.int64)
    zeros = np.zeros(count, np.intp)
    opens, closes = times[offsets[:-1]], times[offsets[1:] - 1]
    yields, degrees = np.array([y for _, _, y in curves]), np.full(count, 45.0)
    return ContactPlan(
        ("sat",), ("site",), zeros, zeros, opens, opens, closes, degrees, yields, 0 * yields, 0.1, offsets, times, carried
    )


def test_a_picture_has_landed_when_its_last_byte_has() -> None:
    arrivals = pictures_that_land(plan_of(([0, 10, 20], [0, 100, 400], 1.0)), picture_bytes=100)
    assert (arrivals.at_us / SECOND).tolist() == pytest.approx([10, 10 + 10 / 3, 10 + 20 / 3, 20])


@given(st.floats(1, 500), st.floats(0, 1))
def test_no_more_lands_than_the_passes_carry(picture_bytes: float, filled: float) -> None:
    plan = plan_of(([0, 10, 20], [0, 100, 400], 1.0), ([100, 150], [0, 1000], 0.5))
    arrivals = pictures_that_land(plan, picture_bytes, filled)
    for session, carried in enumerate(plan.volumes_bytes()):
        mine = arrivals.at_us[arrivals.session == session]
        assert len(mine) * picture_bytes <= carried * filled + 1e-6
        assert (len(mine) + 1) * picture_bytes > carried * filled - 1e-6
        at, sofar = plan.curve(session)
        # Never sooner than the curve allows.
        room = np.interp(mine.astype(float), at.astype(float), sofar)
        assert (room >= picture_bytes * np.arange(1, len(mine) + 1) * (1 - 1e-6)).all()


def test_what_is_known_beforehand_is_the_nominal_pass() -> None:
    plan = plan_of(([100, 150], [0, 1000], 0.5))
    known = outlook(plan, picture_bytes=10, seconds_per_picture=3, profile=PoolProfile())
    assert known.total_work_s() == pytest.approx(2 * 100 * 3)  # twice of what a lucky planner would have seen
    assert known.opens_us.tolist() == [100 * SECOND]
    half = outlook(plan, picture_bytes=10, seconds_per_picture=3, profile=PoolProfile(), filled=0.5)
    assert half.total_work_s() == pytest.approx(known.total_work_s() / 2)


def test_no_pass_is_no_work() -> None:
    assert len(pictures_that_land(plan_of(), 10)) == 0
    assert outlook(plan_of(), 10, 3, PoolProfile()).total_work_s() == 0
