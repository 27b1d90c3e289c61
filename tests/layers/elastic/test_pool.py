"""What a pool does with work, against queueing theory, arithmetic and itself."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.elastic import (
    AUTOSCALERS,
    Decision,
    ElasticPool,
    Fixed,
    PoolProfile,
    PoolView,
    QueueDepth,
    autoscaler_from,
    simulate,
)
from skyedge.layers.elastic.lifecycle import NEXT, State, Trigger
from skyedge.layers.elastic.profile import Billing, Image, InstanceType, Spot, StartUp, WarmPool
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND

AT_ONCE = StartUp(scheduling_s=0, sandbox_s=0, model_load_s=0, spread=0, sandboxes_per_s=1e6, launch_burst=10**6)
TEN_SECONDS = AT_ONCE.model_copy(update={"model_load_s": 10})
NO_PULL = Image(cached_share=1)


def profile_of(start_up: StartUp = TEN_SECONDS, **others: object) -> PoolProfile:
    return PoolProfile(**{"start_up": start_up, "image": NO_PULL, "keep_alive_s": 0, **others})


@dataclass
class Scripted:
    """So many instances from each instant on."""

    script: list[tuple[int, int]]
    asked: list[PoolView] = field(default_factory=list)

    def decide(self, view: PoolView) -> Decision:
        self.asked.append(view)
        later = [at for at, _ in self.script if at > view.now]
        return Decision([n for at, n in self.script if at <= view.now][-1], later[0] if later else FOREVER)


work = st.lists(st.tuples(st.integers(0, 20 * MINUTE), st.integers(0, 300_000)), max_size=80)


@st.composite
def pools(draw: st.DrawFn) -> tuple[PoolProfile, dict[str, dict[str, float]]]:
    start_up = StartUp(
        model_load_s=draw(st.sampled_from([0.0, 5.0, 60.0])),
        launches_per_s=draw(st.sampled_from([0.1, 100.0])),
        launch_burst=draw(st.sampled_from([1, 1000])),
        quota=draw(st.sampled_from([1, 3, 50])),
        instances_per_host=4,
    )
    profile = PoolProfile(
        start_up=start_up,
        warm_pool=WarmPool(size=draw(st.sampled_from([0, 2]))),
        purchase=draw(st.sampled_from(["on-demand", "spot"])),
        spot=Spot(mean_hours_between=0.1, notice_s=draw(st.sampled_from([0.0, 30.0]))),
        keep_alive_s=draw(st.sampled_from([0.0, 30.0])),
        minimum_instances=draw(st.sampled_from([0, 1])),
    )
    policy = draw(
        st.sampled_from(
            [
                {"Fixed": {"instances": 2}},
                {"QueueDepth": {"target_s": 60.0, "stabilisation_s": 60.0}},
                {"QueueDepth": {"target_s": 0.0, "target_items": 1.5, "stabilisation_s": 0.0, "growth_factor": 2.0}},
                {"Concurrency": {}},
                {"Fixed": {"instances": 1}, "QueueDepth": {}},
            ]
        )
    )
    return profile, policy


@settings(max_examples=60)
@given(pool=pools(), items=work, cuts=st.lists(st.integers(0, 40 * MINUTE), max_size=6), data=st.data())
def test_however_time_is_cut_the_outcome_is_the_same(pool, items, cuts, data) -> None:
    profile, policy = pool
    at, ms = np.array(items, np.int64).reshape(-1, 2).T
    end = 6 * HOUR
    whole = simulate(at, ms / 1000, profile, autoscaler_from(policy), start=0, end=end, seed=3)
    stepped = ElasticPool(profile, autoscaler_from(policy), seed=3)
    offered, rows = 0, np.argsort(at, kind="stable")
    finished = np.full(len(at), FOREVER)
    for cut in [*sorted(cuts), end]:
        # What arrives until then is offered before, in one piece or two.
        upto = int(np.searchsorted(at[rows], cut, side="right"))
        middle = data.draw(st.integers(offered, upto)) if upto > offered else offered
        for piece in (rows[offered:middle], rows[middle:upto]):
            stepped.offer(piece, at[piece], ms[piece] / 1000, stepped.view().now)
        offered = upto
        done = stepped.advance(cut)
        assert (done.finished_us <= cut).all()
        finished[done.item] = done.finished_us
    assert finished.tolist() == whole.finished_us.tolist()
    assert repr(stepped.bill()) == repr(whole.bill)


@settings(max_examples=30)
@given(pool=pools(), items=work)
def test_work_is_done_once_whole_and_by_no_more_instances_than_there_are(pool, items) -> None:
    profile, policy = pool
    at, ms = np.array(items, np.int64).reshape(-1, 2).T
    own = ElasticPool(profile, autoscaler_from(policy), seed=1)
    own.offer(np.arange(len(at)) + 100, at, ms / 1000, 0)
    done = own.advance(48 * HOUR)
    assert sorted(done.item.tolist()) == [n + 100 for n in range(len(at))]
    assert own.unfinished == 0
    assert (done.begun_us >= done.arrived_us).all()
    assert (done.finished_us - done.begun_us).tolist() == (ms[done.item - 100] * 1000).tolist()
    table, bill = own.instances(), own.bill()
    assert bill.worked_s == pytest.approx(ms.sum() / 1000 + bill.redone_s)
    assert bill.instance_s + 1e-6 >= bill.worked_s
    assert sum(own.states().values()) == len(table)
    instants, size = own.size_log()
    for begun, finished in zip(done.begun_us, done.finished_us, strict=True):
        busy = np.count_nonzero((done.begun_us <= begun) & (done.finished_us > begun))
        if finished > begun:
            assert busy <= size[np.searchsorted(instants, begun, side="right") - 1]
    alive = [np.count_nonzero((table.requested_us <= t) & (table.gone_us > t)) for t in table.requested_us]
    assert max(alive, default=0) <= profile.start_up.quota


def test_a_pool_that_does_not_scale_waits_as_erlang_says() -> None:
    servers, load = 8, 0.8
    rng = np.random.default_rng(1)
    at = np.cumsum(rng.exponential(1 / (servers * load), 100_000)) * SECOND
    outcome = simulate(
        at.astype(np.int64),
        rng.exponential(1.0, len(at)),
        profile_of(AT_ONCE),
        Fixed(servers),
        start=0,
        end=int(at[-1]) + HOUR,
    )
    offered = servers * load
    last = offered**servers / math.factorial(servers) / (1 - load)
    waits = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)  # Erlang C
    expected_s = waits / (servers * (1 - load))
    waited_s = (outcome.begun_us - at.astype(np.int64)) / SECOND
    assert waited_s.mean() == pytest.approx(expected_s, rel=0.06)  # three standard errors of such a run
    assert np.mean(waited_s > 0) == pytest.approx(waits, rel=0.04)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 400)), min_size=1, max_size=60), st.integers(1, 5))
def test_a_fixed_pool_serves_first_come_first_served(items, servers) -> None:
    at, seconds_ = np.array(items, np.int64).T
    free = [10] * servers  # they need ten seconds to start
    heapq.heapify(free)
    expected = np.empty(len(at), np.int64)
    for row in np.argsort(at, kind="stable"):
        expected[row] = max(at[row], heapq.heappop(free)) + seconds_[row]
        heapq.heappush(free, int(expected[row]))
    outcome = simulate(at * SECOND, seconds_, profile_of(), Fixed(servers), start=0, end=10**6 * SECOND)
    assert (outcome.finished_us // SECOND).tolist() == expected.tolist()


@given(st.permutations(range(12)))
def test_the_order_in_which_work_is_given_does_not_matter(order) -> None:
    at, work_s = np.arange(12) * 7 * SECOND, np.arange(12) * 13.0 % 40
    order = np.array(order)
    given_so = simulate(at[order], work_s[order], PoolProfile(), QueueDepth(), start=0, end=HOUR)
    sorted_ = simulate(at, work_s, PoolProfile(), QueueDepth(), start=0, end=HOUR)
    assert given_so.finished_us.tolist() == sorted_.finished_us[order].tolist()


def test_a_pool_at_zero_costs_nothing_and_is_woken_by_work() -> None:
    outcome = simulate([HOUR], [20.0], profile_of(), QueueDepth(stabilisation_s=0), start=0, end=3 * HOUR)
    assert outcome.finished_us.tolist() == [HOUR + 30 * SECOND]
    assert outcome.bill.instance_s <= 60
    assert outcome.size[-1] == 0


def test_an_idle_instance_stays_for_its_keep_alive() -> None:
    for keep_alive_s in (0.0, 100.0):
        profile = profile_of(keep_alive_s=keep_alive_s)
        table = simulate([0], [1.0], profile, Scripted([(0, 1), (20 * SECOND, 0)]), start=0, end=HOUR).instances
        assert table.gone_us.tolist() == [max(20, 11 + keep_alive_s) * SECOND]


def test_a_busy_instance_that_is_given_up_finishes_its_work() -> None:
    script = Scripted([(0, 2), (20 * SECOND, 0)])
    outcome = simulate([0, 0, 0], [100.0, 100.0, 5.0], profile_of(), script, start=0, end=HOUR)
    assert (outcome.finished_us[:2] // SECOND).tolist() == [110, 110]
    assert outcome.finished_us[2] == FOREVER
    assert outcome.instances.gone_us.tolist() == outcome.finished_us[:2].tolist()


def test_a_launch_that_is_no_longer_wanted_is_called_off_before_an_idle_instance_goes() -> None:
    script = Scripted([(0, 1), (15 * SECOND, 2), (20 * SECOND, 1)])
    table = simulate([], [], profile_of(), script, start=0, end=HOUR).instances
    assert table.gone_us.tolist() == [FOREVER, 20 * SECOND]


def test_an_instance_out_of_the_warm_pool_is_there_at_once_and_replaced() -> None:
    warm = WarmPool(size=1, warm_start_s=0.5)
    script = Scripted([(0, 0), (HOUR, 1)])
    own = ElasticPool(profile_of(warm_pool=warm), script)
    own.offer([0], [HOUR], [1.0], 0)
    done = own.advance(2 * HOUR)
    assert done.finished_us.tolist() == [HOUR + 1_500_000]
    assert own.bill().warm_starts == 1
    assert own.bill().cold_starts == 0
    assert own.states()[State.STANDBY] == 1


def test_what_waits_in_a_warm_pool_costs_its_share() -> None:
    costs = []
    for share in (0.0, 0.5, 1.0):
        profile = profile_of(AT_ONCE, warm_pool=WarmPool(size=3, price_share=share), instance=InstanceType(price_per_hour=2))
        costs.append(simulate([], [], profile, Fixed(0), start=0, end=10 * HOUR).bill.cost)
    assert costs == pytest.approx([0, 30, 60], abs=1e-6)


@pytest.mark.parametrize(
    ("billing", "expected"),
    [
        (Billing(increment_s=1), 60 * 1),
        (Billing(increment_s=3600), 3600),
        (Billing(increment_s=1, minimum_s=90), 90),
        (Billing(increment_s=1, starts_at="ready"), 50),
        (Billing(increment_s=7), 63),
    ],
)
def test_billing_rounds_as_its_rules_say(billing: Billing, expected: float) -> None:
    script = Scripted([(0, 1), (60 * SECOND, 0)])
    profile = profile_of(billing=billing, instance=InstanceType(price_per_hour=3600))
    bill = simulate([], [], profile, script, start=0, end=HOUR).bill
    assert bill.instance_s == pytest.approx(expected)
    assert bill.cost == pytest.approx(expected)


def test_work_that_an_interruption_takes_is_done_again() -> None:
    profile = profile_of(purchase="spot", spot=Spot(mean_hours_between=0.5, notice_s=10))
    outcome = simulate(np.zeros(40), np.full(40, 900.0), profile, Fixed(4), start=0, end=100 * HOUR)
    assert (outcome.finished_us < FOREVER).all()
    assert outcome.bill.interruptions > 0
    assert outcome.bill.redone_s > 0
    assert (outcome.finished_us - outcome.begun_us == 900 * SECOND).all()


def test_work_shorter_than_the_notice_is_never_lost() -> None:
    profile = profile_of(purchase="spot", spot=Spot(mean_hours_between=0.05, notice_s=120))
    outcome = simulate(np.arange(2000) * SECOND, np.full(2000, 120.0), profile, Fixed(30), start=0, end=24 * HOUR)
    assert outcome.bill.interruptions > 100
    assert outcome.bill.redone_s == 0


def test_interruptions_come_as_often_as_they_should() -> None:
    profile = profile_of(AT_ONCE, purchase="spot", spot=Spot(mean_hours_between=2.0, notice_s=0))
    bill = simulate([], [], profile, Fixed(100), start=0, end=100 * HOUR).bill
    assert bill.interruptions == pytest.approx(5000, abs=4 * math.sqrt(5000))


def test_every_state_but_the_last_leads_on_and_all_lead_to_the_end() -> None:
    follows = {state: {after for (before, _), after in NEXT.items() if before == state} for state in State}
    assert not follows[State.GONE]
    reached = {State.GONE}
    while True:
        more = {state for state in State if follows[state] & reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(State)
    assert {trigger for _, trigger in NEXT} == set(Trigger)


def test_states_of_a_start_follow_the_milestones() -> None:
    start_up = StartUp(scheduling_s=1, sandbox_s=2, model_load_s=4, spread=0, launches_per_s=1, launch_burst=1)
    own = ElasticPool(PoolProfile(start_up=start_up, image=Image(size_bytes=1000, host_bytes_per_s=1000)), Fixed(2))
    seen = []
    for second in (0.5, 1.5, 2.5, 4.003, 9):
        own.advance(round(second * SECOND))
        seen.append({state.name: number for state, number in own.states().items() if number})
    assert seen == [
        {"REQUESTED": 1, "PROVISIONING": 1},
        {"PROVISIONING": 1, "PULLING": 1},
        {"STARTING": 2},
        {"STARTING": 1, "LOADING": 1},
        {"IDLE": 2},
    ]


def test_bad_work_is_refused_in_a_sentence() -> None:
    own = ElasticPool(PoolProfile(), Fixed(1))
    with pytest.raises(InputError, match="one length"):
        own.offer([1, 2], [0], [1.0], 0)
    with pytest.raises(InputError, match="not negative"):
        own.offer([1], [0], [-1.0], 0)


def test_every_autoscaler_that_comes_along_is_known_by_its_class() -> None:
    assert {name: cls.__name__ for name, cls in AUTOSCALERS.items()} == {name: name for name in AUTOSCALERS}
