"""Whether an attempt that ended badly may be repeated: Envoy's conditions as a table.

An attempt ends in one of a few ways, and an answer may carry a status of HTTP or of gRPC; each condition of a retry policy
is a question about that.  Two rules stand above the table: what a circuit breaker refused is not repeated, and what a rate
limit refused only where a policy asks for it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from skyedge.layers.mesh.outlier import GATEWAY_ERRORS
from skyedge.layers.mesh.retries import BY_STATUS_CODE, RetryPolicy

CONFLICT, TOO_MANY_REQUESTS, UNAVAILABLE_STATUS = 409, 429, 503


class Ending(Enum):
    """How an attempt ended."""

    ANSWERED = "answered"
    CONNECT_FAILURE = "connect_failure"
    REFUSED_STREAM = "refused_stream"
    RESET = "reset"
    """Cut off by the other side after it was sent."""
    PER_TRY_TIMEOUT = "per_try_timeout"
    OVERFLOW = "overflow"
    RATE_LIMITED = "rate_limited"


CUT_OFF = (Ending.CONNECT_FAILURE, Ending.REFUSED_STREAM, Ending.RESET, Ending.PER_TRY_TIMEOUT)
"""Ends without an answer of the host; errors of HTTP 5xx and of gateways, for whoever asks for those."""

Question = Callable[[Ending, int, int | None], bool]


def _grpc(number: int) -> Question:
    return lambda ending, status, grpc_status: ending is Ending.ANSWERED and grpc_status == number


CONDITIONS: Mapping[str, Question] = MappingProxyType(
    {
        "5xx": lambda ending, status, _: ending in CUT_OFF or status >= 500,
        "gateway-error": lambda ending, status, _: ending in CUT_OFF or status in GATEWAY_ERRORS,
        "reset": lambda ending, status, _: ending in CUT_OFF,
        "reset-before-request": lambda ending, status, _: ending in (Ending.CONNECT_FAILURE, Ending.REFUSED_STREAM),
        "connect-failure": lambda ending, status, _: ending is Ending.CONNECT_FAILURE,
        "refused-stream": lambda ending, status, _: ending is Ending.REFUSED_STREAM,
        "retriable-4xx": lambda ending, status, _: ending is Ending.ANSWERED and status == CONFLICT,
        "envoy-ratelimited": lambda ending, status, _: ending is Ending.RATE_LIMITED,
        "cancelled": _grpc(1),
        "deadline-exceeded": _grpc(4),
        "resource-exhausted": _grpc(8),
        "internal": _grpc(13),
        "unavailable": _grpc(14),
    }
)
"""What each word of ``retryOn`` asks.  A word that is not here asks nothing, as in Envoy."""


def may_be_repeated(policy: RetryPolicy, ending: Ending, status: int, grpc_status: int | None = None) -> bool:
    """Whether a policy would have an attempt repeated, its number and budgets apart."""
    if ending is Ending.OVERFLOW:
        return False
    if ending is Ending.RATE_LIMITED:
        return "envoy-ratelimited" in policy.conditions
    if ending is Ending.ANSWERED and status in policy.status_codes and BY_STATUS_CODE in policy.conditions:
        return True
    return any(
        question(ending, status, grpc_status)
        for condition in policy.conditions
        if (question := CONDITIONS.get(condition)) is not None
    )
