"""What a proxy is told when a user writes little: Istio's values for outlier detection, hashing and mirroring.

Retries have a module of their own, :mod:`~skyedge.layers.mesh.retries`.  None is what was left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyedge.layers.mesh.hash_tables import MINIMUM_RING_SIZE
from skyedge.layers.mesh.priority_load import PANIC_PERCENT

ISTIO_PANIC_PERCENT = 0.0
"""With few endpoints to a service, half of them being unwell is no reason to send to the unwell."""


@dataclass(frozen=True)
class OutlierWish:
    """``outlierDetection`` of a destination rule."""

    consecutive_5xx_errors: int | None = None
    consecutive_gateway_errors: int | None = None
    consecutive_local_origin_failures: int | None = None
    split_external_local_origin_errors: bool = False
    interval_ms: int | None = None
    base_ejection_time_ms: int | None = None
    max_ejection_percent: int | None = None
    min_health_percent: float | None = None


@dataclass(frozen=True)
class HashWish:
    """``consistentHash`` of a destination rule.

    Attributes:
        ring: whether a ring is asked for by name.
        ring_size: its least size.
        maglev: whether Maglev is asked for.
        table_size: of Maglev.
        minimum_ring_size: the older place for the least size of a ring.
    """

    ring: bool = False
    ring_size: int | None = None
    maglev: bool = False
    table_size: int | None = None
    minimum_ring_size: int | None = None


def outlier_settings(wish: OutlierWish | None) -> dict[str, int | float | bool] | None:
    """What the proxy is told, by Envoy's names; None if outlier detection is off.

    A limit of 0 is told with an enforcement of 0, which switches that check off; success rates are never enforced.
    """
    if wish is None:
        return None
    told: dict[str, int | float | bool] = {"enforcing_success_rate": 0}
    for limit, name in (
        (wish.consecutive_5xx_errors, "consecutive_5xx"),
        (wish.consecutive_gateway_errors, "consecutive_gateway_failure"),
    ):
        if limit is not None:
            told |= {name: limit, f"enforcing_{name}": 100 if limit > 0 else 0}
    for name in ("interval_ms", "base_ejection_time_ms", "max_ejection_percent"):
        if getattr(wish, name):
            told[name] = getattr(wish, name)
    if wish.split_external_local_origin_errors:
        told |= {"split_external_local_origin_errors": True, "enforcing_local_origin_success_rate": 0}
        if wish.consecutive_local_origin_failures:
            told["consecutive_local_origin_failure"] = wish.consecutive_local_origin_failures
            told["enforcing_consecutive_local_origin_failure"] = 100
    return told


def panic_percent(wish: OutlierWish | None) -> float:
    """Below which healthy share a priority panics; 0 is never."""
    if wish is None:
        return PANIC_PERCENT
    return ISTIO_PANIC_PERCENT if wish.min_health_percent is None else wish.min_health_percent


def hash_policy(wish: HashWish) -> tuple[str, int | None]:
    """``MAGLEV`` or ``RING_HASH``, and the size that the proxy is told; None leaves it to the proxy's own default."""
    if wish.maglev:
        return "MAGLEV", wish.table_size or None
    if wish.ring:
        return "RING_HASH", wish.ring_size or None
    return "RING_HASH", wish.minimum_ring_size or MINIMUM_RING_SIZE


def mirror_percent(percentage: float | None = None, percent: float | None = None) -> float | None:
    """Which share of requests is mirrored by a route with a mirror; None: none.

    Args:
        percentage: ``mirrorPercentage``, which counts first.
        percent: ``mirrorPercent``, the older one.
    """
    said = percent if percentage is None else percentage
    if said is None:
        return 100.0
    return said if said > 0 else None
