"""How many retries may be in hand at once, and how long each waits: what keeps retries from making an overload worse.

Either a plain number (``maxRetries``) or a budget: a share of the requests in hand, but never less than a few (Envoy's
``retry_budget``).  A retry counts from the decision, through its wait, until it is answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyedge.errors import InputError
from skyedge.layers.mesh.retries import BACKOFF_BASE_S

BUDGET_PERCENT = 20.0
MIN_RETRY_CONCURRENCY = 3
"""Envoy's defaults, where a budget is asked for."""
MAX_BACKOFF_IN_BASES = 10
"""The longest wait, in base waits (Envoy)."""


@dataclass(frozen=True)
class RetryBudget:
    """A share of the requests in hand.

    Raises:
        InputError: if the share is no percentage, or the least number is negative.
    """

    percent: float = BUDGET_PERCENT
    min_retry_concurrency: int = MIN_RETRY_CONCURRENCY

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise InputError(f"a retry budget must be from 0 to 100 percent, not {self.percent}")
        if self.min_retry_concurrency < 0:
            raise InputError(f"the least number of retries must not be negative, and {self.min_retry_concurrency} is")

    def most(self, requests_in_hand: int) -> int:
        """How many retries may be in hand while so many requests are, on connections or waiting for one."""
        return max(int(self.percent * requests_in_hand / 100.0), self.min_retry_concurrency)


class RetriesInHand:
    """The retries of one proxy towards one cluster.

    Args:
        limit: a budget, or a plain number.
    """

    __slots__ = ("count", "limit")

    def __init__(self, limit: RetryBudget | int) -> None:
        self.limit = limit
        self.count = 0

    def take(self, requests_in_hand: int) -> bool:
        """Whether one more may be tried; it is counted if so."""
        most = self.limit if isinstance(self.limit, int) else self.limit.most(requests_in_hand)
        if self.count >= most:
            return False
        self.count += 1
        return True

    def give_back(self) -> None:
        """One was answered, or given up."""
        self.count -= 1


def backoff_s(retry: int, draw: float, base_s: float | None = None) -> float:
    """How long the retry waits: anything up to one base, then two, four, eight, and ten at most (full jitter).

    So Envoy does and its tests say; its documentation says that it were three bases before the second retry, and seven
    before the third.

    Args:
        retry: 1 for the first.
        draw: from [0, 1).
        base_s: 25 ms if not given.
    """
    base_s = BACKOFF_BASE_S if base_s is None else base_s
    return draw * base_s * min(2 ** (retry - 1), MAX_BACKOFF_IN_BASES)
