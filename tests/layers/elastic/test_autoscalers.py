"""What autoscalers ask for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.elastic import (
    Combined,
    Concurrency,
    ContactPlan,
    Decision,
    Fixed,
    Outlook,
    PoolProfile,
    PoolView,
    QueueDepth,
    autoscaler_from,
    simulate,
)
from skyedge.layers.elastic.contact_plan import largest_need, mean_need
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND


def view(now_s: float = 0, waiting: int = 0, busy: int = 0, idle: int = 0, coming: int = 0, each_s: float = 10) -> PoolView:
    return PoolView(round(now_s * SECOND), waiting, waiting * each_s, busy, busy * each_s, idle, coming, 0)


class Stubborn:
    """Two, whatever happens; a user's own."""

    def decide(self, view: PoolView) -> Decision:
        return Decision(2)


class Backward:
    """Wants to be asked yesterday."""

    def decide(self, view: PoolView) -> Decision:
        return Decision(1, view.now)


def test_queue_depth_asks_for_so_much_work_an_instance() -> None:
    assert QueueDepth(target_s=25).decide(view(waiting=9, busy=1)).instances == 4
    assert QueueDepth(target_s=0, target_items=4).decide(view(waiting=9, busy=1)).instances == 3


def test_queue_depth_keeps_what_is_nearly_right() -> None:
    assert QueueDepth(target_s=10).decide(view(waiting=21, idle=20)).instances == 20
    assert QueueDepth(target_s=10).decide(view(waiting=23, idle=20)).instances == 23


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.floats(0, 400))
def test_queue_depth_asks_for_the_greatest_wish_of_its_window(waiting: list[int], window_s: float) -> None:
    policy, eager = (QueueDepth(target_s=10, tolerance=0, stabilisation_s=s) for s in (window_s, 0))
    wishes: list[int] = []
    for step, number in enumerate(waiting):
        seen = view(15 * step, waiting=number)
        wishes.append(eager.decide(seen).instances)
        inside = [wish for n, wish in enumerate(wishes) if 15 * (step - n) <= window_s + 1e-6]
        assert policy.decide(seen).instances == max(inside)


def test_growth_can_be_held_to_a_factor() -> None:
    policy = QueueDepth(target_s=10, growth_factor=2, growth_step=4)
    assert policy.decide(view(waiting=1000)).instances == 4
    assert policy.decide(view(waiting=1000, busy=50)).instances == 100


def test_concurrency_panics_in_a_burst_and_does_not_scale_in_until_it_is_over() -> None:
    policy = Concurrency(target_items=1, utilisation=1)
    for second in range(0, 60, 2):
        assert policy.decide(view(second, busy=2)).instances == 2
    assert policy.decide(view(60, waiting=200, busy=2)).instances >= 60  # the average of the last six seconds
    grown = policy.decide(view(62, waiting=200, busy=2)).instances
    assert policy.decide(view(70, busy=100)).instances >= grown
    for second in range(72, 260, 2):
        last = policy.decide(view(second, busy=2, idle=98)).instances
    assert last == 2


def test_a_combination_asks_for_the_most_and_is_asked_as_soon_as_any() -> None:
    policy = Combined([Fixed(3), QueueDepth(target_s=10)])
    assert policy.decide(view(waiting=7)) == Decision(7, 15 * SECOND, False)
    assert Combined([Fixed(3), QueueDepth()]).decide(view()) == Decision(3, FOREVER, True)


def outlook(*passes: tuple[float, float, float], cold_start_s: float = 20) -> Outlook:
    opens, closes, work = np.array(passes, float).reshape(-1, 3).T
    return Outlook.of_passes((opens * SECOND).astype(np.int64), (closes * SECOND).astype(np.int64), work, cold_start_s)


def test_the_contact_plan_has_instances_ready_when_the_pass_opens() -> None:
    plan = outlook((1000, 1500, 5600))
    policy = autoscaler_from({"ContactPlan": {"wait_s": 60}}, plan)
    result = simulate([], [], PoolProfile(keep_alive_s=0), policy, start=0, end=HOUR)
    assert result.size.max() == 10 == policy.peak()
    assert result.size[np.searchsorted(result.size_at_us, 1000 * SECOND, side="right") - 1] == 10
    assert result.size_at_us[1] > 980 * SECOND  # and not before its lead
    assert result.size_at_us[-1] == 1560 * SECOND
    assert result.size[-1] == 0


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 900), st.integers(0, 9000)), min_size=1, max_size=12))
def test_passes_at_once_add_up(rows: list[tuple[int, int, int]]) -> None:
    plan = outlook(*((opens, opens + length, work) for opens, length, work in rows))
    policy = ContactPlan(wait_s=60, lead_s=30).informed(plan)
    sizes = plan.instances(60)
    for now in range(0, 6500, 123):
        expected = sum(
            int(size)
            for (opens, length, _), size in zip(rows, sizes, strict=True)
            if opens - 30 <= now < opens + length + 60
        )
        assert policy.decide(view(now)).instances == expected
    assert largest_need(plan, 60) == ContactPlan(wait_s=60, lead_s=1e-6).informed(plan).peak()


