"""When workloads leave a cluster, and what a federation says of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.failover import (
    AT_ONCE_S,
    EvictionTask,
    Placement,
    assess_tasks,
    evicted_after_s,
    next_look_s,
    tolerated_for_s,
)
from skyedge.layers.federation.objects import Taint, Toleration
from skyedge.layers.federation.status import ReportedStatus, aggregate_status, plain_status

NOWHERE = Placement(has_scheduled=False)
MOVED = Placement(True, ("b", "c"), {"b": "Healthy", "c": "Healthy"})
HALF_MOVED = Placement(True, ("b", "c"), {"b": "Healthy"})
DOWN = Taint("down", effect="NoExecute", added_at_s=100.0)


@pytest.mark.parametrize(
    ("task", "placement", "now_s", "kept"),
    [
        (EvictionTask("a", 0.0), NOWHERE, 600.0, True),
        (EvictionTask("a", 0.0), NOWHERE, 600.5, False),
        (EvictionTask("a", 0.0, grace_period_s=10.0), NOWHERE, 11.0, False),
        (EvictionTask("a", 0.0), HALF_MOVED, 1.0, True),
        (EvictionTask("a", 0.0), MOVED, 1.0, False),
        (EvictionTask("a", 0.0, suppress_deletion=True), MOVED, 900.0, True),
        (EvictionTask("a", 0.0, suppress_deletion=False), NOWHERE, 1.0, False),
        (EvictionTask("a"), MOVED, 1.0, True),
    ],
)
def test_a_copy_stays_until_others_are_healthy_or_time_is_up(task, placement, now_s, kept):
    stay, evicted_from = assess_tasks([task], placement, now_s, 600.0)
    assert bool(stay) == kept
    assert evicted_from == ([] if kept else ["a"])


def test_a_new_task_is_stamped():
    assert assess_tasks([EvictionTask("a")], MOVED, 7.0, 600.0) == ([EvictionTask("a", 7.0)], [])


@given(st.lists(st.builds(EvictionTask, st.just("a"), st.floats(0, 100), st.none() | st.floats(0, 100))), st.floats(0, 200))
def test_nothing_runs_out_before_the_next_look(tasks, now_s):
    look_s = next_look_s(tasks, now_s, 50.0)
    kept, _ = assess_tasks(tasks, NOWHERE, now_s, 50.0)
    later, _ = assess_tasks(kept, NOWHERE, now_s + max(0.0, look_s - AT_ONCE_S) * 0.999, 50.0)
    assert look_s >= 0
    assert later == kept


def test_who_is_kept_for_ever_is_not_waited_for():
    assert next_look_s([EvictionTask("a", 0.0, suppress_deletion=True)], 0.0, 50.0) == 0


@pytest.mark.parametrize("late_s", [0.0, 1.0])
def test_whose_time_is_up_is_looked_at_at_once_and_not_forgotten(late_s):
    assert 0 < next_look_s([EvictionTask("a", 0.0)], 50.0 + late_s, 50.0) < 1e-6


@pytest.mark.parametrize(
    ("tolerations", "expected_s"),
    [
        ((), 0.0),
        ((Toleration("down", "Exists"),), math.inf),
        ((Toleration("down", "Exists", toleration_s=30.0),), 20.0),
        ((Toleration("down", "Exists", toleration_s=5.0),), 0.0),
        ((Toleration("other", "Exists"),), 0.0),
        ((Toleration("down", "Exists", effect="NoSchedule"),), 0.0),
    ],
)
def test_a_taint_drives_out_when_its_toleration_has_run_out(tolerations, expected_s):
    assert evicted_after_s([DOWN], tolerations, 110.0) == expected_s


def test_one_taint_that_is_not_tolerated_is_enough_and_switched_off_none_is():
    tolerations = [Toleration("down", "Exists")]
    assert evicted_after_s([DOWN, Taint("gone", effect="NoExecute")], tolerations, 0.0) == 0
    assert evicted_after_s([DOWN], (), 0.0, eviction_enabled=False) == math.inf
    assert evicted_after_s([Taint("full")], (), 0.0) == math.inf


def test_the_shortest_of_tolerations_counts():
    short, long = (Toleration("down", "Exists", toleration_s=seconds) for seconds in (10.0, 60.0))
    assert tolerated_for_s([DOWN], [long, short], 100.0) == 10.0


@given(st.lists(st.integers(0, 9), max_size=5))
def test_counters_are_summed(counts):
    reports = [ReportedStatus(f"c{number}", {"replicas": count}) for number, count in enumerate(counts)]
    status = aggregate_status("StatefulSet", [*reports, ReportedStatus("silent")])
    assert status.counters["replicas"] == sum(counts)


def test_a_job_fails_anywhere_and_completes_everywhere():
    done, failed = frozenset({"Complete", "SuccessCriteriaMet"}), frozenset({"Failed"})

    def conditions(*by_cluster):
        reports = [ReportedStatus(f"c{number}", {"active": 1}, one) for number, one in enumerate(by_cluster)]
        return plain_status(aggregate_status("Job", reports))

    assert conditions(done, done)["conditions"] == ["Complete", "SuccessCriteriaMet"]
    assert "conditions" not in conditions(done, frozenset())
    assert conditions(failed, done, failed)["failed_clusters"] == ["c0", "c2"]
    assert conditions(failed, done)["conditions"] == ["Failed"]
    assert conditions(frozenset({"Complete"}), done)["conditions"] == ["Complete"]
    ending = frozenset({"FailureTarget"})
    assert conditions(done, ending)["conditions"] == ["FailureTarget"]
    assert conditions(failed, failed | ending)["conditions"] == ["FailureTarget", "Failed"]


def test_an_unknown_kind_or_counter_is_refused_with_the_nearest_word():
    with pytest.raises(InputError, match="did you mean 'Deployment'"):
        aggregate_status("Deploymnt", [])
    with pytest.raises(InputError, match="did you mean 'ready_replicas'"):
        aggregate_status("Deployment", [ReportedStatus("c", {"readyreplicas": 1})])
