"""The miners decide as their rules say, and never fall over what the originals fall over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skyedge.errors import InputError
from skyedge.inference.box_miners import BoxIBT, BoxThreshold
from skyedge.inference.budget import Budgeted, GainCurve, choose, pool_adjacent_violators
from skyedge.inference.cloud_filter import CloudFilter
from skyedge.inference.int8 import Convolution, Dense, QuantizedNetwork
from skyedge.inference.miners import MINERS, Examples, Observation, build_miner, upload_ratio
from skyedge.inference.scores import energy, fit_temperature, margin, normalised_certainty, softmax

LOGITS = arrays(np.float32, (6, 4), elements=st.floats(-20, 20, width=32))


def generator():
    return np.random.default_rng(0)


def logits_of(probabilities):
    return np.log(np.maximum(np.array(probabilities, np.float32), 1e-30))


@pytest.mark.parametrize(
    ("boxes", "threshold_hard", "ibt_hard"),
    [
        ([[0, 0, 1, 1, 0.9], [0, 0, 1, 1, 0.8]], False, False),
        ([[0, 0, 1, 1, 0.2], [0, 0, 1, 1, 0.3]], True, True),
        ([[0, 0, 1, 1, 0.9], [0, 0, 1, 1, 0.4]], False, True),
        ([], True, True),  # nothing detected: the originals never send it
    ],
)
def test_box_miners(boxes, threshold_hard, ibt_hard):
    assert BoxThreshold().is_hard(boxes) is threshold_hard
    assert BoxIBT().is_hard(boxes) is ibt_hard
    assert BoxThreshold().is_hard(np.array(boxes)) is threshold_hard


def test_a_certain_image_is_not_hard_even_where_the_original_marks_everything():
    assert BoxIBT(threshold_img=1.0).is_hard([[0, 0, 1, 1, 0.99]]) is False


def test_cross_entropy_scores_a_zero_probability_and_a_single_class():
    assert normalised_certainty(np.array([[1.0, 0.0]]))[0] == 1
    assert normalised_certainty(np.array([[0.25] * 4]))[0] == 0
    assert normalised_certainty(np.array([[1.0]]))[0] == 1


@settings(max_examples=50)
@given(LOGITS)
def test_every_miner_answers_for_every_scene(logits):
    observation = Observation(np.arange(6, dtype=np.int32), logits, np.zeros(6, bool))
    examples = Examples(logits, logits, np.array([0, 1, 2, 3, 0, 1]))
    for miner_class in MINERS.values():
        miner = miner_class()
        miner = miner.fitted(examples) if hasattr(miner, "fitted") else miner
        verdict = miner.mine(observation, generator())
        assert verdict.send.shape == verdict.keep_answer.shape == verdict.value.shape == (6,)
        assert np.isfinite(verdict.value).all()


@given(LOGITS)
@settings(max_examples=50)
def test_scores_do_not_move_with_a_constant(logits):
    assert np.allclose(softmax(logits), softmax(logits + 3), atol=1e-5)
    assert np.allclose(energy(logits), energy(logits + 3) + 3, atol=1e-3)
    assert ((margin(logits) >= 0) & (margin(logits) <= 1)).all()


def test_an_answer_unlike_all_calibrate_answers_is_out_of_distribution():
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 4, 400)
    known = (4 * np.eye(4)[labels] + draw.normal(0, 0.3, (400, 4))).astype(np.float32)
    miner = build_miner("OutOfDistribution", {}).fitted(Examples(known, known, labels))
    strange = np.array([[4, 4, 4, 4], [-9, 0, 0, 9]], np.float32)
    verdict = miner.mine(Observation(np.arange(402), np.concatenate([known, strange])), generator())
    assert verdict.send[:400].mean() < 0.01
    assert verdict.send[400:].all()


def test_a_fitted_miner_keeps_the_temperature_that_it_was_given():
    logits = np.random.default_rng(4).normal(0, 3, (200, 4)).astype(np.float32)
    examples = Examples(logits, logits, np.random.default_rng(5).integers(0, 4, 200))
    assert build_miner("CalibratedConfidence", {"temperature": 2.0}).fitted(examples).temperature == 2.0
    assert build_miner("CalibratedConfidence", {}).fitted(examples).temperature > 2.0  # sure of answers that are noise


def test_three_zones_discard_accept_and_send_between():
    logits = logits_of([[0.3, 0.24, 0.24, 0.22], [0.5, 0.2, 0.2, 0.1], [0.9, 0.05, 0.03, 0.02]])
    verdict = build_miner("ThreeZone", {"p": 0.4, "q": 0.7}).mine(Observation(np.arange(3), logits), generator())
    assert verdict.send.tolist() == [False, True, False]
    assert verdict.keep_answer.tolist() == [False, True, True]


def test_random_sends_its_ratio_and_the_same_for_the_same_stream():
    observation = Observation(np.arange(4000, dtype=np.int32))
    miner = build_miner("Random", {"random_ratio": 0.3})
    first, again = (miner.mine(observation, generator()).send for _ in range(2))
    assert np.array_equal(first, again)
    assert abs(first.mean() - 0.3) < 0.03


def test_the_upload_ratio_counts_a_hard_scene_once():
    assert upload_ratio([True, False]) == 0.5  # the peer's counter says 1/3


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("Treshold", {}, "did you mean 'Threshold'"),
        ("Threshold", {"treshold": 1}, "did you mean 'threshold'"),
        ("nowhere.to.be:Found", {}, "cannot import"),
        ("skyedge.inference.miners:Marjin", {}, "did you mean 'Margin'"),
        ("ThreeZone", {"p": 0.9, "q": 0.1}, "0 <= p <= q <= 1"),
    ],
)
def test_a_wrong_miner_is_answered_with_the_right_word(name, parameters, words):
    with pytest.raises(InputError, match=words):
        build_miner(name, parameters)


def test_the_gain_curve_prefers_scenes_where_the_big_model_helps():
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 4, 3000)
    sureness = draw.uniform(0, 4, 3000)
    right = draw.random(3000) < sureness / 4
    small = np.zeros((3000, 4), np.float32)
    small[np.arange(3000), np.where(right, labels, (labels + 1) % 4)] = sureness
    big = np.eye(4, dtype=np.float32)[labels] * 5
    curve = GainCurve.fit(small, big, labels)
    unsure, sure = np.zeros((1, 4), np.float32), np.array([[4, 0, 0, 0]], np.float32)
    assert curve.gain(unsure)[0] > curve.gain(sure)[0] + 0.5
    verdict = Budgeted(curve=curve).mine(Observation(np.arange(1), unsure), generator())
    assert verdict.send[0]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_pooling_gives_a_falling_sequence_of_the_same_sum(values):
    fitted = pool_adjacent_violators(np.array(values))
    assert np.all(np.diff(fitted) <= 1e-12)
    assert abs(fitted.sum() - sum(values)) < 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 100)), min_size=1, max_size=30), st.floats(0, 1000))
def test_a_choice_fits_its_budget(candidates, budget):
    value, size = np.array([v for v, _ in candidates]), np.array([s for _, s in candidates], np.int64)
    assert size[choose(value, size, budget)].sum() <= budget


def test_temperature_finds_the_scale_that_was_taken_away():
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, (4000, 5)).astype(np.float32)
    labels = (softmax(logits).cumsum(axis=1) > draw.random((4000, 1))).argmax(axis=1)
    assert abs(fit_temperature(logits * 3, labels) - 3) < 0.3


def test_a_cloud_filter_that_may_lose_every_clear_scene_may_drop_them_all():
    scores, cloudy = np.array([0.1, 0.4, 0.9]), np.array([False, False, True])
    assert CloudFilter.for_clear_loss(scores, cloudy, 1.0).is_cloudy(scores).all()


def test_a_cloud_filter_loses_no_more_clear_scenes_than_it_may():
    draw = np.random.default_rng(0)
    cloudy = draw.random(2000) < 0.5
    scores = np.round(np.clip(draw.normal(0.3 + 0.4 * cloudy, 0.2), 0, 1), 4)
    chosen = CloudFilter.for_clear_loss(scores, cloudy, 0.05)
    lost = chosen.is_cloudy(scores)[~cloudy].mean()
    assert 0.03 < lost <= 0.05


def network():
    draw = np.random.default_rng(1)
    first = Convolution(
        draw.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8),
        draw.integers(-500, 500, 6).astype(np.int32),
        np.full(6, 0.001, np.float32),
        2,
        1,
    )
    return QuantizedNetwork([first], Dense(draw.integers(-127, 128, (4, 6)).astype(np.int8), np.zeros(4, np.int32), 1e-3))


def test_the_int8_network_is_exact_in_any_batch_and_equals_integer_arithmetic():
    tiles = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3)).astype(np.uint8)
    net = network()
    together = net.forward(tiles)
    assert np.array_equal(np.concatenate([net.forward(tiles[:3]), net.forward(tiles[3:])]), together)
    layer = net.convolutions[0]
    padded = np.pad(tiles[0].astype(np.int64), ((1, 1), (1, 1), (0, 0)))
    means = np.zeros(6)
    for channel in range(6):
        kernel = layer.weights[channel].astype(np.int64).transpose(1, 2, 0)
        cells = [
            (padded[y : y + 3, x : x + 3] * kernel).sum() + int(layer.bias[channel])
            for y in range(0, 8, 2)
            for x in range(0, 8, 2)
        ]
        quantised = np.clip(np.rint(np.array(cells, np.float32) * np.float32(0.001)), 0, 255)
        means[channel] = np.rint(quantised.sum() * np.float32(16 / 16))
    expected = (net.dense.weights.astype(np.int64) @ means.astype(np.int64)) * np.float32(1e-3)
    assert np.allclose(together[0], expected, atol=1e-4)


def test_a_network_that_could_leave_exact_arithmetic_is_refused():
    with pytest.raises(InputError, match="beyond exact"):
        QuantizedNetwork([], Dense(np.full((2, 5000), 127, np.int8), np.zeros(2, np.int32), 1.0))
