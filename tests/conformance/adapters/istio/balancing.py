"""How load is shared: priorities, localities, and the balancers."""

from __future__ import annotations

import numpy as np

from skyedge.layers.mesh import balancing, hash_tables
from skyedge.layers.mesh.priority_load import locality_load, priority_load

from .fields import Answer, Given, only


def priority_loads(given: Given) -> Answer:
    only(given, ("healthy_percent", "hosts", "overprovisioning_factor", "panic_threshold_percent"), "priorities")
    # Envoy's table of priorities speaks of no panic; cases that do give the threshold.
    factor, panic = given.get("overprovisioning_factor", 1.4), given.get("panic_threshold_percent", 0.0)
    load = priority_load(given["healthy_percent"], factor, panic, given.get("hosts"))
    return {
        "load_percent": load.load_percent.tolist(),
        "in_panic": load.in_panic.tolist(),
        "normalized_total_health": load.normalized_total_health_percent,
    }


def locality_weight_load(given: Given) -> Answer:
    places = given["localities"]
    load = locality_load(
        [place["weight"] for place in places],
        [place["healthy_percent"] for place in places],
        given.get("overprovisioning_factor", 1.4),
    )
    return {"load_percent": dict(zip([place["name"] for place in places], load.tolist(), strict=True))}


def least_request_effective_weight(given: Given) -> Answer:
    only(given, ("load_balancing_weight", "active_requests", "active_request_bias"), "an endpoint")
    bias = given.get("active_request_bias", 1.0)
    weight = balancing.effective_weights(given["load_balancing_weight"], given["active_requests"], bias)
    return {"effective_weight": float(weight)}


def least_request_pick(given: Given) -> Answer:
    only(given, ("weights", "active_requests", "looked_at"), "a pick")
    first, second = ((host + 0.5) / len(given["weights"]) for host in given["looked_at"])
    return {"host": balancing.least_request(given["weights"], given["active_requests"], (first, second))}


def maglev(given: Given) -> Answer:
    """All that is asked of a table at once."""
    only(given, ("hash_keys", "weights", "table_size", "hash"), "a table")
    size = given["table_size"]
    if "weights" not in given:
        hash_tables.check_table_size(size)
        return {}
    given_weights = given["weights"]
    keys = given.get("hash_keys") or [f"host-{host}" for host in range(len(given_weights))]
    table = hash_tables.maglev_table(keys, given_weights, size)
    counts = np.bincount(table, minlength=len(keys))
    got = {"table": table.tolist(), "entries": counts.tolist()}
    got |= {"min_entries": int(counts.min()), "max_entries": int(counts.max())}
    return {**got, "host": int(table[int(given["hash"]) % size])} if "hash" in given else got


def ring_hash(given: Given) -> Answer:
    known = ("hash_keys", "weights", "minimum_ring_size", "maximum_ring_size", "hash", "even_hashes")
    only(given, known, "a ring")
    bounds = {
        name: given[key]
        for key, name in (("minimum_ring_size", "minimum_size"), ("maximum_ring_size", "maximum_size"))
        if given.get(key) is not None
    }
    if "hash_keys" not in given:
        hash_tables.check_ring_sizes(**{"minimum_size": hash_tables.MINIMUM_RING_SIZE, **bounds})
        return {}
    ring = hash_tables.hash_ring(given["hash_keys"], given["weights"], **bounds)
    counts = ring.points_per_host.tolist()
    got: Answer = {
        "ring_size": ring.points.size,
        "hashes_per_host": counts[0] if len(set(counts)) == 1 else counts,
        "min_hashes_per_host": min(counts),
        "max_hashes_per_host": max(counts),
    }
    if "hash" in given:
        got["host"] = ring.host(int(given["hash"]))
    if "even_hashes" in given:
        step = (2**64 - 1) // given["even_hashes"]
        hits = np.bincount(
            ring.hosts_of(np.arange(given["even_hashes"], dtype=np.uint64) * np.uint64(step)), minlength=len(counts)
        )
        got |= {"hits": hits.tolist(), "hosts_hit": int(np.count_nonzero(hits))}
    return got


ADAPTERS = {
    "least_request_effective_weight": least_request_effective_weight,
    "least_request_pick": least_request_pick,
    "locality_weight_load": locality_weight_load,
    "maglev_counts": maglev,
    "maglev_invalid": maglev,
    "maglev_retry": maglev,
    "maglev_table": maglev,
    "priority_load": priority_loads,
    "priority_panic": priority_loads,
    "ring_hash_invalid": ring_hash,
    "ring_hash_pick": ring_hash,
    "ring_hash_spread": ring_hash,
}
