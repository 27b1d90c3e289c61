"""Who is taken for dead, when, and who is not: the rules of the table, and the columns that follow them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.detection import Sighting, Spells, Weather, watch
from skyedge.layers.federation.failover_settings import KARMADA_DEFAULTS
from skyedge.layers.federation.health import (
    BEATING,
    KARMADA_LEASED,
    KARMADA_PROBED,
    ClusterHealth,
    Condition,
    HealthSettings,
    Sign,
)
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.timeline import Failure, failover_timeline
from skyedge.streams import stream

KARMADA_WAYS = [KARMADA_PROBED, KARMADA_LEASED]


def due_s(health: HealthSettings, cluster: int, clusters: int, until_s: float, seed: int) -> list[float]:
    phase = stream(seed, "federation", "when reports are due").random(clusters)[cluster]
    return [
        float((phase + number) * health.report_period_s) for number in range(-1, math.ceil(until_s / health.report_period_s))
    ]


def is_down(down: Spells, at_s: float) -> bool:
    return any(start <= at_s < end for start, end in zip(down.from_s, down.until_s, strict=True))


def one_look_at_a_time(health: HealthSettings, down: Spells, until_s: float, seed: int) -> list[Sighting]:
    """What is seen of one cluster whose reports are neither lost nor late, at every tick of the monitor."""
    heard = [
        time_s for time_s in due_s(health, 0, 1, until_s + 2 * health.report_period_s, seed) if not is_down(down, time_s)
    ]
    silence_s = health.missed_heartbeats * health.report_period_s if health.watched == "beating" else health.grace_s
    wait_s = health.witness_timeout_s if health.watched == "beating" else 0.0
    found, tick = [], 0
    while (tick := tick + 1) * health.monitor_period_s < until_s:
        now_s = tick * health.monitor_period_s
        last_s = max((time_s for time_s in heard if time_s <= now_s), default=-math.inf)
        again_s = min((time_s for time_s in heard if time_s > now_s), default=math.inf)
        if now_s - last_s <= silence_s:
            continue
        asked_s = now_s
        while wait_s and asked_s < again_s and not is_down(down, asked_s):
            asked_s += wait_s
        declared_s = asked_s + wait_s if asked_s + wait_s < again_s else math.inf
        found.append(Sighting(0, now_s, declared_s, again_s))
        if again_s == math.inf:
            break
        tick = math.ceil(again_s / health.monitor_period_s) - 1
    return found


@pytest.mark.parametrize(
    ("before", "sign", "after"),
    [
        (Condition.READY, Sign.FAILED, Condition.FAILING),
        (Condition.READY, Sign.THRESHOLD_UP, Condition.READY),
        (Condition.FAILING, Sign.ANSWERED, Condition.READY),
        (Condition.FAILING, Sign.THRESHOLD_UP, Condition.NOT_READY),
        (Condition.NOT_READY, Sign.ANSWERED, Condition.PROVING),
        (Condition.PROVING, Sign.FAILED, Condition.NOT_READY),
        (Condition.PROVING, Sign.THRESHOLD_UP, Condition.READY),
        (Condition.UNKNOWN, Sign.ANSWERED, Condition.PROVING),
        *[(one, Sign.SILENT, Condition.UNKNOWN) for one in Condition],
    ],
)
def test_the_table(before, sign, after):
    assert ClusterHealth(before).saw(sign, 5.0).condition is after


def test_only_doubts_that_may_pass_leave_a_cluster_ready():
    assert {one for one in Condition if one.counts_as_ready} == {Condition.READY, Condition.FAILING}


@given(st.lists(st.booleans(), max_size=40))
def test_a_probed_cluster_changes_only_after_four_reports_alike(answers):
    health, conditions = ClusterHealth(), [True]
    for number, answered in enumerate(answers):
        health = health.reported(answered, number * 10.0, KARMADA_PROBED)
        conditions.append(health.condition.counts_as_ready)
    for number in range(1, len(conditions)):
        if conditions[number] != conditions[number - 1]:
            assert answers[max(0, number - 4) : number] == [conditions[number]] * 4


@settings(max_examples=30)
@given(
    health=st.sampled_from([BEATING, KARMADA_LEASED]),
    edges=st.lists(st.integers(1, 1200), min_size=2, max_size=6, unique=True),
    seed=st.integers(0, 5),
)
def test_silences_are_seen_as_if_every_tick_were_looked_at(health, edges, seed):
    # Not to the instant of a tick or a report, where rounding would decide.
    times_s = [edge / 10 + 0.0137 for edge in sorted(edges)[: len(edges) // 2 * 2]]
    down = Spells.of([(0, start, end) for start, end in zip(times_s[::2], times_s[1::2], strict=True)])
    seen = watch(health, 1, Weather(down), 200.0, seed)
    reference = one_look_at_a_time(health, down, 200.0, seed)
    doubts = [one.suspected_at_s for one in reference]
    assert {round(one.suspected_at_s, 6) for one in seen} <= set(np.round(doubts, 6))
    assert min((one.suspected_at_s for one in seen), default=0) == pytest.approx(min(doubts, default=0))
    first = next((one for one in reference if one.declared_at_s < math.inf), None)
    declared = [one.declared_at_s for one in seen if one.declared_at_s < math.inf]
    assert (first is None) == (not declared)
    if first is not None:
        assert declared[0] == pytest.approx(first.declared_at_s)


@given(st.floats(100, 200), st.integers(0, 50))
def test_with_karmadas_defaults_a_death_is_seen_after_30_to_45_seconds(dies_at_s, seed):
    down = Spells.of([(0, dies_at_s, math.inf)])
    (probed,) = watch(KARMADA_PROBED, 1, Weather(down), 400.0, seed)
    (leased,) = watch(KARMADA_LEASED, 1, Weather(down), 400.0, seed)
    assert 30 <= probed.declared_at_s - dies_at_s <= 40 + 1e-6
    assert 30 <= leased.declared_at_s - dies_at_s <= 45 + 1e-6


@given(st.floats(0, 200), st.integers(0, 50))
def test_who_pulls_is_watched_by_its_lease_and_who_is_pushed_to_is_probed_side_by_side(dies_at_s, seed):
    both = [Cluster("pulls", pulls=True), Cluster("pushed")]
    dead = [Failure(cluster.name, dies_at_s) for cluster in both]
    seen_at_s = {
        row.cluster: row.at_s
        for row in failover_timeline(both, [], {}, dead, KARMADA_DEFAULTS, seed=seed).rows
        if row.event == "detected"
    }
    both_probed = failover_timeline([Cluster("pulls"), Cluster("pushed")], [], {}, dead, KARMADA_DEFAULTS, seed=seed).rows
    assert seen_at_s["pushed"] == next(row.at_s for row in both_probed if (row.event, row.cluster) == ("detected", "pushed"))
    assert 30 - 1e-6 <= seen_at_s["pushed"] - dies_at_s <= 40 + 1e-6
    assert 30 - 1e-6 <= seen_at_s["pulls"] - dies_at_s <= 45 + 1e-6
    # A lease is looked at every five seconds, on the clock that began when the first cluster died.
    assert (seen_at_s["pulls"] - dies_at_s + 1.0) % 5.0 == pytest.approx(1.0, abs=1e-6)


@given(st.floats(100, 200), st.integers(0, 50))
def test_heartbeats_see_it_within_four_periods_a_look_and_the_witnesses(dies_at_s, seed):
    (seen,) = watch(BEATING, 1, Weather(Spells.of([(0, dies_at_s, math.inf)])), 400.0, seed)
    assert 2.5 <= seen.declared_at_s - dies_at_s <= 2.0 + 0.1 + 1.0 + 1e-6
    assert seen.suspected_at_s == pytest.approx(seen.declared_at_s - 1.0)


@pytest.mark.parametrize(("health", "short_s"), [(KARMADA_PROBED, 29.9), (KARMADA_LEASED, 29.9), (BEATING, 1.9)])
@given(dies_at_s=st.floats(100, 200), share=st.floats(0.01, 1), seed=st.integers(0, 20))
def test_a_cluster_that_is_back_in_time_is_never_declared(health, short_s, dies_at_s, share, seed):
    down = Spells.of([(0, dies_at_s, dies_at_s + share * short_s)])
    assert all(one.declared_at_s == math.inf for one in watch(health, 1, Weather(down), 400.0, seed))


@pytest.mark.parametrize("health", [*KARMADA_WAYS, BEATING])
def test_one_that_returns_is_ready_again_once_it_has_proved_itself(health):
    down = Spells.of([(0, 100.0, 200.0)])
    (seen,) = watch(health, 1, Weather(down), 400.0, 3)
    assert (
        200 + health.success_threshold_s
        <= seen.cleared_at_s
        <= 200 + health.success_threshold_s + health.report_period_s + 1e-6
    )


def test_lost_heartbeats_alone_declare_nobody_dead():
    seen = watch(BEATING, 200, Weather(lost_share=0.05, delay_s=0.05), 600.0, 0)
    assert seen  # four in a row do get lost: it is doubted, but the witnesses see it
    assert all(one.declared_at_s == math.inf for one in seen)


@pytest.mark.parametrize(("delay_s", "doubted", "declared"), [(0.5, False, False), (2.4, True, False), (4.0, True, True)])
def test_a_slow_cluster_is_doubted_before_it_is_declared(delay_s, doubted, declared):
    slow = Spells(np.array([0]), np.array([100.0]), np.array([300.0]), np.array([delay_s]))
    seen = watch(BEATING, 1, Weather(slow=slow), 600.0, 0)
    assert bool(seen) == doubted
    assert any(one.declared_at_s < math.inf for one in seen) == declared
    if declared:  # its heartbeats arrive after all, and that is taken back at once
        assert seen[0].cleared_at_s - seen[0].declared_at_s <= delay_s


def test_a_cluster_that_flaps_is_believed_at_once_only_the_first_time():
    down = Spells.of([(0, 100.0, 104.0), (0, 200.0, 204.0)])
    first, second = watch(BEATING, 1, Weather(down), 400.0, 1)
    assert first.cleared_at_s < 105
    assert second.cleared_at_s >= 204 + BEATING.success_threshold_s


@pytest.mark.parametrize("name", ["report_period_s", "grace_s", "missed_heartbeats"])
def test_settings_that_cannot_be_are_refused(name):
    with pytest.raises(InputError, match=name):
        HealthSettings(**{name: -1})
