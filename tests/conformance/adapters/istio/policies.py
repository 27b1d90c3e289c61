"""Outliers, and what a proxy is told where a user writes little."""

from __future__ import annotations

from skyedge.layers.mesh import defaults, retries
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector

from .fields import Answer, Given, only


def outlier_sequence(given: Given) -> Answer:
    config = dict(given["config"])
    config["consecutive_gateway_errors"] = config.pop("consecutive_gateway_failure", 0)
    detector = OutlierDetector(given["hosts"], OutlierConfig(**config))
    after = []
    for step in given["steps"]:
        if step.get("interval_check"):
            detector.sweep(step["at_ms"])
        else:
            detector.observe(step["host"], step["code"], step["at_ms"], step.get("count", 1))
        after.append(list(detector.ejected))
    return {"ejected_after_step": after}


def outlier_max_ejection_default(given: Given) -> Answer:
    return {"max_ejection_time_ms": OutlierConfig(**given["config"]).longest_ejection_ms}


OUTLIER_FIELDS = {
    "consecutive5xxErrors": "consecutive_5xx_errors",
    "consecutiveGatewayErrors": "consecutive_gateway_errors",
    "consecutiveLocalOriginFailures": "consecutive_local_origin_failures",
    "splitExternalLocalOriginErrors": "split_external_local_origin_errors",
    "interval_ms": "interval_ms",
    "baseEjectionTime_ms": "base_ejection_time_ms",
    "maxEjectionPercent": "max_ejection_percent",
    "minHealthPercent": "min_health_percent",
}


def outlier_wish(given: Given | None) -> defaults.OutlierWish | None:
    if given is None:
        return None
    only(given, tuple(OUTLIER_FIELDS), "outlier detection")
    return defaults.OutlierWish(**{OUTLIER_FIELDS[field]: value for field, value in given.items()})


def outlier_config(given: Given) -> Answer:
    return {"effective": defaults.outlier_settings(outlier_wish(given["outlier_detection"]))}


def panic_threshold_default(given: Given) -> Answer:
    return {"healthy_panic_threshold_percent": defaults.panic_percent(outlier_wish(given["outlier_detection"]))}


def consistent_hash_config(given: Given) -> Answer:
    said = given["consistentHash"]
    ring, table = said.get("ringHash"), said.get("maglev")
    policy, size = defaults.hash_policy(
        defaults.HashWish(
            ring=ring is not None,
            ring_size=(ring or {}).get("minimumRingSize"),
            maglev=table is not None,
            table_size=(table or {}).get("tableSize"),
            minimum_ring_size=said.get("minimumRingSize"),
        )
    )
    return {"policy": policy, "table_size" if policy == "MAGLEV" else "minimum_ring_size": size}


def mirror_percent(given: Given) -> Answer:
    only(given, ("mirror", "mirror_percent", "mirror_percentage"), "a mirror")
    if not given.get("mirror"):
        return {"percent": None}
    return {"percent": defaults.mirror_percent(given.get("mirror_percentage"), given.get("mirror_percent"))}


RETRY_FIELDS = {
    "attempts": "attempts",
    "retryOn": "retry_on",
    "perTryTimeout_s": "per_try_timeout_s",
    "backoff_s": "backoff_s",
    "retryRemoteLocalities": "remote_localities",
    "retryIgnorePreviousHosts": "ignore_previous_hosts",
}


def retry_policy(given: Given) -> Answer:
    said = given.get("retries")
    wish = None
    if said is not None:
        only(said, tuple(RETRY_FIELDS), "retries")
        wish = retries.RetryWish(**{"attempts": 0, **{RETRY_FIELDS[field]: value for field, value in said.items()}})
    got = retries.retry_policy(wish, consistent_hash=bool(given.get("hash_policy")), inbound=bool(given.get("inbound")))
    if got is None:
        return {"policy": None}
    return {
        "policy": {
            "attempts": got.attempts,
            "retry_on": ",".join(got.conditions),
            "retriable_status_codes": list(got.status_codes),
            "per_try_timeout_s": got.per_try_timeout_s,
            "host_selection_retry_max_attempts": got.host_selection_attempts,
            "avoid_previous_hosts": got.avoid_previous_hosts,
            "backoff_base_s": got.backoff_base_s,
            "retry_remote_localities": got.other_priorities,
        }
    }


ADAPTERS = {
    "consistent_hash_config": consistent_hash_config,
    "mirror_percent": mirror_percent,
    "outlier_config": outlier_config,
    "outlier_max_ejection_default": outlier_max_ejection_default,
    "outlier_sequence": outlier_sequence,
    "panic_threshold_default": panic_threshold_default,
    "retry_policy": retry_policy,
}
