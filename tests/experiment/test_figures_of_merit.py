"""Metrics by hand, intervals that cover, tests that are exact, claims that need all their parts."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.earth import EVALUATE, TRAIN
from skyedge.earth.scenes import SceneTable
from skyedge.errors import InputError
from skyedge.experiment.claims import judge
from skyedge.experiment.equal_bytes import families, mixed
from skyedge.experiment.layer_metrics import LAYER_METRICS
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.metrics import BLOCKS, METRICS, RunMetrics, macro_f1, measure, relative_figures
from skyedge.experiment.outcome import conclude
from skyedge.experiment.records import RunRecord
from skyedge.experiment.spec import Claim
from skyedge.experiment.statistics import REAL_BELOW, Estimate, estimates, holm, permutation_p, seeds_for_a_test
from skyedge.ledger import Ledger, Link
from skyedge.time import HOUR, MINUTE


def scenes():
    count = 6
    zero = np.zeros(count)
    return SceneTable(
        satellite=zero.astype(np.int16),
        captured_at=np.arange(count, dtype=np.int64) * HOUR,
        lat_deg=zero,
        lon_deg=zero,
        label=np.array([0, 1, 2, 3, 0, 1], np.int8),
        climate=np.array([1, 1, 2, 2, 1, 1], np.int8),
        block=np.array([5, 5, 6, 6, 5, 5], np.int16),
        split=np.array([EVALUATE, EVALUATE, EVALUATE, TRAIN, EVALUATE, EVALUATE], np.int8),
        water_share=zero,
        sun_elevation_deg=zero,
        cloud_cover=zero,
        cloudy=np.array([False, False, False, False, True, False]),
    )


def record(rows):
    columns = dict(zip(("scene", "tier", "predicted", "answered_at"), map(np.array, zip(*rows, strict=True)), strict=True))
    answers = {**columns, "confidence": np.ones(len(rows), np.float32)}
    ledger = Ledger()
    ledger.post(Link("sat", "*", "downlink", "scene"), "offered", 3_000_000, 3)
    ledger.post(Link("site", "cloud", "terrestrial", "scene", 3), "offered", 2_000_000, 2)
    empty = {"scene": np.empty(0, np.int32), "fate": np.empty(0, "U1")}
    energy = {
        "sat/inference": 10.0,
        "sat/transmission": 30.0,
        "sat/baseline": 60.0,
        "sat/harvested": 99.0,
        "cloud/inference": 5e9,
    }
    return RunRecord("arm", 0, "d", 0, answers, ledger, empty, {}, energy)


def test_accuracy_counts_the_best_tier_in_time_over_all_that_was_worth_answering():
    rows = [
        (0, 0, 7, HOUR // 2),  # wrong on board …
        (0, 2, 0, HOUR),  # … put right by the ground in time
        (1, 0, 1, 2 * HOUR),  # right on board …
        (1, 2, 5, 9 * HOUR),  # … the ground's wrong answer comes too late to count
        (2, 0, 2, 9 * HOUR),  # right, but too late
        (3, 0, 3, 4 * HOUR),  # not an evaluate block
        (4, 0, 0, 5 * HOUR),  # cloudy
    ]  # scene 5: its deadline ends after the run
    metrics = measure(record(rows), scenes(), 3 * HOUR, 7 * HOUR + HOUR // 2)
    figures = metrics.figures
    assert figures["scored_scenes"] == 3
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["delivered_accuracy"] == 1.0
    assert figures["latency_p50_min"] == HOUR / MINUTE
    assert figures["downlink_demanded_mb"] == 3.0
    assert figures["backhaul_mb_hops"] == 6.0
    assert figures["orbit_joules_per_answer"] == pytest.approx(40 / 4)
    assert figures["orbit_compute_share"] == pytest.approx(0.1)
    assert (metrics.correct_by_block[5], metrics.worth_by_block[5], metrics.worth_by_block[6]) == (2, 2, 1)


def test_an_arm_that_waits_less_is_measured_on_the_scenes_of_the_one_that_waits_longest():
    rows = [(0, 0, 0, HOUR // 2), (3, 0, 3, 4 * HOUR)]
    end = 7 * HOUR + HOUR // 2
    patient = measure(record(rows), scenes(), 6 * HOUR, end)
    hasty = measure(record(rows), scenes(), HOUR, end, longest_deadline_us=6 * HOUR)
    assert hasty.figures["scored_scenes"] == patient.figures["scored_scenes"] == 2
    assert measure(record(rows), scenes(), HOUR, end).figures["scored_scenes"] == 4


def test_macro_f1_is_sklearns():
    from sklearn.metrics import f1_score

    draw = np.random.default_rng(0)
    truth, said = draw.integers(0, 8, 300), draw.integers(0, 8, 300)
    assert macro_f1(truth, said) == pytest.approx(f1_score(truth, said, average="macro"))


def runs(accuracies, demanded, draw):
    made = []
    for accuracy in accuracies:
        worth = np.zeros(BLOCKS)
        worth[:80] = 30
        correct = np.zeros(BLOCKS)
        correct[:80] = draw.binomial(30, accuracy, 80)
        figures = {"accuracy": correct.sum() / worth.sum(), "downlink_demanded_mb": demanded, "backhaul_mb_hops": 1.0}
        made.append(RunMetrics(figures, correct, worth))
    return made


ROLES = {"in_orbit": "small", "bent_pipe": "pipe"}


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    covered = 0
    for number in range(60):
        draw = np.random.default_rng(number)
        truths = np.clip(draw.normal(0.6, 0.03, 5), 0, 1)
        table = estimates({"small": runs(truths, 1.0, draw)}, ROLES, f"coverage {number}")
        accuracy = table["small"]["accuracy"]
        covered += accuracy.low <= 0.6 <= accuracy.high
    assert 45 <= covered <= 60


def test_gain_and_reduction_are_against_the_baselines_of_the_same_seed():
    draw = np.random.default_rng(0)
    metrics = {
        "small": runs([0.4, 0.5, 0.6], 0.01, draw),
        "pipe": runs([0.8] * 3, 100.0, draw),
        "both": runs([0.7] * 3, 8.0, draw),
    }
    table = estimates(metrics, ROLES, "t")
    pairs = zip(metrics["both"], metrics["small"], strict=True)
    expected = np.mean([b.figures["accuracy"] / s.figures["accuracy"] - 1 for b, s in pairs])
    assert table["both"]["accuracy_gain"].mean == pytest.approx(expected)
    assert table["both"]["downlink_reduction"].mean == pytest.approx(0.92)
    assert table["both"]["accuracy_gain"].low < expected < table["both"]["accuracy_gain"].high


def test_two_seeds_give_no_interval():
    draw = np.random.default_rng(0)
    table = estimates({"small": runs([0.5, 0.5], 1.0, draw)}, ROLES, "t")
    assert table["small"]["accuracy"].low is None


@pytest.mark.parametrize("tests", [1, 9, 25, 26, 150])
def test_so_many_seeds_can_tell_an_effect_that_all_share_and_one_less_could_not(tests):
    def corrected(seeds):
        return holm({str(number): permutation_p([1.0] * seeds) for number in range(tests)})

    needed = seeds_for_a_test(tests)
    assert max(corrected(needed).values()) < REAL_BELOW
    assert needed == 10 or min(corrected(needed - 1).values()) >= REAL_BELOW


def test_the_permutation_test_is_exact():
    assert permutation_p([1.0] * 10) == pytest.approx(2 / 1024)
    assert permutation_p([1.0, -1.0]) == 1.0


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_makes_a_p_smaller(p_values):
    corrected = holm(p_values)
    assert all(p_values[name] - 1e-12 <= corrected[name] <= 1 for name in p_values)


def estimate(mean, low, high):
    return Estimate(mean, low, high, (mean,) * 3)


def test_a_claim_needs_one_arm_to_clear_all_bars():
    claim = Claim(
        name="c", parts=({"metric": "accuracy_gain", "at_least": 0.5}, {"metric": "downlink_reduction", "at_least": 0.9})
    )
    accurate = {"accuracy_gain": estimate(0.8, 0.7, 0.9), "downlink_reduction": estimate(0.2, 0.1, 0.3)}
    frugal = {"accuracy_gain": estimate(0.1, 0.0, 0.2), "downlink_reduction": estimate(0.99, 0.98, 1.0)}
    both = {"accuracy_gain": estimate(0.6, 0.55, 0.7), "downlink_reduction": estimate(0.95, 0.94, 0.96)}
    unsure = {**both, "accuracy_gain": estimate(0.6, 0.45, 0.8)}
    assert judge(claim, {"a": accurate, "b": frugal}).verdict == "not met"
    assert judge(claim, {"a": accurate, "b": frugal, "c": unsure}).verdict == "not met"
    assert judge(claim, {"a": accurate, "c": both}).arm == "c"
    assert judge(claim, {"oracle-x": both, "a": accurate}).verdict == "not met"
    assert judge(claim, {"a": {"accuracy_gain": Estimate(1, None, None, (1,))}}).verdict == "not tested"


def test_a_bar_is_written_as_it_stands_in_the_file_and_a_figure_with_a_digit_more():
    def words(bar):
        claim = Claim(name="c", parts=({"metric": "kept_share", "at_least": bar},))
        return judge(claim, {"a": {"kept_share": estimate(0.99894, 0.99894, 0.99894)}}).evidence

    assert words(0.999).endswith("99.89% [99.89%, 99.89%] misses 99.9%")
    assert words(0.5).endswith("99.9% [99.9%, 99.9%] clears 50%")


def test_a_claim_says_of_what_kind_its_evidence_is_and_which_constants_decide_it():
    experiment = load_experiment("regional-clusters")
    whole = {arm: {"backhaul_reduction": estimate(0.6, 0.5, 0.7)} for arm in experiment.arms}
    (claim, *_) = experiment.claims
    assert claim.evidence == "modelled"
    assert judge(claim, whole).evidence.startswith("modelled: ")
    assert judge(Claim(name="c", parts=claim.parts), whole).evidence.startswith("measured: ")
    image = next(one for one in claim.constants if one.key == "layers.federation.image_mb")
    changed = load_experiment("regional-clusters", ["layers.federation.image_mb=123"])
    nothing = dict.fromkeys(("accuracy", "downlink_demanded_mb", "backhaul_mb_hops"), 1.0)
    runs_of = [RunMetrics(nothing, np.zeros(BLOCKS), np.zeros(BLOCKS))] * 3
    (result, *_) = conclude(changed, {"one-cloud": runs_of, "nearest": runs_of}).claims
    assert result.arm == "nearest"
    assert f"{image.key} = 123 ({image.source})" in result.lines()[-1]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("evidence: modelled", "names constants that decide it if it is modelled"),
        ("constants: [{key: time.duration}]", "names constants that decide it if it is modelled"),
        ("evidence: modeled, constants: [{key: time.duration}]", "did you mean 'modelled'?"),
        ("evidence: modelled, constants: [{key: time.duraton}]", "time.duraton is not there in arm in-orbit (did you mean"),
        ("evidence: modelled, constants: [{key: pipeline.miner}]", "is no figure"),
        ("evidence: modelled, constants: [{key: faults.0.duration}]", "faults.0.duration is not there"),
    ],
)
def test_a_mistake_about_the_evidence_of_a_claim_is_answered_with_a_sentence(claim, words):
    override = f"claims=[{{name: c, parts: [{{metric: accuracy, at_least: 0.5}}], {claim}}}]"
    with pytest.raises(InputError, match=re.escape(words)):
        load_experiment("slice", [override])


def test_an_arm_that_cannot_be_told_keeps_no_other_from_a_claim():
    claim = Claim(name="c", parts=({"metric": "accuracy_gain", "at_least": 0.5},))
    good = {"accuracy_gain": estimate(0.6, 0.55, 0.7)}
    unknown = {"accuracy_gain": Estimate(float("nan"), None, None, (float("nan"),) * 3)}
    assert judge(claim, {"a": unknown, "b": good, "c": {}}).arm == "b"
    assert "accuracy_gain of a is not known" in judge(claim, {"a": unknown}).evidence


def test_where_nothing_is_scored_no_effect_is_real():
    experiment = load_experiment("slice", seeds="0-9")
    nothing = [RunMetrics({"accuracy": float("nan"), "downlink_demanded_mb": 1.0}, np.zeros(BLOCKS), np.zeros(BLOCKS))] * 10
    outcome = conclude(experiment, {"in-orbit": nothing, "collaborative": nothing})
    assert outcome.tests["collaborative"].p is None
    assert outcome.tests["collaborative"].verdict.startswith("not tested")
    assert outcome.as_dict()["tests"]["collaborative"]["difference_points"] is None


def test_every_figure_that_is_measured_can_be_claimed():
    measured = measure(record([(0, 0, 7, HOUR)]), scenes(), 2 * HOUR, 5 * HOUR).figures
    plain = {name: np.array([1.0]) for name in measured}
    relative = relative_figures(plain, dict.fromkeys(("in_orbit", "in_orbit_archive", "bent_pipe", "bent_pipe_raw"), plain))
    assert {*measured, *relative} <= set(METRICS)
    always = set(METRICS) - set(LAYER_METRICS)
    assert {name for name in always if not name.startswith("accuracy_")} <= {*measured, *relative}


def _run_sending(megabytes, correct):
    worth = np.zeros(BLOCKS)
    worth[7] = 10.0
    return RunMetrics({"downlink_demanded_mb": megabytes, "accuracy": correct / 10}, worth * correct / 10, worth)


def test_accuracy_at_equal_bytes_is_read_between_the_arms_of_a_sweep_and_nowhere_else():
    runs = [_run_sending(30.0, 7), _run_sending(0.0, 4), _run_sending(10.0, 5)]
    between = mixed(runs, 20.0)
    assert between.figures["accuracy"] == pytest.approx(0.6)
    assert between.correct_by_block[7] == pytest.approx(6.0)
    assert mixed(runs, 40.0) is None
    assert mixed(runs[:1], 20.0) is None


def test_a_family_is_the_arms_that_differ_in_nothing_but_their_miner():
    experiment = load_experiment("miners")
    found = families(experiment)
    assert found["Margin"] == ["margin-5", "margin-15"]
    assert "in-orbit" not in {arm for arms in found.values() for arm in arms}
    radio = ["arms.radio={set: {pipeline.miner: {name: Margin, set_to_share: 0.2}, space.link: {eirp_dbw: 30}}}"]
    assert families(load_experiment("miners", radio)) == found


def test_a_record_survives_its_file(tmp_path):
    before = record([(0, 0, 7, HOUR)])
    before.save(tmp_path / "r.npz")
    after = RunRecord.load(tmp_path / "r.npz")
    assert list(after.ledger.rows()) == list(before.ledger.rows())
    assert after.energy == before.energy
    assert after.answers["answered_at"].tolist() == [HOUR]
