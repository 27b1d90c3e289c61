"""What the ground foretells of a pass: never more than the link carries, nor than was photographed."""

import numpy as np
import pytest

from skyedge.experiment.forecast import outlook_of
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.world import make_world
from skyedge.layers.elastic import PoolProfile

PICTURE_BYTES = 4.5e6


@pytest.fixture(scope="module")
def world():
    return make_world(load_experiment("slice", ["time.duration=2d"]), 0)


def foretold(world, share=1.0, picture_bytes=PICTURE_BYTES):
    return outlook_of(world, picture_bytes, share, 1.0, PoolProfile())


def test_no_more_work_is_foretold_than_pictures_are_planned(world):
    pictures = foretold(world).total_work_s()
    last_pass = world.plan.closes_us.max()
    planned = int((world.scenes.captured_at <= last_pass).sum())
    assert 0.9 * planned < pictures <= planned  # what is taken at the very end of the last pass waits


def test_half_the_share_is_half_the_work(world):
    assert foretold(world, 0.5).total_work_s() == pytest.approx(0.5 * foretold(world).total_work_s(), rel=0.02)
    assert len(foretold(world, 0.0)) == 0


def test_large_pictures_fill_every_pass_and_no_pass_carries_more_than_its_link(world):
    plan, huge = world.plan, foretold(world, picture_bytes=1e12)
    nominal = plan.volumes_bytes() / plan.pass_yield
    assert huge.total_work_s() * 1e12 <= nominal.sum() * (1 + 1e-9)
    assert huge.total_work_s() * 1e12 > 0.9 * nominal.sum()


def test_a_pass_is_over_when_it_has_landed_all(world):
    outlook = foretold(world)
    for first, last in zip(outlook.offsets, outlook.offsets[1:], strict=False):
        assert last - first >= 2
        work = outlook.work_s[first:last]
        assert work[0] == 0
        assert (np.diff(work) >= 0).all()
        assert work[-1] > work[-2]
