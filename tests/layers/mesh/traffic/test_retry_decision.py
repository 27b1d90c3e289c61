import pytest

from skyedge.layers.mesh.retries import RetryPolicy, RetryWish, retry_policy
from skyedge.layers.mesh.traffic.retry_decision import CONDITIONS, Ending, may_be_repeated

ENDS = {
    "200": (Ending.ANSWERED, 200, None),
    "409": (Ending.ANSWERED, 409, None),
    "500": (Ending.ANSWERED, 500, None),
    "503": (Ending.ANSWERED, 503, None),
    "grpc unavailable": (Ending.ANSWERED, 200, 14),
    "grpc internal": (Ending.ANSWERED, 200, 13),
    "no connection": (Ending.CONNECT_FAILURE, 503, None),
    "refused stream": (Ending.REFUSED_STREAM, 503, None),
    "cut off": (Ending.RESET, 503, None),
    "too slow": (Ending.PER_TRY_TIMEOUT, 504, None),
    "overflow": (Ending.OVERFLOW, 503, None),
    "rate limit": (Ending.RATE_LIMITED, 429, None),
}
CUT = {"no connection", "refused stream", "cut off", "too slow"}

REPEATED = {
    "5xx": {"500", "503"} | CUT,
    "gateway-error": {"503"} | CUT,
    "reset": CUT,
    "reset-before-request": {"no connection", "refused stream"},
    "connect-failure": {"no connection"},
    "refused-stream": {"refused stream"},
    "retriable-4xx": {"409"},
    "envoy-ratelimited": {"rate limit"},
    "unavailable": {"grpc unavailable"},
    "internal": {"grpc internal"},
    "cancelled": set(),
    "503": {"503"},
    "no-such-condition": set(),
}


@pytest.mark.parametrize("words", REPEATED)
def test_each_condition_repeats_what_envoy_documents(words):
    policy = retry_policy(RetryWish(3, words))
    assert {name for name, end in ENDS.items() if may_be_repeated(policy, *end)} == REPEATED[words]


def test_istio_repeats_by_default_what_the_service_has_not_begun():
    repeated = {name for name, end in ENDS.items() if may_be_repeated(RetryPolicy(), *end)}
    assert repeated == {"no connection", "refused stream", "grpc unavailable"}


def test_what_a_circuit_breaker_refused_is_never_repeated():
    everything = RetryPolicy(conditions=(*CONDITIONS, "retriable-status-codes"), status_codes=(503,))
    assert not may_be_repeated(everything, *ENDS["overflow"])
