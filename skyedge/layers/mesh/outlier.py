"""Outlier detection: hosts that answer badly are left out for a while (Envoy).

A host is serving or ejected, and ``TRANSITIONS`` says what moves it.  It is ejected after so many errors in a row, for the
base time multiplied by how often that has happened; every sweep that finds it serving forgives one time.  A sweep, not a
timer, lets it back in.  No more than a share of the hosts is out at once, but one may always go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from skyedge.errors import InputError, nearest

CONSECUTIVE_5XX = 5
INTERVAL_MS = 10_000
BASE_EJECTION_MS = 30_000
MAX_EJECTION_MS = 300_000
MAX_EJECTION_PERCENT = 10.0
GATEWAY_ERRORS = (502, 503, 504)


class Standing(Enum):
    """What a host is."""

    SERVING = "serving"
    EJECTED = "ejected"


class Event(Enum):
    """What moves a host."""

    LIMIT_REACHED = "limit_reached"
    """So many errors in a row, and there is room to eject."""
    TIME_SERVED = "time_served"
    """A sweep finds that it has been out for long enough."""


TRANSITIONS = {
    (Standing.SERVING, Event.LIMIT_REACHED): Standing.EJECTED,
    (Standing.EJECTED, Event.TIME_SERVED): Standing.SERVING,
}
"""What is not listed changes nothing: errors of a host that is out already, for one."""


@dataclass(frozen=True)
class OutlierConfig:
    """Limits and times; a limit of 0 is off.

    Attributes:
        max_ejection_time_ms: the longest ejection; by default five minutes, or the base time if that is longer.

    Raises:
        InputError: if the longest ejection is shorter than the base, or a figure is out of its range.
    """

    consecutive_5xx: int = CONSECUTIVE_5XX
    consecutive_gateway_errors: int = 0
    interval_ms: int = INTERVAL_MS
    base_ejection_time_ms: int = BASE_EJECTION_MS
    max_ejection_time_ms: int | None = None
    max_ejection_percent: float = MAX_EJECTION_PERCENT

    def __post_init__(self) -> None:
        if self.max_ejection_time_ms is not None and self.max_ejection_time_ms < self.base_ejection_time_ms:
            raise InputError(
                f"the longest ejection, {self.max_ejection_time_ms} ms, is shorter than the base one,"
                f" {self.base_ejection_time_ms} ms"
            )
        if not 0 <= self.max_ejection_percent <= 100:
            raise InputError(
                f"the share of hosts out at once must be from 0 to 100 percent, not {self.max_ejection_percent}"
            )
        if (
            min(self.consecutive_5xx, self.consecutive_gateway_errors) < 0
            or min(self.interval_ms, self.base_ejection_time_ms) <= 0
        ):
            raise InputError("limits of outlier detection must not be negative, and its times must be above zero")

    @property
    def longest_ejection_ms(self) -> int:
        """The longest ejection."""
        return self.max_ejection_time_ms or max(MAX_EJECTION_MS, self.base_ejection_time_ms)


@dataclass
class HostRecord:
    """What is known of one host."""

    standing: Standing = Standing.SERVING
    errors_in_a_row: int = 0
    gateway_errors_in_a_row: int = 0
    times_ejected: int = 0
    ejected_at_ms: float = 0.0

    def forget_errors(self) -> None:
        """Start both counts again."""
        self.errors_in_a_row = self.gateway_errors_in_a_row = 0

    def reaches(self, config: OutlierConfig) -> bool:
        """Whether a count is at its limit, which it then starts again; the other goes on (Envoy)."""
        gateway = 0 < config.consecutive_gateway_errors <= self.gateway_errors_in_a_row
        every = 0 < config.consecutive_5xx <= self.errors_in_a_row
        if gateway:
            self.gateway_errors_in_a_row = 0
        if every:
            self.errors_in_a_row = 0
        return gateway or every


class OutlierDetector:
    """The hosts of one service as one caller sees them.

    Args:
        hosts: their names.
        config: limits and times.

    Raises:
        InputError: if a host is there twice.
    """

    def __init__(self, hosts: Sequence[str], config: OutlierConfig | None = None) -> None:
        self.config = config or OutlierConfig()
        self._records = {host: HostRecord() for host in hosts}
        if len(self._records) != len(hosts):
            raise InputError("a host is listed twice")

    @property
    def ejected(self) -> tuple[str, ...]:
        """Hosts that are out, by name."""
        return tuple(sorted(host for host, record in self._records.items() if record.standing is Standing.EJECTED))

    def observe(self, host: str, status: int, at_ms: float, count: int = 1) -> None:
        """Take note of ``count`` equal answers of a host.

        Raises:
            InputError: if the host is not known.
        """
        record = self._records.get(host)
        if record is None:
            raise InputError(f"there is no host '{host}'", nearest=nearest(host, self._records))
        for _ in range(count):
            record.errors_in_a_row = record.errors_in_a_row + 1 if status >= 500 else 0
            record.gateway_errors_in_a_row = record.gateway_errors_in_a_row + 1 if status in GATEWAY_ERRORS else 0
            if record.reaches(self.config):
                self._move(record, Event.LIMIT_REACHED, at_ms)

    def forget(self, host: str) -> None:
        """A host is gone; it no longer counts."""
        self._records.pop(host, None)

    def sweep(self, at_ms: float) -> None:
        """Let hosts back in that have been out for long enough, and forgive those that serve one ejection."""
        for record in self._records.values():
            if record.standing is Standing.SERVING:
                record.times_ejected = max(0, record.times_ejected - 1)
            elif at_ms - record.ejected_at_ms >= self.ejection_ms(record.times_ejected):
                self._move(record, Event.TIME_SERVED, at_ms)
                record.forget_errors()

    def ejection_ms(self, times_ejected: int) -> int:
        """How long an ejection lasts for a host that was ejected so often."""
        return min(self.config.base_ejection_time_ms * times_ejected, self.config.longest_ejection_ms)

    def _move(self, record: HostRecord, event: Event, at_ms: float) -> None:
        after = TRANSITIONS.get((record.standing, event))
        if after is None or (after is Standing.EJECTED and not self._room_to_eject()):
            return
        record.standing = after
        if after is Standing.EJECTED:
            record.ejected_at_ms = at_ms
            # Beyond the longest ejection a further time would only take longer to forgive.
            if self.config.base_ejection_time_ms * record.times_ejected < self.config.longest_ejection_ms:
                record.times_ejected += 1

    def _room_to_eject(self) -> bool:
        out = len(self.ejected)
        return out == 0 or 100.0 * (out + 1) / len(self._records) <= self.config.max_ejection_percent
