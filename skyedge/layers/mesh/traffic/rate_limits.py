"""Rate limits: so many requests in so much time, the rest answered with 429 and the flag ``RL``.

A *local* limit is kept by each endpoint's own proxy and knows nothing of the others; a *global* one is kept once for the
whole mesh, for everybody together or for each value of a key.  Both are buckets of tokens that are filled up on a grid of
time (Envoy).  A global limit of n a second is a bucket of n that is full again at each full second: a fixed window.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest

TOO_MANY_REQUESTS = 429
UNITS_US = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}
"""What a global limit may be said for (envoyproxy/ratelimit)."""


@dataclass(frozen=True)
class TokenBucket:
    """How a bucket is filled: at first it is full.

    Raises:
        InputError: if a figure is not above zero.
    """

    max_tokens: int
    tokens_per_fill: int
    fill_interval_us: int

    def __post_init__(self) -> None:
        if min(self.max_tokens, self.tokens_per_fill, self.fill_interval_us) <= 0:
            raise InputError("a bucket needs room for a token, and tokens after an interval: all above zero")


class By(Enum):
    """For whom a limit counts apart."""

    ALL = "all"
    SOURCE = "source"
    """Each caller by name."""
    HEADER = "header"
    """Each value of a header; requests without it are not limited, as with Envoy's descriptors."""


@dataclass(frozen=True)
class RateLimit:
    """A limit on the requests to a service.

    Attributes:
        by: for whom it counts apart.
        header: the name, if by header.
        every_proxy: local, a bucket for each endpoint; otherwise one for the mesh.

    Raises:
        InputError: if it is by header and none is named.
    """

    bucket: TokenBucket
    by: By = By.ALL
    header: str = ""
    every_proxy: bool = False

    def __post_init__(self) -> None:
        if (self.by is By.HEADER) != bool(self.header):
            raise InputError("a rate limit by header names the header, and others name none")

    @classmethod
    def per_unit(cls, requests: int, unit: str = "second", by: By = By.ALL, header: str = "") -> RateLimit:
        """A global limit: so many requests in every second, minute, hour or day.

        Raises:
            InputError: if the unit is not known.
        """
        if unit not in UNITS_US:
            raise InputError(f"a rate limit is per {', '.join(UNITS_US)}, not per '{unit}'")
        return cls(TokenBucket(requests, requests, UNITS_US[unit]), by, header)

    def key(self, request: HttpRequest, caller: str) -> str | None:
        """What the request counts under; None: it is not limited."""
        if self.by is By.ALL:
            return ""
        return caller if self.by is By.SOURCE else request.header(self.header)


class Limiter:
    """The buckets of one limit, made as keys come up."""

    __slots__ = ("_levels", "limit")

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._levels: dict[str, tuple[int, int]] = {}

    def admits(self, key: str, now_us: int) -> bool:
        """Whether there is a token for the key; it is taken if so.  Times must not go back."""
        bucket = self.limit.bucket
        fills = now_us // bucket.fill_interval_us
        tokens, filled = self._levels.get(key, (bucket.max_tokens, fills))
        tokens = min(bucket.max_tokens, tokens + (fills - filled) * bucket.tokens_per_fill)
        admitted = tokens > 0
        self._levels[key] = (tokens - admitted, fills)
        return admitted
