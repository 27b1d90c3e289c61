"""When a schedule fired last: by the minute, over the whole of its grammar, and in its own time zone."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.cron import Schedule

GREENWICH = ZoneInfo("UTC")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "now", "fired"),
    [
        ("0 3 * * 1", "2026-01-07T12:00", "2026-01-05T03:00"),  # Kubernetes' own example: Mondays at 3
        ("0 3 * * MON", "2026-01-05T03:00", "2026-01-05T03:00"),
        ("0 3 * * mon", "2026-01-05T02:59", "2025-12-29T03:00"),
        ("30 6 29 2 *", "2027-03-01T00:00", "2024-02-29T06:30"),
        ("*/15 * * * *", "2026-01-01T00:14:59", "2026-01-01T00:00"),
        ("5/20 9-17 * * ?", "2026-01-01T08:00", "2025-12-31T17:45"),
        ("0 0 1,15 * Sun", "2026-01-13T00:00", "2026-01-11T00:00"),  # either sort of days will do
        ("0 0 13 * 5", "2026-01-12T23:59", "2026-01-09T00:00"),
        ("0 0 */2 * 1", "2026-01-04T00:00", "2026-01-03T00:00"),  # with a step the day is not left open
        ("@weekly", "2026-01-07T12:00", "2026-01-04T00:00"),
        ("@hourly", "2026-01-07T12:34", "2026-01-07T12:00"),
        ("0 12 31 dec *", "2026-01-01T00:00", "2025-12-31T12:00"),
    ],
)
def test_it_fired_at_the_last_minute_that_all_its_fields_meet(schedule, now, fired):
    assert Schedule.parse(schedule).last_s(at(now), GREENWICH) == at(fired)


def test_what_never_happens_never_fired():
    assert Schedule.parse("0 0 31 2 *").last_s(at("2026-01-01"), GREENWICH) is None


def test_the_clock_is_that_of_its_time_zone():
    manila, now_s = ZoneInfo("Asia/Manila"), at("2026-01-01T00:30")
    assert Schedule.parse("0 8 * * *").last_s(now_s, manila) == at("2026-01-01T00:00")
    assert Schedule.parse("0 9 * * *").last_s(now_s, manila) == at("2025-12-31T01:00")
    # Where clocks jumped, the moment is still no later than now.
    assert Schedule.parse("30 2 * * *").last_s(at("2026-03-29T02:00"), ZoneInfo("Europe/Berlin")) <= at("2026-03-29T02:00")


FIELDS = [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6)]


@st.composite
def field(draw, least, most):
    """A field as text, and its values by another way."""
    parts, values, left_open = [], set(), False
    for _ in range(draw(st.integers(1, 2))):
        step, stepped = draw(st.integers(1, 7)), draw(st.booleans())
        sort = draw(st.sampled_from(["star", "one", "span"]))
        low = draw(st.integers(least, most))
        high = draw(st.integers(low, most))
        text = {"star": "*", "one": f"{low}", "span": f"{low}-{high}"}[sort]
        first, last = {"star": (least, most), "one": (low, most if stepped else low), "span": (low, high)}[sort]
        parts.append(f"{text}/{step}" if stepped else text)
        values |= {one for one in range(first, last + 1) if not stepped or (one - first) % step == 0}
        left_open |= sort == "star" and not (stepped and step > 1)
    return ",".join(parts), values, left_open


@given(st.tuples(*(field(least, most) for _, least, most in FIELDS)), st.integers(0, 4 * 366 * 24 * 60))
def test_looking_at_every_minute_gives_the_same(drawn, minutes):
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes, seconds=30)
    fired_s = Schedule.parse(" ".join(text for text, _, _ in drawn)).last_s(now.timestamp(), GREENWICH)
    (_, in_minutes, _), (_, in_hours, _), (_, in_days, any_day), (_, in_months, _), (_, in_weekdays, any_weekday) = drawn
    moment = now.replace(second=0)
    while moment > now - timedelta(days=2):
        by_day, by_weekday = moment.day in in_days, (moment.weekday() + 1) % 7 in in_weekdays
        falls = (by_day and by_weekday) if any_day or any_weekday else (by_day or by_weekday)
        if moment.minute in in_minutes and moment.hour in in_hours and moment.month in in_months and falls:
            assert fired_s == moment.timestamp()
            return
        moment -= timedelta(minutes=1)
    assert (-math.inf if fired_s is None else fired_s) <= moment.timestamp()


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * *", "is not five fields"),
        ("60 * * * *", "the minute is from 0 to 59, not 60"),
        ("* * 0 * *", "the day is from 1 to 31, not 0"),
        ("* * * * 7", "the weekday is from 0 to 6, not 7"),
        ("* * * jann *", "did you mean 'jan'?"),
        ("*/0 * * * *", "'0' is no step of the minute"),
        ("5-3 * * * *", "'5-3' ends before it begins"),
        ("@dayly", "did you mean '@daily'?"),
        ("@every 5m", "there is no schedule '@every 5m'"),
        ("a, * * * *", "'a' is no minute"),
    ],
)
def test_what_is_no_schedule_is_said(schedule, words):
    with pytest.raises(InputError) as caught:
        Schedule.parse(schedule)
    assert words in str(caught.value)
