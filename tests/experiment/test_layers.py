"""``layers.antennas`` in an experiment: nothing changes without it, and an arm may hand out antennas in its own way."""

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.experiment.loading import canonical, load_experiment, resolve_arm
from skyedge.experiment.run import run_digest, world_digest
from skyedge.experiment.world import make_sky

BUSY = ["time.duration=12h", "time.departure_spread_days=0", "space.link={poor_pass_share: 0.0}"]


@pytest.fixture(scope="module")
def busy():
    return load_experiment("antennas", BUSY)


def test_an_experiment_that_names_no_layer_has_none_in_what_decides_its_results():
    assert canonical(load_experiment("tiansuan"))["layers"] == {}


def test_first_come_said_aloud_is_the_plan_that_there_always_was(busy):
    silent = make_sky(resolve_arm(busy, "first-come"), 0).plan
    aloud = make_sky(load_experiment("antennas", [*BUSY, "layers.antennas.policy=first-come"]), 0).plan
    assert aloud.digest() == silent.digest()
    assert np.array_equal(aloud.calls_us, silent.calls_us)


def test_better_policies_carry_more_and_keep_the_rules(busy):
    plans = {arm: make_sky(resolve_arm(busy, arm), 0).plan for arm in busy.arms}
    carried = {arm: plan.volumes_bytes().sum() for arm, plan in plans.items()}
    assert carried["first-come"] < carried["greedy"] < carried["optimal"]
    assert carried["optimal-passes"] < carried["optimal"]
    for plan in plans.values():
        assert np.all(np.diff(plan.opens_us) >= 0)
        for column in (plan.satellite, plan.site):
            order = np.lexsort((plan.calls_us, column))
            same = column[order][1:] == column[order][:-1]
            assert np.all((plan.calls_us[order][1:] >= plan.closes_us[order][:-1])[same])


def test_slewing_comes_before_the_call():
    given = [*BUSY, "layers.antennas={policy: optimal, slew_s: 30}"]
    slewing = make_sky(load_experiment("antennas", given), 0).plan
    order = np.lexsort((slewing.calls_us, slewing.site))
    same = slewing.site[order][1:] == slewing.site[order][:-1]
    assert np.all((slewing.calls_us[order][1:] - slewing.closes_us[order][:-1])[same] >= 30_000_000)


def test_arms_that_hand_out_antennas_differently_share_no_world(busy):
    worlds = {world_digest(resolve_arm(busy, arm), 0) for arm in busy.arms}
    assert len(worlds) == len({run_digest(busy, arm, 0) for arm in busy.arms}) == len(busy.arms)


def test_a_search_that_the_time_limit_stops_is_an_error_and_not_another_plan():
    given = [*BUSY, "layers.antennas={policy: optimal, time_limit_s: 0.000000001}"]
    with pytest.raises(InputError, match="raise time_limit_s, or choose greedy"):
        make_sky(load_experiment("antennas", given), 0)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("layers.antennas.policy=optmal", "did you mean 'optimal'"),
        ("layers.antennas.value=bytes", "should be"),
        ("layers.antenas.policy=optimal", "did you mean 'antennas'"),
        ("layers.antennas.time_limit_s=0", "greater than 0"),
        ("layers.antennas.slew_s=-1", "greater than or equal to 0"),
    ],
)
def test_a_wrong_word_is_named(override, words):
    with pytest.raises(InputError, match=words):
        load_experiment("antennas", [override])
