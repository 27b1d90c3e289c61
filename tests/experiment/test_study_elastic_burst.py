"""The study of bursts and elastic pools: it answers its questions, and its constants pull the way they should."""

import math

import pytest

from skyedge.errors import InputError
from skyedge.experiment.studies.elastic_burst import ElasticBurst, ElasticBurstParameters, seconds_per_picture
from skyedge.experiment.study_loading import load_study, parameters_of

BURST, FLIGHT = {"flight": {"days": 0}}, {"burst_cores": 0}


def figures(parameters: dict, seed: int = 0) -> dict[str, float]:
    return dict(ElasticBurst().run(ElasticBurstParameters.model_validate(parameters), seed).figures)


def test_a_burst_of_four_times_the_cores_takes_as_long_again_as_the_launch_rate_says() -> None:
    start_up = {"launches_per_s": 50.0, "launch_burst": 1, "spread": 0.0}
    pool = {"start_up": start_up, "image": {"cached_share": 1.0}}
    few, many = (figures({**BURST, "pool": pool, "burst_cores": cores})["cores_running_s"] for cores in (4000, 16_000))
    assert many - few == pytest.approx(3000 / 50)


def test_larger_images_start_later_and_cached_ones_first() -> None:
    p99 = [
        figures({**BURST, "pool": {"image": image}})["start_p99_s"]
        for image in ({"cached_share": 1.0}, {"streamed": True}, {}, {"size_bytes": 2_000_000_000})
    ]
    assert p99 == sorted(p99)


def test_what_is_not_asked_is_not_answered() -> None:
    assert math.isnan(figures(BURST)["cost_per_day"])
    assert math.isnan(figures(FLIGHT)["cores_running_s"])


def test_pools_of_all_kinds_answer_the_same_pictures() -> None:
    kinds = [
        {"fixed": "peak"},
        {"fixed": "mean"},
        {"autoscalers": {"ContactPlan": {}}},
        {"autoscalers": {"QueueDepth": {}, "ContactPlan": {}}},
        {"pool": {"purchase": "spot", "spot": {"mean_hours_between": 1.0}}},
    ]
    found = [figures({**FLIGHT, **kind}) for kind in kinds]
    assert len({each["pictures_per_day"] for each in found}) == 1
    peak, mean, plan = found[:3]
    assert mean["cost_per_day"] < plan["cost_per_day"] < peak["cost_per_day"]
    assert mean["waited_p95_s"] > plan["waited_p95_s"]
    picture_s = seconds_per_picture(ElasticBurstParameters())
    assert plan["waited_p95_s"] <= 30 + 2 * picture_s  # it plans for a wait of 30 s, and for less luck than there is


def test_cost_follows_prices_and_billing() -> None:
    usual = figures(FLIGHT)["cost_per_day"]
    dear = figures({**FLIGHT, "pool": {"instance": {"price_per_hour": 2 * 0.19748}}})["cost_per_day"]
    by_the_hour = figures({**FLIGHT, "pool": {"billing": {"increment_s": 3600.0}}})["cost_per_day"]
    assert dear == pytest.approx(2 * usual)
    assert by_the_hour > 2 * usual


def test_the_same_seed_gives_the_same_figures() -> None:
    spot = {**FLIGHT, "pool": {"purchase": "spot", "spot": {"mean_hours_between": 0.5}}}
    assert figures(spot, 1) == figures(spot, 1)
    assert figures(spot, 1) != figures(spot, 2)


def test_a_gpu_answers_with_the_rate_of_its_device() -> None:
    on_cores, on_gpu = (
        seconds_per_picture(ElasticBurstParameters.model_validate({"inference": {"device": device}}))
        for device in (None, "cloud-gpu")
    )
    assert on_gpu < on_cores / 50


def test_the_shipped_file_loads_and_every_claim_names_its_constants() -> None:
    study = load_study("experiments/elastic-burst.yaml")
    for arm in study.arms:
        parameters_of(study, arm)
    assert all(claim.evidence == "modelled" and claim.constants for claim in study.claims)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"autoscalers": {"ContactPlam": {}}}, "no autoscaler 'ContactPlam'.*ContactPlan"),
        ({"autoscalers": {"ContactPlan": {"wait": 3}}}, "has no 'wait'"),
        ({"inference": {"model": "ground-larg"}}, "ground-large"),
        ({"autoscalers": {"Fixed": {"instances": 0}}}, "still has"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(parameters, words) -> None:
    with pytest.raises(InputError, match=words):
        figures({**FLIGHT, **parameters})
