"""The federated autoscaler: Kubernetes' rules over what all clusters measure together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.autoscaling import (
    UP,
    AutoscalerRules,
    FederatedAutoscaler,
    MetricTarget,
    Pace,
    PacePolicy,
    Reading,
)

CPU = MetricTarget("cpu", 50, "Utilization")
FREE = Pace(0.0)


def scaler(*targets, least=1, most=100, up=FREE, down=FREE):
    return FederatedAutoscaler(AutoscalerRules(targets or (CPU,), least, most, up, down))


def cpu(percent, pods=4, cluster="a"):
    return Reading(cluster, percent * pods / 100, pods, requested=pods)


@pytest.mark.parametrize(
    ("replicas", "percent", "then"),
    [(4, 100, 8), (4, 50, 4), (4, 25, 2), (4, 54, 4), (4, 56, 5), (4, 46, 4), (4, 44, 4), (10, 51, 10), (3, 100 / 3, 2)],
)
def test_replicas_follow_the_ratio_rounded_up_but_for_what_is_within_a_tenth(replicas, percent, then):
    assert scaler().look(0, replicas, [[cpu(percent, pods=replicas)]]).replicas == then


def test_clusters_are_put_together_by_their_pods_and_not_one_by_one():
    readings = [cpu(100, pods=1, cluster="busy"), cpu(25, pods=9, cluster="idle")]
    assert scaler().look(0, 10, [readings]).replicas == 7  # 32.5 % of 50 %
    requests = MetricTarget("requests", 100)
    readings = [Reading("a", 900, 3), Reading("b", 100, 7)]
    assert scaler(requests).look(0, 10, [readings]).replicas == 10
    assert scaler(MetricTarget("queue", 500, "Value")).look(0, 10, [readings]).replicas == 20


@pytest.mark.parametrize(
    ("replicas", "percent", "pods", "then"),
    [
        (3, 75, 2, 3),  # with an idle third just what it should be
        (4, 150, 2, 6),  # as many as two of them are worth
        (3, 25, 2, 3),  # with a third that uses all it asked for just what it should be
        (10, 10, 9, 4),  # 19 % of 50 %
        (10, 10, 1, 10),  # nine busy ones would want more, which one idle one is no reason for
    ],
)
def test_replicas_that_nobody_measures_idle_where_more_are_wanted_and_are_busy_where_fewer_are(
    replicas, percent, pods, then
):
    assert scaler().look(0, replicas, [[cpu(percent, pods)]]).replicas == then


@given(
    replicas=st.integers(1, 50), pods=st.integers(1, 50), percent=st.floats(1, 400), target=st.sampled_from([20, 50, 150])
)
def test_who_is_not_measured_never_makes_a_change_larger(replicas, pods, percent, target):
    rules = MetricTarget("cpu", target, "Utilization")
    pods = min(pods, replicas)
    seen = scaler(rules).look(0, replicas, [[cpu(percent, pods=replicas)]]).replicas
    partly = scaler(rules).look(0, replicas, [[cpu(percent, pods)]]).replicas
    assert min(seen, replicas) <= partly <= max(seen, replicas)


def test_of_several_metrics_the_largest_wish_counts_and_a_missing_one_takes_nothing_away():
    both = scaler(CPU, MetricTarget("requests", 100))
    assert both.look(0, 4, [[cpu(25)], [Reading("a", 800, 4)]]).replicas == 8
    assert both.look(1, 4, [[cpu(25)], []]).replicas == 4
    assert both.look(2, 4, [[cpu(100)], []]).replicas == 8
    assert "nothing" in both.look(3, 4, [[], []]).why


def test_a_workload_that_was_scaled_to_zero_by_hand_stays_there():
    assert scaler().look(0, 0, [[cpu(100)]]).replicas == 0


def test_one_calm_moment_takes_nothing_away_before_the_window_is_over():
    steady = scaler(down=Pace(300))
    replicas = steady.look(0, 4, [[cpu(100)]]).replicas
    seen = []
    for now_s in range(15, 400, 15):
        replicas = steady.look(now_s, replicas, [[cpu(10, pods=replicas)]]).replicas
        seen.append((now_s, replicas))
    assert all(count == 8 for now_s, count in seen if now_s <= 300)
    assert seen[-1][1] < 8


def test_where_nothing_is_said_replicas_at_most_double_or_become_four_in_fifteen_seconds():
    fast = FederatedAutoscaler(AutoscalerRules((CPU,), 1, 1000))
    assert fast.look(0, 1, [[cpu(500)]]).replicas == 4
    assert fast.look(5, 4, [[cpu(500)]]).replicas == 4
    assert fast.look(15, 4, [[cpu(500)]]).replicas == 8


def test_a_behavior_that_leaves_it_open_lets_replicas_double_or_grow_by_four_in_fifteen_seconds():
    fast = FederatedAutoscaler(AutoscalerRules((CPU,), 1, 1000, UP))
    assert fast.look(0, 2, [[cpu(500)]]).replicas == 6
    assert fast.look(5, 6, [[cpu(500)]]).replicas == 6
    assert fast.look(15, 6, [[cpu(500)]]).replicas == 12
    assert fast.look(30, 12, [[cpu(500)]]).replicas == 24


def test_a_pace_may_be_the_smaller_of_two_policies_or_none_at_all():
    policies = (PacePolicy("Pods", 1, 60), PacePolicy("Percent", 50, 60))
    careful = scaler(down=Pace(0, policies, "Min"))
    assert careful.look(0, 10, [[cpu(5, pods=10)]]).replicas == 9
    assert careful.look(30, 9, [[cpu(5, pods=10)]]).replicas == 9
    assert careful.look(60, 9, [[cpu(5, pods=10)]]).replicas == 8
    assert scaler(down=Pace(0, policies)).look(0, 10, [[cpu(5, pods=10)]]).replicas == 5
    assert scaler(down=Pace(0, (), "Disabled")).look(0, 10, [[cpu(5, pods=10)]]).replicas == 10


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(1, 60)), max_size=20), st.integers(1, 5), st.integers(5, 40))
def test_the_bounds_hold_whatever_is_measured(looks, least, most):
    rules, now_s, replicas = AutoscalerRules((CPU,), least, most), 0.0, 4
    autoscaler = FederatedAutoscaler(rules)
    for percent, wait_s in looks:
        now_s += wait_s
        replicas = autoscaler.look(now_s, replicas, [[cpu(percent, pods=replicas)]]).replicas
        assert least <= replicas <= most


def test_a_target_of_nothing_is_refused():
    with pytest.raises(InputError, match="above zero"):
        MetricTarget("cpu", 0)
