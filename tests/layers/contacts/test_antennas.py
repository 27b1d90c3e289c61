"""Antennas are handed out within the rules, and the best way of handing them out is the best there is."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from skyedge.errors import InputError
from skyedge.layers.contacts.antennas import AntennaContest, first_come
from skyedge.layers.contacts.greedy import greedy
from skyedge.layers.contacts.optimal import optimal
from skyedge.layers.contacts.segments import cut
from skyedge.layers.contacts.worth import Worth

S = 1_000_000


def contest_of(contacts, antennas, *, setup_s=0, minimum_s=1, weights=None):
    """Rows (satellite, site, rise second, set second); the worth of a contact grows as a hill does, times its weight."""
    satellite, site, rise, set_ = (np.array(column) for column in zip(*contacts, strict=True))
    rise, set_ = rise.astype(np.int64) * S, set_.astype(np.int64) * S
    weights = np.ones(len(contacts)) if weights is None else np.asarray(weights, float)
    shape = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    times = (rise[:, None] + np.rint((set_ - rise)[:, None] * np.linspace(0, 1, 5))).astype(np.int64)
    gained = weights[:, None] * (set_ - rise)[:, None] / S * shape
    worth = Worth(np.arange(0, 5 * len(contacts) + 1, 5), times.reshape(-1), gained.reshape(-1))
    return AntennaContest(
        satellite.astype(np.intp),
        site.astype(np.intp),
        rise,
        set_,
        np.array(antennas, np.int64),
        worth,
        setup_us=setup_s * S,
        minimum_us=minimum_s * S,
    )


@st.composite
def contests(draw, most=7, horizon=12):
    count = draw(st.integers(1, most))
    rises = [draw(st.integers(0, horizon)) for _ in range(count)]
    contacts, busy = [], set()
    for rise in rises:
        satellite, site, length = draw(st.integers(0, 2)), draw(st.integers(0, 1)), draw(st.integers(1, 6))
        # A satellite rises over a site once it has set there.
        if any((satellite, site, second) in busy for second in range(rise, rise + length + 1)):
            continue
        busy |= {(satellite, site, second) for second in range(rise, rise + length + 1)}
        contacts.append((satellite, site, rise, rise + length))
    weights = [draw(st.integers(0, 5)) for _ in contacts]
    antennas = [draw(st.integers(0, 2)), draw(st.integers(1, 2))]
    return contest_of(
        contacts, antennas, setup_s=draw(st.integers(0, 2)), minimum_s=draw(st.integers(1, 3)), weights=weights
    )


def assert_within_the_rules(contest, assignment):
    contact, begin, end = assignment.contact, assignment.begin_us, assignment.end_us
    assert (begin >= contest.rise_us[contact]).all()
    assert (end <= contest.set_us[contact]).all()
    assert (end - begin >= contest.shortest_us).all()
    for instant in np.concatenate([begin, end]):
        talking = contact[(begin <= instant) & (instant < end)]
        assert np.bincount(contest.satellite[talking], minlength=1).max() <= 1
        at_site = np.bincount(contest.site[talking], minlength=len(contest.antennas))
        assert (at_site <= contest.antennas).all()


def best_by_trying_everything(contest):
    """Every way to give antennas, as whole states of who talks since when, instant by instant.

    A contact may begin or end a session where a rival of its own rises or sets, and at its own rise and set.
    """
    instants = np.unique(np.concatenate([contest.rise_us, contest.set_us]))
    segments, _ = cut(contest)
    may_change = {(int(c), int(at)) for c, at in zip(segments.contact, segments.begin_us, strict=True)}
    may_change |= {(int(c), int(at)) for c, at in zip(segments.contact, segments.end_us, strict=True)}
    best = {tuple([-1] * len(contest)): 0.0}  # since when each contact talks; -1: it does not
    for now, following in zip(instants, [*instants[1:], None], strict=True):
        after = {}
        for state, value in best.items():
            # End at this instant or go on, begin or not.
            choices = []
            for contact, since in enumerate(state):
                open_now = contest.rise_us[contact] <= now < contest.set_us[contact]
                options = set()
                changes = (contact, int(now)) in may_change
                if since < 0:
                    options.add(-1)
                    if open_now and changes:
                        options.add(int(now))
                else:
                    if open_now:
                        options.add(since)
                    if changes and now - since >= contest.shortest_us:
                        options.add(-1)
                choices.append(options)
            for new in product(*choices):
                talking = [contact for contact, since in enumerate(new) if since >= 0]
                satellites = [contest.satellite[contact] for contact in talking]
                if len(set(satellites)) < len(satellites):
                    continue
                used = np.bincount(contest.site[talking], minlength=len(contest.antennas)) if talking else 0
                if talking and (used > contest.antennas).any():
                    continue
                gained = value
                for contact, since in enumerate(state):
                    if since >= 0 and new[contact] != since:
                        gained += contest.session_worth(np.array([contact]), np.array([since]), np.array([now]))[0]
                after[new] = max(after.get(new, -1.0), gained)
        best = after
        assert following is None or best
    return max(best.values())


@settings(max_examples=150)
@given(contests())
def test_no_policy_breaks_a_rule(contest):
    for assignment in (first_come(contest), greedy(contest), optimal(contest, time_limit_s=600).assignment):
        assert_within_the_rules(contest, assignment)


@settings(max_examples=120)
@given(contests(most=5, horizon=8))
def test_the_optimum_is_what_trying_everything_finds(contest):
    found = optimal(contest, time_limit_s=600)
    truth = best_by_trying_everything(contest)
    assert found.assignment.total == pytest.approx(truth, abs=1e-6)
    assert found.bound == pytest.approx(truth, abs=1e-6)


@settings(max_examples=60)
@given(contests(most=9, horizon=20))
def test_the_optimum_beats_greed_and_arrival_and_stays_below_its_bound(contest):
    found = optimal(contest, time_limit_s=600)
    assert found.greedy_total >= 0
    assert found.assignment.total >= found.greedy_total
    assert found.assignment.total >= found.first_come_total
    assert found.bound >= found.assignment.total
    assert 0 <= found.gap() <= found.gap(min(found.greedy_total, found.first_come_total)) <= 1


@settings(max_examples=60)
@given(contests(most=9, horizon=20))
def test_a_relaxation_written_down_anew_is_no_less_than_the_optimum(contest):
    """Shares of an antenna, instant by instant, setting up for nothing: a looser problem, by another hand."""
    instants = np.unique(np.concatenate([contest.rise_us, contest.set_us]))
    cells = [
        (contact, low, high)
        for contact in range(len(contest))
        for low, high in pairwise(instants)
        if contest.rise_us[contact] <= low and high <= contest.set_us[contact]
    ]
    gain = [
        contest.worth.at(np.array([c]), np.array([high]))[0] - contest.worth.at(np.array([c]), np.array([low]))[0]
        for c, low, high in cells
    ]
    rows, limits = [], []
    for low in instants[:-1]:
        for group, capacity in ((contest.satellite, np.ones(3)), (contest.site, contest.antennas)):
            for member in np.unique(group):
                rows.append([float(begin == low and group[c] == member) for c, begin, _ in cells])
                limits.append(capacity[member])
    relaxed = linprog(-np.array(gain), A_ub=rows, b_ub=limits, bounds=(0, 1))
    assert -relaxed.fun >= optimal(contest, time_limit_s=600).assignment.total - 1e-6


@settings(max_examples=40)
@given(contests(most=9, horizon=20), st.randoms(use_true_random=False))
def test_the_order_of_the_contacts_does_not_matter(contest, random):
    order = np.array(random.sample(range(len(contest)), len(contest)))
    for policy in (first_come, greedy, lambda c: optimal(c, time_limit_s=600).assignment):
        one, other = policy(contest), policy(contest.take(order))
        assert sorted(zip(one.contact, one.begin_us, one.end_us, strict=True)) == sorted(
            zip(order[other.contact], other.begin_us, other.end_us, strict=True)
        )


def many_contacts(seed, count=220):
    draws = np.random.default_rng(seed)
    site, satellite = draws.integers(0, 4, count), draws.integers(0, 12, count)
    rise = np.sort(draws.integers(0, 9_000, count))
    contacts, until = [], {}
    for pair, begin in zip(zip(satellite, site, strict=True), rise, strict=True):
        if until.get(pair, -1) < begin:
            until[pair] = begin + int(draws.integers(150, 700))
            contacts.append((*pair, begin, until[pair]))
    return contest_of(contacts, [1, 2, 1, 1], setup_s=8, minimum_s=60, weights=draws.random(len(contacts)))


@pytest.mark.parametrize("seed", range(4))
def test_slicing_in_time_loses_little_and_its_bound_holds(seed):
    contest = many_contacts(seed)
    whole = optimal(contest, time_limit_s=600, piece_segments=10**9)
    sliced = optimal(contest, time_limit_s=600, piece_segments=120)
    assert sliced.pieces > whole.pieces
    assert_within_the_rules(contest, sliced.assignment)
    assert whole.gap() < 1e-6
    # Slicing adds instants at which an antenna may change over, so both may gain on the whole.
    assert sliced.bound >= whole.assignment.total * (1 - 1e-9)
    assert sliced.assignment.total >= 0.97 * whole.assignment.total
    assert sliced.gap() < 0.03


def test_when_the_time_is_up_greed_answers_and_the_bound_still_holds():
    contest = many_contacts(7)
    struck, solved = optimal(contest, time_limit_s=0.0), optimal(contest, time_limit_s=600)
    assert struck.struck > 0 == solved.struck
    assert struck.assignment.total >= struck.greedy_total > 0
    assert struck.bound >= solved.assignment.total
    assert_within_the_rules(contest, struck.assignment)


def test_a_session_is_cut_when_a_better_one_comes():
    # Satellite 0 is worth little; satellite 1 rises in its midst and is worth much.
    contest = contest_of([(0, 0, 0, 600), (1, 0, 200, 400)], [1], setup_s=10, minimum_s=60, weights=[1, 50])
    found = optimal(contest).assignment
    parts = {(int(c), b // S, e // S) for c, b, e in zip(found.contact, found.begin_us, found.end_us, strict=True)}
    assert parts == {(0, 0, 200), (1, 200, 400), (0, 400, 600)}
    assert first_come(contest).contacts_used == 1


def test_two_antennas_serve_both_and_nobody_is_cut():
    contest = contest_of([(0, 0, 0, 600), (1, 0, 200, 400)], [2], setup_s=10, minimum_s=60)
    for assignment in (first_come(contest), greedy(contest), optimal(contest).assignment):
        assert assignment.total == pytest.approx(contest.whole_worth().sum())


def test_a_satellite_over_two_sites_talks_to_one():
    contest = contest_of([(0, 0, 0, 300), (0, 1, 0, 300)], [1, 1], setup_s=10, minimum_s=60, weights=[1, 2])
    found = optimal(contest).assignment
    assert found.contact.tolist() == [1]


@settings(max_examples=100)
@given(contests(most=9, horizon=20))
def test_a_contact_may_change_over_wherever_a_rival_for_its_satellite_or_its_only_antenna_rises_or_sets(contest):
    segments, _ = cut(contest)
    edges = set(zip(segments.contact.tolist(), segments.begin_us.tolist(), strict=True))
    for one, other in product(range(len(contest)), repeat=2):
        same_satellite = contest.satellite[one] == contest.satellite[other]
        same_antenna = contest.site[one] == contest.site[other] and contest.antennas[contest.site[one]] == 1
        overlap = contest.rise_us[one] < contest.set_us[other] and contest.rise_us[other] < contest.set_us[one]
        if one != other and overlap and (same_satellite or same_antenna):
            for at in (int(contest.rise_us[other]), int(contest.set_us[other])):
                if contest.rise_us[one] < at < contest.set_us[one]:
                    assert (one, at) in edges


def test_contacts_that_nobody_contests_are_not_cut():
    contest = contest_of([(0, 0, 0, 300), (1, 0, 300, 600), (2, 1, 100, 500)], [1, 1])
    segments, _ = cut(contest)
    assert len(segments) == 3
    assert len(segments.cliques) == 0


def test_no_contacts_are_no_trouble():
    empty = np.empty(0, np.int64)
    worth = Worth.even(empty, empty, np.empty(0))
    contest = AntennaContest(empty.astype(np.intp), empty.astype(np.intp), empty, empty, np.array([1]), worth)
    assert len(first_come(contest)) == len(greedy(contest)) == len(optimal(contest).assignment) == 0


def test_contacts_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="ends before it has begun"):
        contest_of([(0, 0, 5, 5)], [1])
    with pytest.raises(InputError, match="cannot be negative"):
        contest_of([(0, 0, 0, 5)], [-1])
