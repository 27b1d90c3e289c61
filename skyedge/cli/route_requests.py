"""Requests for `skyedge route`: read from a file, or made up from what the manifests have.

Made-up requests go to every host that a caller can name, on the paths and with the headers that its rules ask for, so that
each rule is met; callers are the workloads that are there, or the localities of endpoints where no workload is known.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from skyedge.cli.request_fields import headers_of, host_of, method_of, path_of, port_of, scheme_of, seconds_of, truth_of
from skyedge.cli.request_ports import UsualPorts
from skyedge.errors import InputError, nearest
from skyedge.kube.documents import documents, not_json, read_file
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.locality import NOWHERE
from skyedge.layers.mesh.objects import MESH_GATEWAY, Caller, Mesh
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.traffic import TimedRequest
from skyedge.streams import stream
from skyedge.yaml_files import CarefulLoader, not_yaml

KEYS = ("host", "path", "method", "headers", "source", "at_s", "port", "scheme", "grpc")
RATE_PER_S = 100.0
"""Of requests without times, unless the user says another."""
MOST_REQUESTS = 1_000_000


@dataclass(frozen=True)
class Asked:
    """A request, and who sends it."""

    at_us: int
    caller: Caller
    http: HttpRequest

    @property
    def timed(self) -> TimedRequest:
        """The same as traffic is told it."""
        return TimedRequest(self.at_us, self.caller, self.http)


def requests_of(
    text: str, reading: MeshReading, source: str | None, seed: int, rate_per_s: float = RATE_PER_S
) -> list[Asked]:
    """The requests of a file, or as many as a number says.

    Args:
        source: whoever calls where a request does not say; None: any workload for made-up ones, for others somebody
            in the namespace ``default`` of whom nothing is known.
        rate_per_s: of requests that have no times.

    Raises:
        InputError: with the place of what is wrong.
    """
    caller = None
    if source is not None:
        try:
            caller = reading.caller(source)
        except InputError as error:
            raise InputError(error.message, where="--from", nearest=error.nearest) from None
    if text.isdecimal() and not Path(text).exists():
        count = int(text)
        if not 0 < count <= MOST_REQUESTS:
            raise InputError(f"from 1 to {MOST_REQUESTS:,} requests can be made up, not {count:,}", where="--requests")
        return made_up(reading, caller, count, seed, rate_per_s)
    return read_requests(text, reading, caller or Caller("somebody", namespace="default"), rate_per_s)


def read_requests(file: str, reading: MeshReading, otherwise: Caller, rate_per_s: float) -> list[Asked]:
    """The requests of a file: CSV, JSON (lines, or a list) or YAML.

    Raises:
        InputError: with file and line, or number, of what is wrong.
    """
    name, data = read_file(file)
    asked: list[Asked] = []
    callers: dict[str, Caller] = {}
    shared: dict[tuple[str, HttpRequest | str], HttpRequest] = {}
    ports = UsualPorts(reading)
    for place, row in _rows(name, data):
        source = row.get("source")
        caller = otherwise
        if source is not None:
            said = _name_of(source, f"{place}: source")
            if said not in callers:
                try:
                    callers[said] = reading.caller(said)
                except InputError as error:
                    raise InputError(error.message, where=f"{place}: source", nearest=error.nearest) from None
            caller = callers[said]
        at_s = row.get("at_s")
        at_us = round((len(asked) / rate_per_s if at_s is None else seconds_of(at_s, f"{place}: at_s")) * 1e6)
        http = _sent_by(caller, _request(row, place, caller, ports))
        # Requests that are alike share one object, so that their rules are looked up once.
        key = (caller.name, repr(http))
        asked.append(Asked(at_us, caller, shared.setdefault(key, http)))
    if not asked:
        raise InputError("there is no request in this", where=name)
    return asked


def made_up(reading: MeshReading, caller: Caller | None, count: int, seed: int, rate_per_s: float) -> list[Asked]:
    """``count`` requests, at random times of the given rate.

    Raises:
        InputError: if there is nobody to call.
    """
    random = stream(seed, "route", "requests")
    menu = _Menu(reading)
    callers = [caller] if caller is not None else _callers(reading)
    choices = [one for one in callers if menu.of(one)]
    if not choices:  # everybody answers for the only service there is
        menu.its_own = True
        choices = [one for one in callers if menu.of(one)]
    if not choices:
        if caller is None:
            raise InputError("nobody sees a host to call, so no request can be made up", where="--requests")
        raise InputError(f"'{caller.name}' sees no host to call", where="--from")
    times_us = np.rint(np.cumsum(random.exponential(1e6 / rate_per_s, count))).astype(np.int64).tolist()
    asked = []
    for number, (who_draw, wish_draw) in enumerate(random.random((count, 2)).tolist()):
        sender = choices[int(who_draw * len(choices))]
        wishes = menu.of(sender)
        asked.append(Asked(times_us[number], sender, menu.request(sender, wishes[int(wish_draw * len(wishes))])))
    return asked


def _callers(reading: MeshReading) -> list[Caller]:
    if reading.workloads:
        return [one.caller for one in reading.workloads]
    places = sorted({one.locality for one in reading.endpoints})
    return [
        Caller("/".join(word for word in (p.region, p.zone, p.subzone) if word) or "somebody", p, namespace="default")
        for p in places or [NOWHERE]
    ]


@dataclass(frozen=True)
class _Wish:
    """A host, and the condition of a rule that is to be met; None: of a service without rules."""

    host: str
    match: HttpMatch | None


class _Menu:
    """What callers can ask for: found once for all that see the same, and made a request only when it is drawn."""

    def __init__(self, reading: MeshReading) -> None:
        self._reading = reading
        self.its_own = False
        """Whether callers call services that they answer for themselves too."""
        self._all: dict[tuple[int, str], list[_Wish]] = {}
        self._of: dict[tuple[int, str, frozenset[str]], list[_Wish]] = {}
        self._made: dict[tuple[str, int], HttpRequest] = {}
        self._ports = UsualPorts(reading)
        self._answers: dict[str, set[str]] = {}
        for (host, _), one in reading.behind.items():
            self._answers.setdefault(f"{one.namespace}/{one.name}", set()).add(host)

    def of(self, caller: Caller) -> list[_Wish]:
        """One for each condition of each rule and for each service without rules, but for services it answers for itself."""
        mesh = self._reading.mesh_for(caller)
        own = frozenset() if self.its_own else frozenset(self._answers.get(caller.name, ()))
        key = (id(mesh), caller.gateway, own)
        if key not in self._of:
            if key[:2] not in self._all:
                self._all[key[:2]] = list(_wishes(mesh, caller.gateway))
            every = self._all[key[:2]]
            self._of[key] = [wish for wish in every if wish.host not in own] if own else every
        return self._of[key]

    def request(self, caller: Caller, wish: _Wish) -> HttpRequest:
        """The request; the same object each time, so that its rules are looked up once."""
        key = (caller.name, id(wish))
        if key not in self._made:
            host = wish.host
            name = host.replace("*", "www", 1) if host.startswith("*.") else host.replace("*", "www.example.com")
            port = self._ports.of(caller, name)
            plain = HttpRequest(name, port=port) if wish.match is None else _meeting(wish.match, name, port)
            self._made[key] = _sent_by(caller, plain)
        return self._made[key]


def _wishes(mesh: Mesh, gateway: str) -> Iterator[_Wish]:
    spoken_of = set()
    for virtual in mesh.virtual_services:
        if gateway in virtual.gateways:
            for host in virtual.hosts:
                spoken_of.add(host)
                for route in virtual.http:
                    yield from (_Wish(host, match) for match in route.matches or (HttpMatch(),))
    if gateway == MESH_GATEWAY:
        for service in mesh.services:
            if service.host not in spoken_of and "*" not in service.host:
                yield _Wish(service.host, None)


def _meeting(match: HttpMatch, host: str, port: int) -> HttpRequest:
    """A request that meets a condition, as far as its expressions can be guessed; to ``port`` if it asks for none."""

    def value(text: StringMatch | None, usual: str, more: str = "") -> str:
        if text is None or text.how is How.PRESENT:
            return usual
        if text.how is How.PREFIX:
            return text.value + more
        if text.how is How.EXACT or text.holds(text.value):
            return text.value
        return next((guess for guess in (usual, text.value.split("|")[0]) if text.holds(guess)), usual)

    query = "&".join(f"{name}={value(text, '1')}" for name, text in match.query.items())
    return HttpRequest(
        value(match.authority, host),
        value(match.uri, "/", "1") + (f"?{query}" if query else ""),
        value(match.method, "GET"),
        match.port or port,
        value(match.scheme, "http"),
        {name: value(text, "1") for name, text in match.headers.items() if not name.startswith(":")},
    )


def _sent_by(caller: Caller, http: HttpRequest) -> HttpRequest:
    return replace(http, source_labels=caller.labels, source_namespace=caller.namespace, gateway=caller.gateway)


def _rows(name: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Places and mappings, with only keys that a request has."""
    suffix = Path(name).suffix.lower()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"this is not UTF-8: {error.reason}", where=name) from None
    if suffix == ".csv":
        rows = _of_csv(name, text)
    elif suffix in (".jsonl", ".ndjson", ".json") or text.lstrip()[:1] == "{" or text.lstrip()[:2] == "[{":
        rows = _of_json(name, text)
    else:
        rows = _of_yaml(name, text)
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError("a request is a mapping, with 'host' and what else it has", where=place)
        for key in row:
            if key not in KEYS:
                raise InputError(f"a request has no '{key}'", where=place, nearest=nearest(str(key), KEYS))
        if row.get("host") in (None, ""):
            raise InputError("'host' is missing", where=place)
        yield place, {key: value for key, value in row.items() if value is not None}


