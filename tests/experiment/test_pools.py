"""The control plane inside the flown experiment: the same fleet and pictures, with other pools on the ground."""

from functools import cache

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.experiment.layer_metrics import ELASTIC_METRICS, LAYER_METRICS, POOL_METRICS
from skyedge.experiment.loading import canonical, load_experiment
from skyedge.experiment.metrics import METRICS, measure
from skyedge.experiment.preflight import check_experiment
from skyedge.experiment.records import RunRecord
from skyedge.experiment.run import run_arm
from skyedge.time import parse_duration

BENT = ["time.duration=2d", "arms={bent: {set: {pipeline.mode: bent-pipe}}}", "models.ground_device=container-4vcpu"]
CONTACT_PLAN = "layers.elastic.autoscaler={name: contact-plan, parameters: {wait_s: 20}}"


@cache
def run(*overrides):
    return run_arm(load_experiment("slice", [*BENT, *overrides]), "bent", 0, None)


def figures(*overrides):
    record, scenes = run(*overrides)
    return measure(record, scenes, parse_duration("12h"), record.start_us + parse_duration("2d")).figures


def same(first, second):
    assert list(first.ledger.rows()) == list(second.ledger.rows())
    assert first.energy == second.energy
    assert first.pools == second.pools
    for table in ("answers", "served", "jobs"):
        for name, column in getattr(first, table).items():
            assert np.array_equal(column, getattr(second, table)[name])


def test_without_a_layer_there_is_no_figure_of_it():
    assert not set(figures()) & set(LAYER_METRICS)
    assert canonical(load_experiment("slice"))["layers"] == {}


# ------------------------------------------------------------------------------------------------ elastic


def test_every_figure_of_an_elastic_pool_can_be_claimed():
    assert {*POOL_METRICS, *ELASTIC_METRICS} <= set(figures(CONTACT_PLAN)) <= set(METRICS)


def test_an_elastic_pool_is_the_same_in_one_host_and_in_two():
    whole, _ = run(CONTACT_PLAN)
    cut, _ = run(CONTACT_PLAN, "runtime.hosts=2")
    same(whole, cut)
    assert cut.effort["windows"] > 1
    assert len(whole.served["arrived_us"]) > 20


def test_however_instances_come_the_same_pictures_get_the_same_answers():
    plain, elastic = run()[0], run(CONTACT_PLAN)[0]

    def said(record):
        return dict(zip(record.answers["scene"].tolist(), record.answers["predicted"].tolist(), strict=True))

    assert said(plain) == said(elastic)
    assert list(plain.ledger.rows()) == list(elastic.ledger.rows())


def test_the_plan_has_instances_ready_and_the_queue_has_them_start_when_work_is_there():
    planned = figures(CONTACT_PLAN)
    reactive = figures("layers.elastic.autoscaler=queue-depth")
    assert planned["pool_wait_p50_s"] < reactive["pool_wait_p50_s"]
    assert planned["pool_wait_p95_s"] < 20 + 16  # the wait that was planned for, and the work itself


def test_a_pool_that_is_always_there_costs_its_price_and_nothing_waits_for_a_start():
    always = figures("layers.elastic.autoscaler={name: fixed, parameters: {instances: 8}}")
    assert always["cost_per_day"] == pytest.approx(8 * 24 * 0.19748, rel=1e-3)
    assert always["cost_reduction"] == pytest.approx(0, abs=1e-3)
    assert always["cost_per_day"] > 5 * figures(CONTACT_PLAN)["cost_per_day"]
    assert 0 < always["idle_share"] < 1


def test_a_record_keeps_its_pools(tmp_path):
    record, _ = run(CONTACT_PLAN)
    record.save(tmp_path / "record.npz")
    same(record, RunRecord.load(tmp_path / "record.npz"))


def test_a_pool_in_a_file_counts_by_what_it_holds(tmp_path):
    file = tmp_path / "pool.yaml"
    file.write_text("purchase: spot\nkeep_alive_s: 5\n")
    by_name = load_experiment("slice", [f"layers.elastic.pool={file}"])
    in_place = load_experiment("slice", ["layers.elastic.pool={purchase: spot, keep_alive_s: 5}"])
    assert canonical(by_name) == canonical(in_place)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("layers.elastic.autoscaler=contact-plna", "there is no autoscaler 'contact-plna'"),
        ("layers.elastic.autoscaler={name: fixed, parameters: {instance: 3}}", "did you mean 'instances'?"),
        ("layers.elastic.autoscaler={name: combined}", "needs at least one"),
        ("layers.elastic.pool={keep_alive: 3}", "did you mean 'keep_alive_s'?"),
        ("layers.elastic.pool=nowhere.yaml", "there is no file 'nowhere.yaml'"),
        ("layers.elastc={}", "did you mean 'elastic'?"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(override, words):
    with pytest.raises(InputError) as caught:
        check_experiment(load_experiment("slice", [*BENT, override]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_replicas_and_instances_are_not_both_said():
    with pytest.raises(InputError, match="leave this out"):
        check_experiment(load_experiment("slice", [*BENT, CONTACT_PLAN, "cloud.replicas=3"]))
