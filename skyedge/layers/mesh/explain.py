"""Why a request goes where it goes: which rule it met by which condition, and which condition of each earlier one failed.

Sentences for people, made from the same objects that decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch, source_namespace_matches
from skyedge.layers.mesh.http_route import HttpRoute
from skyedge.layers.mesh.locality import Locality

NO_CONDITION = "it has no conditions"


@dataclass(frozen=True)
class Reason:
    """What became of one rule.

    Attributes:
        rule: its number.
        met: whether the request met it.
        why: a clause.
    """

    rule: int
    met: bool
    why: str


def reasons(routes: Sequence[HttpRoute], request: HttpRequest) -> list[Reason]:
    """What became of each rule up to the first that the request meets."""
    told: list[Reason] = []
    for number, route in enumerate(routes):
        met = route.met(request)
        if met is not None:
            told.append(Reason(number, True, "; ".join(conditions(met)) or NO_CONDITION))
            break
        told.append(Reason(number, False, "; ".join(dict.fromkeys(next(failures(m, request)) for m in route.matches))))
    return told


def conditions(match: HttpMatch) -> Iterator[str]:
    """What a condition asks for, clause by clause."""
    for name, text in (("path", match.uri), ("scheme", match.scheme), ("method", match.method), ("host", match.authority)):
        if text is not None:
            yield f"the {name} {wanted(text)}"
    for name, text in match.headers.items():
        yield f"the header {name} {wanted(text)}"
    for name, text in match.without_headers.items():
        yield f"not: the header {name} {wanted(text)}"
    for name, text in match.query.items():
        yield f"the parameter {name} {wanted(text)}"
    if match.port:
        yield f"the port is {match.port}"
    for label, value in match.source_labels.items():
        yield f"the caller has {label}={value}"
    if match.source_namespace:
        yield f"the caller is in '{match.source_namespace}'"
    if match.gateways:
        yield f"it comes by {' or '.join(match.gateways)}"


def failures(match: HttpMatch, request: HttpRequest) -> Iterator[str]:
    """What of a condition a request does not meet, clause by clause."""
    path = request.path.partition("?")[0]
    for name, text, value, no_case in (
        ("path", match.uri, path, match.ignore_uri_case),
        ("scheme", match.scheme, request.scheme, False),
        ("method", match.method, request.method, False),
        ("host", match.authority, request.host, False),
    ):
        if text is not None and not text.holds(value, ignore_case=no_case):
            yield f"the {name} is {value} and not one that {wanted(text)}"
    for name, text in match.headers.items():
        if not text.holds(request.header(name)):
            yield _missed(f"header {name}", text, request.header(name))
    for name, text in match.without_headers.items():
        if not HttpMatch(without_headers={name: text}).holds(request):
            yield f"the header {name} {wanted(text)}, and must not"
    query = request.query()
    for name, text in match.query.items():
        if not text.holds(query.get(name)):
            yield _missed(f"parameter {name}", text, query.get(name))
    if match.port not in (0, request.port):
        yield f"the port is {request.port} and not {match.port}"
    for label, value in match.source_labels.items():
        if request.source_labels.get(label) != value:
            yield f"the caller has no {label}={value}"
    if not source_namespace_matches(match.source_namespace, request.source_namespace):
        yield f"the caller is in '{request.source_namespace}' and not in '{match.source_namespace}'"
    if match.gateways and request.gateway not in match.gateways:
        yield f"it comes by {request.gateway} and not by {' or '.join(match.gateways)}"


def wanted(text: StringMatch) -> str:
    """What a condition asks of a text, as a clause without a subject."""
    return {
        How.EXACT: f"is {text.value!r}",
        How.PREFIX: f"begins with {text.value!r}",
        How.REGEX: f"fits {text.value!r}",
        How.PRESENT: "is there",
    }[text.how]


def place(locality: Locality) -> str:
    """``region/zone/subzone``; what is not known is left out, and a question mark if that is all."""
    return "/".join(word for word in (locality.region, locality.zone, locality.subzone) if word) or "?"


def _missed(what: str, text: StringMatch, value: str | None) -> str:
    if value is None:
        return f"there is no {what}"
    return f"the {what} is {value!r} and not one that {wanted(text)}"
