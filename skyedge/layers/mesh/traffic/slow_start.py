"""Slow start: an endpoint that just came up gets a growing share, so that its caches and pools can fill (Envoy)."""

from __future__ import annotations

from skyedge.layers.mesh.objects import Warmup


def grown_weight(weight: float, age_s: float, warmup: Warmup) -> float:
    """The weight of an endpoint of an age.

    ``weight × max(minimum, (age / duration) ** (1 / aggression))`` until the whole duration is over (Envoy's
    ``slow_start_config``).  Before it is up it counts as of age zero.
    """
    if age_s >= warmup.duration_s:
        return weight
    progress = max(age_s, 0.0) / warmup.duration_s
    return float(weight * max(warmup.minimum_percent / 100.0, progress ** (1.0 / warmup.aggression)))
