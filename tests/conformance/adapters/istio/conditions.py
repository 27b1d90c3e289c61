"""Conditions of routes: read, written back, and of delegates put together."""

from __future__ import annotations

from skyedge.layers.mesh import delegates
from skyedge.layers.mesh.http_match import How, HttpMatch, StringMatch, source_namespace_matches

from .fields import Answer, Given, only

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


def delegate_match_conflict(given: Given) -> Answer:
    return {"conflict": delegates.conflict(match_from(given["root"]), match_from(given["leaf"]))}


def delegate_match_merge(given: Given) -> Answer:
    sides = [[match_from(match) for match in given.get(side) or ()] for side in ("root", "delegate")]
    merged = delegates.merge_all(*sides)
    return {"conflict": merged is None, "merged": None if merged is None else [plain_match(match) for match in merged]}


def source_namespace_match(given: Given) -> Answer:
    wanted = given.get("match_source_namespace") or ""
    return {"match": source_namespace_matches(wanted, given.get("proxy_namespace") or "")}


def catch_all_route(given: Given) -> Answer:
    return {"catch_all": match_from(given["match"]).is_catch_all}


ADAPTERS = {
    "catch_all_route": catch_all_route,
    "delegate_match_conflict": delegate_match_conflict,
    "delegate_match_merge": delegate_match_merge,
    "source_namespace_match": source_namespace_match,
}