def test_the_contact_plan_does_not_give_up_what_is_needed_for_work_that_is_left() -> None:
    policy = ContactPlan(wait_s=60, lead_s=30).informed(outlook((1000, 1500, 5600)))
    assert policy.decide(view(1600, waiting=50, busy=10)).instances == 10
    assert policy.decide(view(1700, busy=3, idle=7)).instances == 3
    assert policy.decide(view(5000, waiting=1)).instances == 1  # what nobody planned for


def test_a_pass_that_is_planned_for_is_answered_in_time() -> None:
    plan = outlook((1000, 1500, 5600), (4000, 4400, 2300))
    at = np.concatenate([np.linspace(1001, 1500, 560), np.linspace(4001, 4400, 230)]) * SECOND
    policies = {
        "plan": autoscaler_from({"ContactPlan": {"wait_s": 60}}, plan),
        "queue": autoscaler_from({"QueueDepth": {"target_s": 60.0}}),
    }
    results = {
        name: simulate(at.astype(np.int64), np.full(len(at), 10.0), PoolProfile(), policy, start=0, end=2 * HOUR)
        for name, policy in policies.items()
    }
    late_s = results["plan"].finished_us / SECOND - np.where(at < 2000 * SECOND, 1500, 4400)
    assert late_s.max() <= 60 + 10  # one item's work besides
    first = [0, 560]
    assert results["plan"].waited_s[first].tolist() == pytest.approx([10, 10])  # its instance is there when it lands
    assert (results["queue"].waited_s[first] > 12).all()  # and here it waits for a cold start
    assert results["plan"].bill.worked_s == pytest.approx(7900)


@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(0, 900)), min_size=1, max_size=20),
    st.integers(1, 200),
)
def test_no_work_waits_longer_than_was_planned_for(steps: list[tuple[int, int]], wait_s: int) -> None:
    length_s, work_s = np.array(steps, float).T
    times = np.concatenate([[0], np.cumsum(length_s)]) * SECOND
    curve = Outlook(np.array([0, len(times)]), times.astype(np.int64), np.concatenate([[0], np.cumsum(work_s)]), 0.0)
    rate = int(curve.instances(wait_s)[0])
    backlog_s = longest = 0.0
    for length, work in zip(length_s, work_s, strict=True):  # a fluid queue, by hand
        backlog_s = max(0.0, backlog_s + work - rate * length) if rate else 0.0
        longest = max(longest, backlog_s / max(rate, 1))
    assert longest <= wait_s + 1e-6
    if rate > 1:  # and with one fewer somebody would wait longer
        backlog_s = longest = 0.0
        for length, work in zip(length_s, work_s, strict=True):
            backlog_s = max(0.0, backlog_s + work - (rate - 1) * length)
            longest = max(longest, backlog_s / (rate - 1))
        assert longest > wait_s - 1e-6


def test_a_pool_for_the_mean_does_the_work_of_the_day() -> None:
    plan = outlook((1000, 1500, 5600), (4000, 4400, 2300))
    assert mean_need(plan.total_work_s(), 7900) == 1
    assert mean_need(plan.total_work_s(), 7899) == 2
    assert largest_need(outlook(), 60) == 0


def test_a_users_own_autoscaler_is_found_by_its_path() -> None:
    policy = autoscaler_from({f"{__name__}:Stubborn": {}})
    assert simulate([], [], PoolProfile(), policy, start=0, end=HOUR).size.max() == 2


def test_an_autoscaler_of_the_past_is_refused() -> None:
    with pytest.raises(InputError, match="asked again 0 s ago"):
        simulate([], [], PoolProfile(), Backward(), start=0, end=HOUR)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"QueueDept": {}}, "no autoscaler 'QueueDept'.*QueueDepth"),
        ({"QueueDepth": {"target": 3}}, "has no 'target'.*target_s"),
        ({"QueueDepth": {"target_s": "many"}}, "must be a number, not 'many'"),
        ({"QueueDepth": {"target_s": -1}}, "must not be negative"),
        ({"Fixed": {"instances": 1.5}}, "whole number"),
        ({"Concurrency": {"utilisation": 0}}, "between 0 and 1"),
        ({"nowhere.at_all:Thing": {}}, "cannot import"),
        ({"math:inf": {}}, "has no class"),
        ({"fractions:Fraction": {}}, "lacks a method decide"),
        ({}, "at least one"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(parts, words) -> None:
    with pytest.raises(InputError, match=words):
        autoscaler_from(parts)


def test_a_contact_plan_without_passes_says_so() -> None:
    with pytest.raises(InputError, match="passes to plan for"):
        ContactPlan().decide(view())


def test_the_cold_start_is_the_lead_unless_another_is_given() -> None:
    plan = outlook((1000, 1500, 500), cold_start_s=77)
    assert ContactPlan().informed(plan).decide(view(0)).ask_again == (1000 - 77) * SECOND
    assert ContactPlan(lead_s=5).informed(plan).decide(view(0)).ask_again == 995 * SECOND
    assert math.isfinite(PoolProfile().cold_start_s(8000))
    assert plan.opens_us[0] > MINUTE


def test_work_of_no_length_wakes_the_pool_too() -> None:
    assert QueueDepth().decide(view(waiting=3, each_s=0)).instances == 1
