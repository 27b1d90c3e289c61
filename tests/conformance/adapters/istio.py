"""Istio's and Envoy's cases, for ``skyedge.layers.mesh``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh import balancing, defaults, delegates, hash_tables, locality, locality_settings, retries, weights
from skyedge.layers.mesh.headers import CorsPolicy, HeaderOperations
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch, source_namespace_matches
from skyedge.layers.mesh.http_route import (
    Abort,
    Delay,
    Destination,
    DirectResponse,
    Draws,
    HttpRoute,
    Mirror,
    Redirect,
    Rewrite,
    answer,
    follow,
    grpc_status_number,
)
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector
from skyedge.layers.mesh.priority_load import locality_load, priority_load
from skyedge.streams import stream

Given = Mapping[str, Any]
Answer = dict[str, Any]

REQUESTS = 100_000
"""How many requests a split is measured with: three standard errors are under half a percent."""


def only(given: Given, known: Sequence[str], what: str) -> None:
    """Refuse what is not in the schema: a field that is passed over could make a case pass by luck."""
    for field in given:
        if field not in known:
            raise InputError(f"the schema has no '{field}' in {what}", nearest=nearest(field, known))


# HTTP routes.

TEXT_FIELDS = ("uri", "scheme", "method", "authority")
TABLES = {"headers": "headers", "withoutHeaders": "without_headers", "queryParams": "query"}
MATCH_FIELDS = (*TEXT_FIELDS, *TABLES, "name", "port", "sourceLabels", "sourceNamespace", "gateways", "ignoreUriCase")


def text_from(given: Given | None, *, header: bool = False) -> StringMatch | None:
    """A condition on a text; null stays null except for a header, where it asks for presence."""
    if given is None and not header:
        return None
    if not given or (header and given == {"regex": "*"}):
        return StringMatch(How.PRESENT)
    only(given, ("exact", "prefix", "regex"), "a string match")
    ((how, value),) = given.items()
    return StringMatch(How(how), value)


def plain_text(match: StringMatch) -> Answer:
    return {"regex": "*"} if match.how is How.PRESENT else {match.how.value: match.value}


def match_from(given: Given) -> HttpMatch:
    """Conditions of one entry."""
    only(given, MATCH_FIELDS, "a match")
    tables = {
        name: {key: text_from(value, header=True) for key, value in (given.get(field) or {}).items()}
        for field, name in TABLES.items()
    }
    return HttpMatch(
        **{name: text_from(given.get(name)) for name in TEXT_FIELDS},
        **tables,
        port=given.get("port") or 0,
        source_labels=given.get("sourceLabels") or {},
        source_namespace=given.get("sourceNamespace") or "",
        gateways=tuple(given.get("gateways") or ()),
        ignore_uri_case=bool(given.get("ignoreUriCase")),
    )


def plain_match(match: HttpMatch) -> Answer:
    """Conditions in a case's words; what is not asked for is left out."""
    plain: Answer = {name: plain_text(getattr(match, name)) for name in TEXT_FIELDS if getattr(match, name)}
    for field, name in TABLES.items():
        plain[field] = {key: plain_text(value) for key, value in getattr(match, name).items()}
    plain |= {"port": match.port, "sourceLabels": dict(match.source_labels), "sourceNamespace": match.source_namespace}
    plain |= {"gateways": list(match.gateways), "ignoreUriCase": match.ignore_uri_case}
    return {key: value for key, value in plain.items() if value}


def operations_from(given: Given | None, side: str) -> HeaderOperations:
    given = given or {}
    only(given, ("request", "response"), "headers")
    mine = given.get(side) or {}
    only(mine, ("set", "add", "remove"), "header operations")
    return HeaderOperations(mine.get("set") or {}, mine.get("add") or {}, tuple(mine.get("remove") or ()))


def destination_from(given: Given, weight: float = 0, headers: Given | None = None) -> Destination:
    only(given, ("host", "subset", "port"), "a destination")
    port = given.get("port")
    return Destination(
        given["host"],
        given.get("subset") or "",
        port["number"] if isinstance(port, Mapping) else port,
        weight,
        operations_from(headers, "request"),
        operations_from(headers, "response"),
    )