def _of_csv(name: str, text: str) -> Iterator[tuple[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=None), restkey="", strict=True)
    try:
        columns = reader.fieldnames or ()
        for at, column in enumerate(columns):
            if column in columns[:at]:
                raise InputError(f"there is a column '{column}' already", where=f"{name}:{reader.line_num}")
        for row in reader:
            place = f"{name}:{reader.line_num}"
            if "" in row:
                raise InputError("this line has more cells than there are columns", where=place)
            yield place, {key: value for key, value in row.items() if value not in (None, "")}
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}", where=f"{name}:{reader.line_num}") from None


def _of_json(name: str, text: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip()[:1] == "[":
        yield from _listed(name, _decoded(text, name))
        return
    if text.lstrip().partition("\n")[0].strip() == "{":  # a request on many lines; others may follow
        for document in documents(name, text.encode()):
            yield f"{name}:{document.first_line}", _decoded(document.content, name, document.first_line)
        return
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            yield f"{name}:{number}", _decoded(line, name, number)


def _decoded(text: str | bytes, name: str, first_line: int = 1) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            json.loads(text)
        except json.JSONDecodeError as found:
            raise not_json(name, found, first_line) from None
        except RecursionError:
            raise InputError("this is nested too deeply", where=f"{name}:{first_line}") from None
        except ValueError:  # of a number, which has a limit of its own
            pass
        raise InputError(f"this is not JSON: {error}", where=f"{name}:{first_line}") from None


def _of_yaml(name: str, text: str) -> Iterator[tuple[str, Any]]:
    try:
        content = yaml.load(text, Loader=CarefulLoader)
    except yaml.YAMLError as error:
        raise not_yaml(name, text, error) from None
    except RecursionError:
        raise InputError("this is nested too deeply", where=name) from None
    if not isinstance(content, list):
        raise InputError("this should be a list of requests", where=name)
    yield from _listed(name, content)


def _listed(name: str, items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for number, item in enumerate(items):
        yield f"{name}: request {number}", item


def _request(row: dict[str, Any], place: str, caller: Caller, ports: UsualPorts) -> HttpRequest:
    host = host_of(row["host"], f"{place}: host")
    return HttpRequest(
        host,
        path_of(row.get("path", "/"), f"{place}: path"),
        method_of(row.get("method", "GET"), f"{place}: method"),
        port_of(row["port"], f"{place}: port") if "port" in row else ports.of(caller, host),
        scheme_of(row.get("scheme", "http"), f"{place}: scheme"),
        headers_of(row.get("headers", {}), f"{place}: headers"),
        truth_of(row.get("grpc", False), f"{place}: grpc"),
    )


def _name_of(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"this should be the name of a caller, not {value!r}", where=place)
    return value
