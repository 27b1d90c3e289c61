"""When a schedule of cron fired last: minute, hour, day of the month, month, day of the week.

As Kubernetes reads them (github.com/robfig/cron, version 3): lists, ranges, steps, names of months and days, ``@daily`` and
its like; the week begins with Sunday, which is 0.  Where both sorts of days are restricted, either will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from skyedge.errors import InputError, nearest

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

USUAL = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

DAYS_BACK = 9 * 366
"""So far it is looked back: the 29th of February may be eight years ago."""


@dataclass(frozen=True)
class Schedule:
    """The values of each field at which it fires.

    Attributes:
        every_day, every_weekday: whether the days of the month, or of the week, are left open.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every_day: bool
    every_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """From its five fields, or one of :data:`USUAL`.

        Raises:
            InputError: if it is neither, with what is wrong.
        """
        if text.startswith("@") and text not in USUAL:
            raise InputError(f"there is no schedule '{text}'", nearest=nearest(text, USUAL))
        fields = USUAL.get(text, text).split()
        if len(fields) != 5:
            raise InputError(f"'{text}' is not five fields: minute, hour, day, month, weekday")
        minutes, _ = _field(fields[0], "minute", 0, 59)
        hours, _ = _field(fields[1], "hour", 0, 23)
        days, every_day = _field(fields[2], "day", 1, 31)
        months, _ = _field(fields[3], "month", 1, 12, MONTHS)
        weekdays, every_weekday = _field(fields[4], "weekday", 0, 6, WEEKDAYS)
        return cls(minutes, hours, days, months, weekdays, every_day, every_weekday)

    def last_s(self, now_s: float, zone: tzinfo) -> float | None:
        """When it fired last, at ``now_s`` or before, in seconds since 1970; None: not in the last eight years."""
        today = datetime.fromtimestamp(now_s, zone).date()
        for back in range(DAYS_BACK):
            day = today - timedelta(days=back)
            if day.month not in self.months or not self._falls_on(day.day, day.isoweekday() % 7):
                continue
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    fires_s = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp()
                    if fires_s <= now_s:
                        return fires_s
        return None

    def _falls_on(self, day: int, weekday: int) -> bool:
        by_day, by_weekday = day in self.days, weekday in self.weekdays
        return by_day and by_weekday if self.every_day or self.every_weekday else by_day or by_weekday


def _field(text: str, what: str, least: int, most: int, names: list[str] | None = None) -> tuple[frozenset[int], bool]:
    """The values of a field, and whether it is left open."""
    values: set[int] = set()
    left_open = False
    for part in text.split(","):
        span, stepped, step_text = part.partition("/")
        if stepped and not (step_text.isdecimal() and int(step_text)):
            raise InputError(f"'{step_text}' is no step of the {what} in '{part}'")
        step = int(step_text) if stepped else 1
        first, ranged, last = span.partition("-")
        if span in ("*", "?"):
            start, end = least, most
            left_open |= step == 1
        else:
            start = _value(first, what, least, most, names)
            end = _value(last, what, least, most, names) if ranged else most if stepped else start
        if start > end:
            raise InputError(f"the {what} '{span}' ends before it begins")
        values.update(range(start, end + 1, step))
    return frozenset(values), left_open


def _value(text: str, what: str, least: int, most: int, names: list[str] | None) -> int:
    if names is not None and text.lower() in names:
        return names.index(text.lower()) + least
    if not text.isdecimal():
        raise InputError(f"'{text}' is no {what}", nearest=nearest(text.lower(), names or ()))
    if not least <= int(text) <= most:
        raise InputError(f"the {what} is from {least} to {most}, not {text}")
    return int(text)
