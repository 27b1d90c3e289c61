import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.rows import Rows, chosen, reaches
from skyedge.layers.mesh.weights import choose
from skyedge.streams import stream

shares = st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(lambda row: len(row) == 1 or sum(row) > 0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(), max_size=600)), max_size=40))
def test_rows_hold_what_was_last_put_however_they_grow_and_move(puts):
    rows, expected = Rows(value=object, twice=object), [[] for _ in range(10)]
    for _ in range(10):
        rows.append(value=[], twice=[])
    for row, values in puts:
        rows.put(row, value=values, twice=[2 * value for value in values])
        expected[row] = values
    assert [rows.row(row, "value").tolist() for row in range(10)] == expected
    assert [rows.row(row, "twice").tolist() for row in range(10)] == [[2 * value for value in row] for row in expected]


def test_holes_are_closed_before_they_are_most_of_a_column():
    rows = Rows(value=np.int64)
    for _ in range(3):
        rows.append(value=[])
    for length in range(1, 2000):
        rows.put(length % 3, value=np.arange(length))
    assert rows.columns["value"].size < 5 * 3 * 2000


@given(st.lists(shares, min_size=1, max_size=6), st.integers(0, 99))
def test_a_batch_over_many_rows_chooses_as_each_would(table, seed):
    chance = stream(seed, "rows", "draws")
    rows = Rows(reach=np.float64)
    for row in table:
        rows.append(reach=reaches(row))
    asked, draws = chance.integers(0, len(table), 60), chance.random(60)
    draws[:3] = 0.0, 1 - 2**-53, 0.5
    starts = rows.start[asked]
    got = chosen(starts, rows.columns["reach"], draws) - starts
    assert got.tolist() == [int(choose(table[row], draw)) for row, draw in zip(asked, draws.tolist(), strict=True)]
