"""The control plane inside the flown experiment: the same fleet and pictures, with other pools on the ground."""

from functools import cache

import pytest

from skyedge.errors import InputError
from skyedge.experiment.figures import pool_waits
from skyedge.experiment.layer_metrics import ELASTIC_METRICS, LAYER_METRICS, POOL_METRICS, SCHEDULER_METRICS
from skyedge.experiment.loading import canonical, load_experiment
from skyedge.experiment.metrics import METRICS
from skyedge.experiment.preflight import check_experiment
from skyedge.experiment.records import RunRecord
from skyedge.experiment.run import run_arm
from tests.experiment.two_days import measured, same_flight

BENT = ["time.duration=2d", "arms={bent: {set: {pipeline.mode: bent-pipe}}}", "models.ground_device=container-4vcpu"]
CONTACT_PLAN = "layers.elastic.autoscaler={name: contact-plan, parameters: {wait_s: 20}}"


@cache
def run(*overrides):
    return run_arm(load_experiment("slice", [*BENT, *overrides]), "bent", 0, None)


def figures(*overrides):
    record, scenes = run(*overrides)
    return measured(record, scenes)


def same(first, second):
    same_flight(first, second, "answers", "served", "jobs")
    assert first.pools == second.pools


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


def test_waits_are_drawn_only_where_there_is_a_pool():
    assert pool_waits({"plain": run()[0]}) == ""
    drawn = pool_waits({"plain": run()[0], "planned": run(CONTACT_PLAN)[0]})
    assert "planned" in drawn
    assert "plain" not in drawn.replace("planned", "")


# ------------------------------------------------------------------------------------------------ scheduler

SHARED = (
    "layers.scheduler={pools: [{name: gpu, gpus: 4, cpu: 64}], burst: {priority: 9}, "
    "background: [{every: 1h, pods: 4, duration: 1h}, {kind: evaluation, every: 1h, duration: 10min}]}"
)
PREEMPT = (
    "layers.scheduler.policy={actions: 'allocate, preempt', tiers: "
    "[{plugins: [{name: priority}, {name: gang, enablePreemptable: false}, {name: predicates}]}]}"
)


def test_a_scheduled_pool_is_the_same_in_one_host_and_in_two():
    whole, _ = run(SHARED, PREEMPT)
    cut, _ = run(SHARED, PREEMPT, "runtime.hosts=2")
    same(whole, cut)
    assert cut.effort["windows"] > 1
    assert whole.pools[0]["evictions"] > 0


EDGE = (
    "pipeline.edge_node=true",
    "pipeline.edge_accept_confidence=0.3",
    SHARED,
    "layers.scheduler.pools=[{name: gpu, gpus: 4, cpu: 64}, {name: edge, site: Tongchuan, gpus: 1}]",
)


def test_an_edge_pool_is_scheduled_where_it_is_and_hosting_changes_nothing():
    whole, _ = run(*EDGE)
    scattered, _ = run(*EDGE, "runtime.hosting=per-node")
    same(whole, scattered)
    assert {pool["pool"] for pool in whole.pools} == {"cloud", "Tongchuan-edge"}
    assert 1 in whole.answers["tier"]
    # At the edge nothing but bursts arrives, and pictures go on to the cloud only when the edge has looked at them.
    at_edge = whole.jobs["pool"] == "Tongchuan-edge"
    assert set(whole.jobs["kind"][at_edge]) == {"burst"}
    assert (whole.jobs["pool"] == "cloud").any()


def test_a_shared_pool_gives_the_same_answers_later():
    alone, shared = figures(), figures(SHARED)
    assert shared["latency_p95_min"] > alone["latency_p95_min"]
    assert shared["downlink_delivered_mb"] == alone["downlink_delivered_mb"]


def test_whoever_may_preempt_waits_less_and_trainings_pay_for_it():
    patient, urgent = figures(SHARED), figures(SHARED, PREEMPT)
    assert urgent["pool_wait_p95_s"] < patient["pool_wait_p95_s"]
    assert urgent["preemptions"] > 0 == patient["preemptions"]
    assert urgent["training_completed"] <= patient["training_completed"]
    assert 0 < urgent["gpu_lost_share"] < 1


def test_every_figure_of_a_scheduled_pool_can_be_claimed():
    assert {*POOL_METRICS, *SCHEDULER_METRICS} <= set(figures(SHARED)) <= set(METRICS)


def test_a_policy_in_a_file_counts_by_what_it_holds(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("actions: allocate\n")
    by_name = load_experiment("slice", [SHARED, f"layers.scheduler.policy={file}"])
    in_place = load_experiment("slice", [SHARED, "layers.scheduler.policy={actions: allocate}"])
    assert canonical(by_name) == canonical(in_place)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("layers.scheduler.policy=fdg", "there is no policy 'fdg'; there are fgd, bestfit"),
        ("layers.scheduler.policy={actions: alocate}", "there is no action 'alocate' (did you mean 'allocate'?)"),
        ("layers.scheduler.pools=[{name: a}, {name: a}]", "'a' is there twice"),
        ("layers.scheduler.pools=[{name: a, site: Tongchuan}]", "neither the cloud nor a station with an edge node"),
        ("layers.scheduler.pools=[{name: a, gpus: 3, cpu: 64}]", "4 pods must run at once, and cloud has room for 3"),
        ("layers.scheduler.pools=[{name: a, gpus: 4, cpu: 2}]", "4 pods must run at once, and cloud has room for 0"),
        ("layers.scheduler.burst.queue=defualt", "did you mean 'default'?"),
        ("layers.scheduler.background=[{every: 1h, duration: 1h, site: clod}]", "did you mean 'cloud'?"),
        ("layers.scheduler.background=[{every: 1h, duration: 1h, priorty: 1}]", "did you mean 'priority'?"),
        ("cloud.replicas=2", "leave this out"),
        (CONTACT_PLAN, "either elastic or scheduled"),
    ],
)
def test_a_mistake_about_the_scheduler_is_answered_with_one_sentence(override, words):
    with pytest.raises(InputError) as caught:
        check_experiment(load_experiment("slice", [*BENT, SHARED, override]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