def seconds_from(given: str | float) -> float:
    """Seconds of '1h', '24h', '5s', '100ms' or a number."""
    if not isinstance(given, str):
        return float(given)
    for unit, seconds in (("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if given.endswith(unit):
            return float(given.removesuffix(unit)) * seconds
    raise InputError(f"'{given}' is no duration")


def percent_from(given: Any) -> float:
    if given is None:
        return 100.0
    return float(given.get("value", 0.0) if isinstance(given, Mapping) else given)


def redirect_from(given: Given) -> Redirect:
    known = ("uri", "prefixRewrite", "authority", "scheme", "port", "derivePort", "redirectCode")
    only(given, known, "a redirect")
    return Redirect(
        uri=given.get("uri") or "",
        prefix_rewrite=given.get("prefixRewrite") or "",
        authority=given.get("authority") or "",
        scheme=given.get("scheme") or "",
        port=given.get("port"),
        port_of_request=given.get("derivePort") == "FROM_REQUEST_PORT",
        code=given.get("redirectCode") or 301,
    )


def rewrite_from(given: Given) -> Rewrite:
    only(given, ("uri", "authority", "uriRegexRewrite"), "a rewrite")
    by_pattern = given.get("uriRegexRewrite") or {}
    return Rewrite(
        given.get("uri") or "", given.get("authority") or "", by_pattern.get("match", ""), by_pattern.get("rewrite", "")
    )


def fault_from(given: Given) -> tuple[Abort | None, Delay | None]:
    only(given, ("abort", "delay"), "a fault")
    abort, delay = given.get("abort"), given.get("delay")
    for part in (abort, delay):
        only(part or {}, ("percentage", "percent", "httpStatus", "grpcStatus", "fixedDelay", "fixedDelay_s"), "a fault")
    share = [percent_from((part or {}).get("percentage", (part or {}).get("percent"))) for part in (abort, delay)]
    wait = None if delay is None else delay.get("fixedDelay_s", delay.get("fixedDelay"))
    code = (abort or {}).get("grpcStatus")
    return (
        None
        if abort is None
        else Abort(share[0], abort.get("httpStatus"), None if code is None else grpc_status_number(str(code))),
        None if delay is None else Delay(seconds_from(wait), share[1]),
    )


def cors_from(given: Given) -> CorsPolicy:
    known = ("allowOrigins", "allowOrigin", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials")
    only(given, known, "a CORS policy")
    origins = [text_from(origin) for origin in given.get("allowOrigins") or ()]
    origins += [StringMatch(How.EXACT, origin) for origin in given.get("allowOrigin") or ()]
    return CorsPolicy(
        tuple(origin for origin in origins if origin is not None),
        tuple(given.get("allowMethods") or ()),
        tuple(given.get("allowHeaders") or ()),
        tuple(given.get("exposeHeaders") or ()),
        round(seconds_from(given["maxAge"])) if given.get("maxAge") is not None else None,
        bool(given.get("allowCredentials")),
    )


def mirrors_from(given: Given) -> tuple[Mirror, ...]:
    mirrors = [
        Mirror(destination_from(one["destination"]), percent_from(one.get("percentage")))
        for one in given.get("mirrors") or ()
    ]
    if given.get("mirror"):
        percentage = given.get("mirrorPercentage")
        share = defaults.mirror_percent(None if percentage is None else percent_from(percentage), given.get("mirrorPercent"))
        mirrors += [Mirror(destination_from(given["mirror"]), share)] if share is not None else []
    return tuple(mirrors)


def route_from(given: Given) -> HttpRoute:
    """One rule."""
    known = ("name", "match", "route", "redirect", "rewrite", "directResponse", "headers", "fault", "corsPolicy")
    only(given, (*known, "mirror", "mirrors", "mirrorPercent", "mirrorPercentage", "timeout", "retries"), "a route")
    abort, delay = fault_from(given.get("fault") or {})
    direct = given.get("directResponse")
    for part in given.get("route") or ():
        only(part, ("destination", "weight", "headers"), "a destination of a route")
    return HttpRoute(
        matches=tuple(match_from(match) for match in given.get("match") or ()),
        destinations=tuple(
            destination_from(part["destination"], part.get("weight") or 0, part.get("headers"))
            for part in given.get("route") or ()
        ),
        redirect=redirect_from(given["redirect"]) if given.get("redirect") is not None else None,
        rewrite=rewrite_from(given.get("rewrite") or {}),
        direct_response=None
        if direct is None
        else DirectResponse(direct["status"], (direct.get("body") or {}).get("string", "")),
        request_headers=operations_from(given.get("headers"), "request"),
        response_headers=operations_from(given.get("headers"), "response"),
        abort=abort,
        delay=delay,
        mirrors=mirrors_from(given),
        cors=None if given.get("corsPolicy") is None else cors_from(given["corsPolicy"]),
        name=given.get("name") or "",
    )


def http_route(given: Given) -> Answer:
    asked = given["request"]
    only(asked, ("host", "port", "method", "path", "headers", "follow_redirects", "protocol"), "a request")
    protocol = (asked.get("protocol") or "http").lower()
    request = HttpRequest(
        host=asked["host"],
        path=asked.get("path") or "/",
        method=asked.get("method") or "GET",
        port=asked.get("port") or 80,
        scheme="https" if protocol == "https" else "http",
        headers=asked.get("headers") or {},
        grpc=protocol == "grpc",
    )
    routes = [route_from(route) for route in given["http"]]
    got = (follow if asked.get("follow_redirects") else answer)(routes, request)
    return {
        "status": got.status,
        "location": got.location,
        "upstream_path": got.upstream_path,
        "upstream_host": got.upstream_host,
        "upstream_headers": Spoken(got.upstream_headers),
        "response_headers": Spoken(got.response_headers),
        "grpc_status": got.grpc_status,
    }


class Spoken(dict[str, str]):
    """Headers that are asked for by any spelling of their names; an absent one is empty."""

    def get(self, name: str, default: Any = None) -> str:
        """The value."""
        return super().get(name.lower(), "")


def weighted_split(given: Given) -> Answer:
    route = route_from({"route": given["route"]})
    draws = stream(0, "weighted_split", "destination").random(REQUESTS)
    picks = weights.choose([destination.weight for destination in route.destinations], draws)
    for draw, pick in zip(draws[:100].tolist(), picks.tolist(), strict=False):
        one = answer([route], HttpRequest("any"), Draws(destination=draw)).destination
        if one != pick:
            raise AssertionError(f"a batch sends a request to {pick} that goes to {one} alone")
    counts = np.bincount(picks, minlength=len(route.destinations)) / REQUESTS
    fraction: dict[str, float] = {}
    for destination, share in zip(route.destinations, counts.tolist(), strict=True):
        fraction[destination.host] = fraction.get(destination.host, 0.0) + share
    return {"fraction": fraction, "upstream_check": True}


def delegate_match_conflict(given: Given) -> Answer:
    return {"conflict": delegates.conflict(match_from(given["root"]), match_from(given["leaf"]))}


def delegate_match_merge(given: Given) -> Answer:
    sides = [[match_from(match) for match in given.get(side) or ()] for side in ("root", "delegate")]
    merged = delegates.merge_all(*sides)
    return {"conflict": merged is None, "merged": None if merged is None else [plain_match(match) for match in merged]}


def source_namespace_match(given: Given) -> Answer:
    wanted = given.get("match_source_namespace") or ""
    return {"match": source_namespace_matches(wanted, given.get("proxy_namespace") or "")}


# Localities.


def locality_from(given: Given | None) -> locality.Locality:
    given = given or {}
    only(given, ("region", "zone", "subzone"), "a locality")
    return locality.Locality(*(given.get(part) or "" for part in ("region", "zone", "subzone")))


def _caller_and_groups(given: Given) -> tuple[locality.Locality, list[locality.Locality]]:
    return locality_from(given.get("proxy_locality")), [locality_from(group) for group in given["endpoint_groups"]]


def failover_from(given: Given) -> list[tuple[str, str]]:
    return [(rule.get("from", ""), rule.get("to", "")) for rule in given.get("failover") or ()]


def locality_match(given: Given) -> Answer:
    return {"match": locality_from(given["locality"]).matches(given["rule"])}


def locality_failover(given: Given) -> Answer:
    caller, groups = _caller_and_groups(given)
    if not given.get("outlier_detection", True) or given.get("enabled", True) is False:
        return {"priorities": [0] * len(groups)}
    return {"priorities": locality.failover_priorities(caller, groups, failover_from(given))}


def zone_aware_failover(given: Given) -> Answer:
    return {"priorities": locality.zone_aware_priorities(*_caller_and_groups(given), failover_from(given))}


def failover_priority(given: Given) -> Answer:
    groups = [
        locality.EndpointGroup(
            locality_from(group.get("locality")),
            tuple(
                locality.Endpoint(one["address"], one.get("labels") or {}, one.get("weight", 1))
                for one in group["endpoints"]
            ),
        )
        for group in given["endpoint_groups"]
    ]
    parts = locality.split_by_labels(
        locality_from(given.get("proxy_locality")),
        given.get("proxy_labels") or {},
        given.get("failover_priority") or (),
        groups,
        failover_from(given),
    )
    return {
        "groups": [
            {"locality": plain_locality(part.locality), "priority": part.priority, "weight": part.weight} for part in parts
        ]
    }


def plain_locality(given: locality.Locality) -> Answer:
    return {"region": given.region, "zone": given.zone, "subzone": given.subzone}


def locality_distribute(given: Given) -> Answer:
    caller, groups = _caller_and_groups(given)
    rules = [(rule["from"], rule["to"]) for rule in given.get("distribute") or ()]
    return {"group_weights": locality.distribute(caller, groups, rules)}


def effective_lb_setting(given: Given) -> Answer:
    def setting(name: str) -> locality_settings.LocalitySetting | None:
        said = given.get(name)
        if said is None:
            return None
        only(said, ("enabled", "failover_priority", "has_failover"), "a setting")
        return locality_settings.LocalitySetting(
            said.get("enabled"), tuple(said.get("failover_priority") or ()), bool(said.get("has_failover"))
        )

    got = locality_settings.effective_setting(
        locality_settings.Level(setting("mesh_locality"), setting("mesh_zone_aware")),
        locality_settings.Level(setting("dr_locality"), setting("dr_zone_aware")),
        given.get("service_traffic_distribution"),
    )
    plain = None
    if got.setting is not None:
        said = got.setting
        plain = {
            "enabled": said.enabled,
            "failover_priority": list(said.failover_priority),
            "has_failover": said.has_failover,
        }
    return {"kind": got.kind and got.kind.value, "setting": plain, "force_failover": got.force_failover}


# Load and balancing.


def priority_loads(given: Given) -> Answer:
    only(given, ("healthy_percent", "overprovisioning_factor", "panic_threshold_percent"), "priorities")
    factor, panic = given.get("overprovisioning_factor", 1.4), given.get("panic_threshold_percent", 50.0)
    load = priority_load(given["healthy_percent"], factor, panic)
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
    only(given, ("hash_keys", "weights", "minimum_ring_size", "maximum_ring_size", "hash"), "a ring")
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
    per_host = counts[0] if len(set(counts)) == 1 else counts
    return {"ring_size": ring.points.size, "hashes_per_host": per_host, "host": ring.host(int(given["hash"]))}


# Outliers and defaults.


def outlier_sequence(given: Given) -> Answer:
    detector = OutlierDetector(given["hosts"], OutlierConfig(**given["config"]))
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
    "delegate_match_conflict": delegate_match_conflict,
    "delegate_match_merge": delegate_match_merge,
    "effective_lb_setting": effective_lb_setting,
    "failover_priority": failover_priority,
    "http_route": http_route,
    "least_request_effective_weight": least_request_effective_weight,
    "locality_distribute": locality_distribute,
    "locality_failover": locality_failover,
    "locality_match": locality_match,
    "locality_weight_load": locality_weight_load,
    "maglev_counts": maglev,
    "maglev_invalid": maglev,
    "maglev_retry": maglev,
    "maglev_table": maglev,
    "mirror_percent": mirror_percent,
    "outlier_config": outlier_config,
    "outlier_max_ejection_default": outlier_max_ejection_default,
    "outlier_sequence": outlier_sequence,
    "panic_threshold_default": panic_threshold_default,
    "priority_load": priority_loads,
    "priority_panic": priority_loads,
    "retry_policy": retry_policy,
    "ring_hash_invalid": ring_hash,
    "ring_hash_pick": ring_hash,
    "source_namespace_match": source_namespace_match,
    "weighted_split": weighted_split,
    "zone_aware_failover": zone_aware_failover,
}
