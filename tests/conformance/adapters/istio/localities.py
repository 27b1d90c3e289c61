"""Which endpoints come first for a caller, by where they are."""

from __future__ import annotations

from skyedge.layers.mesh import locality, locality_settings

from .fields import Answer, Given, only


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
    return {"group_weights": locality.distribute(caller, groups, rules, given.get("group_weights"))}


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


ADAPTERS = {
    "effective_lb_setting": effective_lb_setting,
    "failover_priority": failover_priority,
    "locality_distribute": locality_distribute,
    "locality_failover": locality_failover,
    "locality_match": locality_match,
    "zone_aware_failover": zone_aware_failover,
}
