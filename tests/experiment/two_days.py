"""What a flight of two days measured, and whether two flights were the same to the last digit."""

import numpy as np

from skyedge.experiment.metrics import measure
from skyedge.time import parse_duration


def measured(record, scenes):
    """The figures of a flight of two days in which an answer is due within twelve hours."""
    return measure(record, scenes, parse_duration("12h"), record.start_us + parse_duration("2d")).figures


def same_flight(first, second, *tables):
    """Every byte, every joule, and every column of the tables of that name."""
    assert list(first.ledger.rows()) == list(second.ledger.rows())
    assert first.energy == second.energy
    for table in tables:
        for name, column in getattr(first, table).items():
            assert np.array_equal(column, getattr(second, table)[name])
