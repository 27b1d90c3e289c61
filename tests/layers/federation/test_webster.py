"""Webster's method: the same as one seat at a time, and the properties that it is chosen for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.webster import TieBreak, webster, webster_seats


def one_at_a_time(new_seats, votes, held, members, descending, tie_break):
    """The rule as it is written down."""
    seats = list(held)
    parties = [party for party in range(len(votes)) if members[party]]
    for _ in range(new_seats if parties else 0):

        def turn(party):
            fewer = seats[party] if tie_break is TieBreak.FEWER_SEATS_THEN_NAME else 0
            return (-votes[party] / (2 * seats[party] + 1), fewer, -party if descending else party)

        seats[min(parties, key=turn)] += 1
    return seats


@st.composite
def parliaments(draw):
    parties = draw(st.integers(1, 7))
    rows = draw(st.integers(1, 6))
    votes = st.one_of(st.integers(0, 4), st.integers(0, 60), st.integers(0, 10**7))

    def table(cells):
        return draw(st.lists(st.lists(cells, min_size=parties, max_size=parties), min_size=rows, max_size=rows))

    return (
        draw(st.lists(st.integers(0, 80), min_size=rows, max_size=rows)),
        table(votes),
        table(st.integers(0, 12)),
        table(st.booleans()),
        draw(st.lists(st.booleans(), min_size=rows, max_size=rows)),
        draw(st.sampled_from(TieBreak)),
    )


@given(parliaments())
def test_many_at_once_are_as_one_seat_at_a_time(parliament):
    new_seats, votes, held, members, descending, tie_break = parliament
    got = webster_seats(
        np.array(new_seats), np.array(votes), np.array(held), np.array(members), np.array(descending), tie_break
    )
    rows = zip(new_seats, votes, held, members, descending, strict=True)
    assert got.tolist() == [one_at_a_time(*row, tie_break) for row in rows]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=8, max_size=40),
    st.lists(st.tuples(st.integers(0, 25), st.booleans()), min_size=1, max_size=5),
    st.sampled_from(TieBreak),
)
def test_the_many_parties_that_get_nothing_change_nothing(parties, rows, tie_break):
    votes, members = [votes for votes, _ in parties], [mine for _, mine in parties]
    new_seats, descending = [new for new, _ in rows], [down for _, down in rows]
    got = webster_seats(
        np.array(new_seats),
        np.array([votes] * len(rows)),
        members=np.array([members] * len(rows)),
        descending=np.array(descending),
        tie_break=tie_break,
    )
    none = [0] * len(votes)
    assert got.tolist() == [one_at_a_time(new, votes, none, members, down, tie_break) for new, down in rows]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.integers(0, 3000))
def test_one_more_seat_costs_nobody_a_seat(votes, new_seats):
    seats = webster_seats(np.array([new_seats, new_seats + 1]), np.array([votes, votes]))
    assert seats.sum(axis=1).tolist() == [new_seats, new_seats + 1]
    assert (seats[1] >= seats[0]).all()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 200), st.integers(1, 1000))
def test_only_the_proportions_of_votes_matter(votes, new_seats, factor):
    plain, times = np.array([votes]), np.array([votes]) * factor
    seats = np.array([new_seats])
    assert webster_seats(seats, plain).tolist() == webster_seats(seats, times).tolist()


def test_large_tables_are_cut_into_pieces_that_make_no_difference():
    random = np.random.default_rng(5)
    votes = random.integers(0, 500, (700, 300))
    new_seats = random.integers(0, 2000, 700)
    whole = webster_seats(new_seats, votes)
    assert (whole.sum(axis=1) == new_seats).all()
    assert (webster_seats(new_seats[333:334], votes[333:334])[0] == whole[333]).all()


def test_half_a_million_seats_are_divided_as_exactly_as_ten():
    assert webster(500_000, {"a": 3, "b": 1, "c": 1}) == {"a": 300_000, "b": 100_000, "c": 100_000}


def test_without_parties_there_are_no_seats():
    assert webster(3, {}) == {}


def test_negative_votes_are_refused():
    with pytest.raises(InputError, match="never negative"):
        webster(1, {"a": -1})
