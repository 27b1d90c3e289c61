"""Virtual time: whole microseconds of UTC since 1970-01-01, as plain integers.

Integers compare and add exactly, so two hosts that add the same durations agree to the last digit, which
floating-point seconds would not.  Leap seconds are not counted (none has been inserted since 2017), so an
instant maps to a Julian date by division alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError

Instant = int
"""Microseconds since 1970-01-01T00:00:00 UTC."""

MICROSECOND: int = 1
MILLISECOND: int = 1_000
SECOND: int = 1_000_000
MINUTE: int = 60 * SECOND
HOUR: int = 60 * MINUTE
DAY: int = 24 * HOUR
LONGEST: int = 36_525 * DAY
"""No duration is longer: a hundred years, which leaves room to add some without an overflow."""
FOREVER: int = 2**62
"""Later than any instant of any run; the horizon of a node that nobody can reach."""

UNIX_EPOCH_JULIAN_DAY = 2440587.5

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"us": MICROSECOND, "ms": MILLISECOND, "s": SECOND, "min": MINUTE, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(us|ms|s|min|m|h|d)\s*")


def seconds(value: float) -> int:
    """A duration in seconds as whole microseconds, rounded to the nearest."""
    return round(value * SECOND)


def parse_utc(text: str) -> Instant:
    """The instant named by an ISO 8601 date or date and time.  Without an offset it is taken as UTC.

    Raises:
        InputError: if ``text`` is not ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"'{text}' is not an ISO 8601 time such as 2023-01-03T00:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format_utc(instant: Instant, timespec: str = "milliseconds") -> str:
    """ISO 8601 with a trailing Z, rounded to ``timespec`` (``seconds``, ``milliseconds`` or ``microseconds``)."""
    unit = {"seconds": SECOND, "milliseconds": MILLISECOND, "microseconds": MICROSECOND}[timespec]
    rounded = (int(instant) + unit // 2) // unit * unit
    moment = _EPOCH + timedelta(microseconds=rounded)
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def parse_duration(text: str | float) -> int:
    """A duration such as ``24h``, ``7d`` or ``1h30m`` in microseconds; a bare number is seconds.

    Raises:
        InputError: if ``text`` has an unknown unit or none of the known forms, or is longer than a hundred years.
    """
    if isinstance(text, int | float):
        if not 0 <= text * SECOND <= LONGEST:
            raise InputError(f"{text} is not a duration in seconds")
        return seconds(text)
    total, position = 0.0, 0
    while position < len(text):
        match = _DURATION.match(text, position)
        if match is None:
            break
        total += float(match.group(1)) * _UNITS[match.group(2)]
        position = match.end()
    if position == 0 or position != len(text):
        raise InputError(f"'{text}' is not a duration such as 90s, 30min, 24h or 7d")
    if total > LONGEST:
        raise InputError(f"'{text}' is longer than {LONGEST // DAY} days")
    return round(total)


def julian_date(instant: Instant | NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split Julian date (UTC): whole days ending in .5, and the fraction of the day, in the shape of the input.

    Two parts keep microseconds; a single double would keep only some 40 microseconds.
    """
    days, rest = np.divmod(np.asarray(instant, dtype=np.int64), DAY)
    return days + UNIX_EPOCH_JULIAN_DAY, rest / DAY


def day_of_year(instant: Instant | NDArray[np.int64]) -> NDArray[np.float64]:
    """Days since the first of January, 00:00 UTC, of the same year, with fraction, in the shape of the input."""
    moments = np.asarray(instant, dtype=np.int64).astype("datetime64[us]")
    elapsed = moments - moments.astype("datetime64[Y]").astype("datetime64[us]")
    return np.asarray(elapsed.astype(np.int64) / DAY)
