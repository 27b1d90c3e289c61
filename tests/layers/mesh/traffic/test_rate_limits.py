import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.traffic.rate_limits import By, Limiter, RateLimit, TokenBucket

buckets = st.builds(TokenBucket, st.integers(1, 6), st.integers(1, 6), st.integers(1, 20))


@given(buckets, st.lists(st.integers(0, 15), max_size=60))
def test_a_bucket_does_what_one_filled_tick_by_tick_does(bucket, gaps):
    limiter, now, filled, tokens = Limiter(RateLimit(bucket)), 0, 0, bucket.max_tokens
    for gap in gaps:
        now += gap
        while (filled + 1) * bucket.fill_interval_us <= now:
            filled += 1
            tokens = min(bucket.max_tokens, tokens + bucket.tokens_per_fill)
        admitted = tokens > 0
        tokens -= admitted
        assert limiter.admits("", now) is admitted


def test_a_global_limit_is_a_fixed_window():
    limiter = Limiter(RateLimit.per_unit(2))
    admitted = [limiter.admits("", at) for at in (0, 1, 999_999, 1_000_000, 1_000_001, 1_500_000, 2_000_000)]
    assert admitted == [True, True, False, True, True, False, True]


def test_keys_count_apart_and_who_carries_none_is_not_limited():
    limit = RateLimit.per_unit(1, "minute", By.HEADER, "user")
    limiter = Limiter(limit)
    keys = [limit.key(HttpRequest("a", headers=headers), "web") for headers in ({"User": "x"}, {"user": "y"}, {})]
    assert keys == ["x", "y", None]
    assert [limiter.admits(key, 0) for key in ("x", "y", "x")] == [True, True, False]
    assert RateLimit.per_unit(1, by=By.SOURCE).key(HttpRequest("a"), "web") == "web"


def test_limits_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="above zero"):
        TokenBucket(0, 1, 1)
    with pytest.raises(InputError, match="not per 'fortnight'"):
        RateLimit.per_unit(1, "fortnight")
    with pytest.raises(InputError, match="names the header"):
        RateLimit(TokenBucket(1, 1, 1), By.HEADER)
