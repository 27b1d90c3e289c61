"""What is repeated, how many at once, and after what wait."""

from __future__ import annotations

from skyedge.layers.mesh.retries import RetryWish, retry_policy
from skyedge.layers.mesh.traffic.retry_budget import RetriesInHand, RetryBudget, backoff_s
from skyedge.layers.mesh.traffic.retry_decision import Ending, may_be_repeated

from .fields import Answer, Given, only


def retry_decision(given: Given) -> Answer:
    only(given, ("retry_on", "ending", "status", "grpc_status"), "an attempt")
    policy = retry_policy(RetryWish(1, given["retry_on"]))
    if policy is None:
        raise AssertionError("an attempt is asked for, and there is no policy")
    return {"retry": may_be_repeated(policy, Ending(given["ending"]), given.get("status", 0), given.get("grpc_status"))}


def retry_budget(given: Given) -> Answer:
    only(given, ("percent", "min_retry_concurrency", "max_retries", "retries", "requests"), "retries in hand")
    plain = given.get("max_retries")
    limit = RetryBudget(given["percent"], given["min_retry_concurrency"]) if plain is None else plain
    hand = RetriesInHand(limit)
    hand.count = given["retries"]
    return {"allowed": hand.take(given["requests"])}


def retry_backoff(given: Given) -> Answer:
    """Envoy's wait is a random number modulo the longest one; here it is a share of that."""
    longest_ms = round(backoff_s(given["retry"], 1.0, given["base_ms"] / 1000) * 1000)
    draw = given["random"] % longest_ms / longest_ms
    return {"wait_ms": round(backoff_s(given["retry"], draw, given["base_ms"] / 1000) * 1000)}


ADAPTERS = {"retry_backoff": retry_backoff, "retry_budget": retry_budget, "retry_decision": retry_decision}
