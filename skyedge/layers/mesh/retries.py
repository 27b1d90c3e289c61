"""What a retry policy comes to: Istio's defaults, and what a user's words change in them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

DEFAULT_ATTEMPTS = 2
DEFAULT_CONDITIONS = ("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes")
INBOUND_CONDITIONS = ("reset-before-request",)
"""At the receiving proxy, where repeating anything that the service may have begun would do it twice."""
BY_STATUS_CODE = "retriable-status-codes"
HOST_SELECTION_ATTEMPTS = 5
"""How often a host that was tried before is drawn again before it is taken all the same."""
BACKOFF_BASE_S = 0.025
"""Envoy's default."""


@dataclass(frozen=True)
class RetryWish:
    """What a user writes in a route; None is what was left out."""

    attempts: int
    retry_on: str = ""
    per_try_timeout_s: float | None = None
    backoff_s: float | None = None
    remote_localities: bool | None = None
    ignore_previous_hosts: bool | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """What a proxy does."""

    attempts: int = DEFAULT_ATTEMPTS
    conditions: tuple[str, ...] = DEFAULT_CONDITIONS
    status_codes: tuple[int, ...] = ()
    per_try_timeout_s: float | None = None
    backoff_base_s: float | None = None
    host_selection_attempts: int = HOST_SELECTION_ATTEMPTS
    avoid_previous_hosts: bool = True
    other_priorities: bool = False


INBOUND_POLICY = RetryPolicy(conditions=INBOUND_CONDITIONS, host_selection_attempts=0, avoid_previous_hosts=False)


def retry_policy(wish: RetryWish | None, *, consistent_hash: bool = False, inbound: bool = False) -> RetryPolicy | None:
    """The policy of a route; None: no retries.

    Args:
        wish: what the route says, None if it says nothing.
        consistent_hash: a request belongs to one host, so that trying another is not the default.
        inbound: at the receiving proxy.
    """
    if wish is None:
        return INBOUND_POLICY if inbound else RetryPolicy(avoid_previous_hosts=not consistent_hash)
    if wish.attempts <= 0:
        return None
    conditions, codes = (
        retry_conditions(wish.retry_on) if wish.retry_on else (INBOUND_CONDITIONS if inbound else DEFAULT_CONDITIONS, ())
    )
    avoid = not consistent_hash if wish.ignore_previous_hosts is None else wish.ignore_previous_hosts
    return RetryPolicy(
        attempts=wish.attempts,
        conditions=conditions,
        status_codes=codes,
        per_try_timeout_s=wish.per_try_timeout_s,
        backoff_base_s=wish.backoff_s,
        avoid_previous_hosts=avoid,
        other_priorities=bool(wish.remote_localities),
    )


def retry_conditions(text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Conditions and status codes of a comma list; a number that is no HTTP status stays among the conditions."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    codes = tuple(int(word) for word in words if _is_status(word))
    conditions = [word for word in words if not _is_status(word)]
    if codes and BY_STATUS_CODE not in conditions:
        conditions.append(BY_STATUS_CODE)
    return tuple(conditions), codes


def _is_status(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) in {int(status) for status in HTTPStatus}
