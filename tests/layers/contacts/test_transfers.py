"""Jobs reserve passes: nothing is carried twice, the best choice is the best, and a miss is explained."""

from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.contacts.availability import pass_intervals, pass_nodes
from skyedge.layers.contacts.jobs import Lane, TransferJob, TransferJobs
from skyedge.layers.contacts.reservations import ReservationBook
from skyedge.layers.contacts.transfers import bound_of, plan_transfers
from skyedge.layers.scheduler.configuration import DEFAULT
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.snapshot import take_snapshot
from skyedge.space.plan import ContactPlan

S = 1_000_000
POLICIES = ("earliest-deadline", "value-density", "first-come", "optimal")


def plan_of(sessions, satellites=("sat-1", "sat-2", "sat-3")):
    """Sessions (satellite, opens second, closes second, bytes a second in the first and in the second half)."""
    satellite, opens, closes, early, late = (np.array(column) for column in zip(*sessions, strict=True))
    opens, closes = opens.astype(np.int64) * S, closes.astype(np.int64) * S
    count = len(satellite)
    times = np.stack([opens, (opens + closes) // 2, closes], axis=1)
    half = (closes - opens) / S / 2
    carried = np.stack([np.zeros(count), early * half, (early + late) * half], axis=1)
    zeros = np.zeros(count)
    return ContactPlan(
        satellites,
        ("Kiruna",),
        satellite.astype(np.intp),
        np.zeros(count, np.intp),
        opens - S,
        opens,
        closes,
        zeros,
        zeros + 1,
        zeros,
        8e-6,  # a byte a second
        np.arange(0, 3 * count + 1, 3, dtype=np.intp),
        times.reshape(-1),
        carried.reshape(-1),
    )


def job(name, amount, release=0, deadline=1000, **more):
    return TransferJob(name, amount=amount, release_us=release * S, deadline_us=deadline * S, **more)


@st.composite
def cases(draw, most=5):
    sessions, at = [], 0
    for _ in range(draw(st.integers(1, 4))):
        at += draw(st.integers(1, 4))
        length = 2 * draw(st.integers(1, 4))
        sessions.append((draw(st.integers(0, 1)), at, at + length, draw(st.integers(0, 4)), draw(st.integers(0, 4))))
        at += length
    jobs = []
    for number in range(draw(st.integers(1, most))):
        release = draw(st.integers(0, at))
        jobs.append(
            job(
                f"job-{number}",
                draw(st.integers(1, 14)),
                release,
                release + draw(st.integers(1, at + 3)),
                satellites=draw(st.sampled_from([(), ("sat-1",), ("sat-2",), ("sat-1", "sat-2")])),
                lane=draw(st.sampled_from([Lane.DOWN, Lane.DOWN, Lane.UP, Lane.ANTENNA])),
                value=draw(st.integers(0, 9)),
                may_split=draw(st.booleans()),
            )
        )
    return plan_of(sessions), jobs


def assert_kept(plan, jobs, decision):
    """Windows, satellites, whole jobs, single passes, and no byte of a lane given away twice."""
    by_name = {job.name: job for job in jobs}
    for one, other in combinations(decision.reservations, 2):
        if (one.session, one.lane) == (other.session, other.lane):
            assert one.high <= other.low + 1e-2 or other.high <= one.low + 1e-2
    book = ReservationBook(plan)
    for name, job in by_name.items():
        mine = [reservation for reservation in decision.reservations if reservation.job == name]
        assert bool(mine) != (name in decision.misses)
        if not mine:
            continue
        assert sum(reservation.amount for reservation in mine) == pytest.approx(job.amount, abs=1e-2)
        used = {plan.satellite_names[plan.satellite[reservation.session]] for reservation in mine}
        assert len(used) == 1
        assert not job.satellites or used <= set(job.satellites)
        assert job.may_split or len({reservation.session for reservation in mine}) == 1
        for reservation in mine:
            assert job.release_us <= reservation.begin_us + 1
            assert reservation.end_us <= job.deadline_us + 1
            low, high = book.span(reservation.session, reservation.lane, job.release_us, job.deadline_us)
            assert low - 1e-2 <= reservation.low
            assert reservation.high <= high + 1e-2


@settings(max_examples=150)
@given(cases())
def test_no_policy_carries_a_byte_twice_or_out_of_its_window(case):
    plan, jobs = case
    columns = TransferJobs.of(jobs, plan.satellite_names)
    for policy in POLICIES:
        assert_kept(plan, jobs, plan_transfers(columns, ReservationBook(plan), policy))


def can_all_be_carried(plan, chosen):
    """Whether every job gets through, in some choice of satellite or pass: second by second, earliest deadline first."""
    options = []
    for wanted in chosen:
        names = wanted.satellites or plan.satellite_names
        satellites = [plan.satellite_names.index(name) for name in names]
        if wanted.may_split:
            options.append([np.flatnonzero(plan.satellite == satellite).tolist() for satellite in satellites])
        else:
            options.append([[s] for s in range(len(plan)) if plan.satellite[s] in satellites])
    book = ReservationBook(plan)
    for choice in product(*options):
        left = [wanted.amount for wanted in chosen]
        seconds = range(-1, int(plan.closes_us.max()) // S)
        for second in seconds:
            for session, lane in product(range(len(plan)), Lane):
                low, high = book.span(session, lane, second * S, (second + 1) * S)
                room = high - low
                ready = [
                    row
                    for row, wanted in enumerate(chosen)
                    if wanted.lane == lane
                    and session in choice[row]
                    and wanted.release_us <= second * S
                    and (second + 1) * S <= wanted.deadline_us
                ]
                for row in sorted(
                    ready,
                    key=lambda row: min(chosen[row].deadline_us, max(int(plan.closes_us[s]) for s in choice[row])),
                ):
                    sent = min(room, left[row])
                    left[row] -= sent
                    room -= sent
        if all(rest < 1e-6 for rest in left):
            return True
    return not chosen


@settings(max_examples=60)
@given(cases(most=4))
def test_the_optimum_is_the_best_set_of_jobs_that_can_be_carried(case):
    plan, jobs = case
    subsets = chain.from_iterable(combinations(jobs, size) for size in range(len(jobs) + 1))
    truth = max(sum(wanted.value for wanted in chosen) for chosen in subsets if can_all_be_carried(plan, chosen))
    columns = TransferJobs.of(jobs, plan.satellite_names)
    found = plan_transfers(columns, ReservationBook(plan), "optimal")
    assert found.value == pytest.approx(truth)
    assert found.bound == pytest.approx(truth)
    assert bound_of(columns, ReservationBook(plan)) >= truth - 1e-6
    for policy in POLICIES[:3]:
        assert plan_transfers(columns, ReservationBook(plan), policy).value <= truth + 1e-9


@settings(max_examples=40)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_in_which_jobs_are_given_does_not_matter(case, random):
    plan, jobs = case
    shuffled = random.sample(jobs, len(jobs))
    for policy in POLICIES:
        one = plan_transfers(TransferJobs.of(jobs, plan.satellite_names), ReservationBook(plan), policy)
        other = plan_transfers(TransferJobs.of(shuffled, plan.satellite_names), ReservationBook(plan), policy)
        assert one.reservations == other.reservations


@settings(max_examples=60)
@given(cases())
def test_what_is_left_and_what_is_reserved_add_up(case):
    plan, jobs = case
    book = ReservationBook(plan)
    plan_transfers(TransferJobs.of(jobs, plan.satellite_names), book)
    for session, lane in product(range(len(plan)), Lane):
        _, carried = book.curve(session, lane)
        mine = sum(r.amount for r in book.reservations() if (r.session, r.lane) == (session, lane))
        assert mine + book.left(session, lane) == pytest.approx(carried[-1], abs=1e-1)


MEGABYTES = plan_of([(0, 100, 200, 4e5, 4e5), (1, 150, 250, 1e6, 1e6)])


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (job("a", 1e6, satellites=("sat-3",)), "no pass of sat-3 before its deadline"),
        (job("a", 1e6, deadline=90, satellites=("sat-1", "sat-2")), "no pass of sat-1 or sat-2 before its deadline"),
        (job("a", 120e6, satellites=("sat-1",)), "passes before the deadline carry 40 MB of the 120 MB asked"),
        (job("a", 30e6, deadline=150, satellites=("sat-1",)), "passes before the deadline carry 20 MB of the 30 MB asked"),
        (job("a", 30e6, satellites=("sat-1",)), "other jobs go first and leave 15 MB of the 30 MB asked"),
        (
            job("a", 200, satellites=("sat-1",), lane=Lane.ANTENNA),
            "passes before the deadline carry 101 s of the 200 s asked",
        ),
    ],
)
def test_a_job_that_misses_is_told_why(wanted, sentence):
    first = job("Z", 25e6, deadline=210, satellites=("sat-1",))
    jobs = [wanted] if "other jobs" not in sentence else [wanted, first]
    decision = plan_transfers(TransferJobs.of(jobs, MEGABYTES.satellite_names), ReservationBook(MEGABYTES))
    assert decision.misses == {"a": sentence}
    assert decision.finish_us[-1] == -1


def test_a_job_that_may_not_be_split_needs_one_pass_that_is_large_enough():
    plan = plan_of([(0, 0, 10, 1, 1), (0, 20, 30, 1, 1)])
    for may_split, missed in ((True, 0), (False, 1)):
        columns = TransferJobs.of([job("a", 15, satellites=("sat-1",), may_split=may_split)], plan.satellite_names)
        decision = plan_transfers(columns, ReservationBook(plan), "optimal")
        assert len(decision.misses) == missed
        if missed:
            assert (
                decision.misses["a"] == "no single pass before the deadline carries more than 10 bytes of the 15 bytes asked"
            )
        else:
            assert [(r.session, r.amount) for r in decision.reservations] == [(0, 10.0), (1, 5.0)]
            assert decision.finish_us.tolist() == [25 * S]


def test_value_and_deadline_lead_to_different_choices_and_the_optimum_sees_both():
    plan = plan_of([(0, 0, 10, 1, 1)])
    jobs = [job("cheap", 8, deadline=9, value=1), job("dear", 10, value=5), job("small", 2, value=1)]
    columns = TransferJobs.of(jobs, plan.satellite_names)
    values = {policy: plan_transfers(columns, ReservationBook(plan), policy).value for policy in POLICIES}
    assert values == {"earliest-deadline": 2, "value-density": 5, "first-come": 2, "optimal": 5}


def test_a_reservation_holds_until_it_is_cancelled_and_others_see_what_is_left():
    book = ReservationBook(MEGABYTES)
    columns = TransferJobs.of([job("first", 30e6, satellites=("sat-1",))], MEGABYTES.satellite_names)
    plan_transfers(columns, book)
    assert book.left(0, Lane.DOWN) == pytest.approx(10e6)
    second = TransferJobs.of([job("second", 20e6, satellites=("sat-1",))], MEGABYTES.satellite_names)
    late = plan_transfers(second, book)
    assert late.misses == {"second": "earlier reservations leave 10 MB of the 20 MB asked"}
    with pytest.raises(InputError, match="has reservations already"):
        plan_transfers(columns, book)
    with pytest.raises(InputError, match="job first has reserved some of this"):
        book.reserve("other", 0, Lane.DOWN, 0, 1e6)
    book.cancel("first")
    assert not plan_transfers(second, book).misses


def test_a_pass_is_a_node_while_it_lasts_and_the_scheduler_binds_a_pod_to_it():
    book = ReservationBook(MEGABYTES)
    plan_transfers(TransferJobs.of([job("first", 30e6, satellites=("sat-1",))], MEGABYTES.satellite_names), book)
    passes = pass_intervals(book)
    assert passes.left[:, Lane.DOWN] == pytest.approx([10e6, 100e6])
    assert passes.next_change(0) == 100 * S
    assert passes.next_change(160 * S) == 200 * S
    assert passes.next_change(250 * S) is None
    assert pass_nodes(book, 50 * S) == ()
    nodes = pass_nodes(book, 160 * S)
    assert [node.labels["skyedge.io/satellite"] for node in nodes] == ["sat-1", "sat-2"]
    shape = PodShape(request=(("skyedge.io/downlink-mb", 50_000),))
    pods = [Pod(f"sender-{number}", "ns/senders", shape) for number in range(2)]
    snapshot = take_snapshot(nodes, pods, [PodGroup("ns/senders", min_member=1)], [Queue("default")])
    decision = schedule(snapshot, DEFAULT)
    # Ninety megabytes are left of sat-2's pass: one pod of fifty fits, and sat-1's has ten.
    assert [snapshot.nodes.names[row] for row in decision.bound_nodes] == [nodes[1].name]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([job("a", 1), job("a", 1)], "another job has this name"),
        ([job("a", 1, satellites=("sat-11",))], "did you mean 'sat-1'"),
        ([job("a", 0)], "more than nothing"),
        ([job("a", float("nan"))], "more than nothing"),
        ([job("a", 1, value=-1)], "value should be"),
        ([job("a", 1, release=10, deadline=10)], "deadline is not after"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        TransferJobs.of(wrong, MEGABYTES.satellite_names)


def test_a_policy_that_is_not_there_is_named():
    with pytest.raises(InputError, match="did you mean 'optimal'"):
        plan_transfers(TransferJobs.of([], MEGABYTES.satellite_names), ReservationBook(MEGABYTES), "optmal")
