"""Names in Istio's kinds, and what its webhook asks of them: hosts, addresses, headers, gateways, namespaces, labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from skyedge.kube.problem import Problem

_LABEL = r"[0-9A-Za-z](?:[-0-9A-Za-z]*[0-9A-Za-z])?"
_HOST = re.compile(rf"(?:\*|(?:\*-?)?{_LABEL})(?:\.{_LABEL})*\.?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_PORT_NAME = re.compile(r"[0-9A-Za-z](?:[-0-9A-Za-z]{0,61}[0-9A-Za-z])?")
_OF_SNI = re.compile(r"outbound_\.\d+_\.[^.]*_\.")
_HEADER = re.compile(r":?[-0-9A-Za-z!#$%&'*+.^_`|~]+")
_HEADER_VALUE = re.compile(r"(?:[^%]|%%|%[A-Z][A-Z0-9_]*(?:\([^()]*\))?(?::\d+)?%)*")
"""Text in which a ``%`` is written twice, or stands around a command of Envoy's such as ``%HOSTNAME%``."""

SOCKET = "unix://"
CLAIM = "@request.auth.claims"
"""Begins the name of a header that is a claim of a token."""


def check_host(host: str) -> None:
    """Raise a :class:`Problem` unless ``host`` is a name, an address, ``*``, or a name with a ``*`` at its beginning."""
    if not host:
        raise Problem((), "this should not be empty")
    if host != "*" and _HOST.fullmatch(host) is None and not is_address(host):
        star = "; a '*' stands at the beginning" if "*" in host else ""
        raise Problem((), f"'{host}' is no name of a host{star}")


def check_hosts(hosts: Sequence[str]) -> None:
    """Raise a :class:`Problem` below ``hosts`` for the first of them that is none."""
    for number, host in enumerate(hosts):
        try:
            check_host(host)
        except Problem as problem:
            raise problem.below(number).below("hosts") from None


def check_whole_domain(host: str) -> None:
    """As :func:`check_host`; and a ``*`` stands for whole parts of a name, and a name of one part is none to the outside."""
    check_host(host)
    if host.startswith("*") and host != "*" and not host.startswith("*."):
        raise Problem((), f"'{host}': a '*' stands for a whole part of a name here, as in *.example.com")


def without_sni(host: str) -> str:
    """The service of a name such as ``outbound_.80_._.reviews.default.svc.cluster.local``; other names as they are."""
    return _OF_SNI.sub("", host, count=1)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_endpoint_address(address: str) -> None:
    """Raise a :class:`Problem` unless this is an IP address, a name, or a socket's whole path."""
    if address.startswith(SOCKET):
        path = address.removeprefix(SOCKET)
        if not path.startswith(("/", "@")) or path.endswith("/") or len(path) == 1:
            raise Problem((), f"'{address}' is no socket; its path begins with a slash, and does not end with one")
    elif not is_address(address) and (_HOST.fullmatch(address) is None or "*" in address):
        raise Problem((), f"'{address}' is neither an address nor a name of a host")


def check_namespace(name: str) -> None:
    """Raise a :class:`Problem` unless this can be the name of a namespace."""
    if _NAMESPACE.fullmatch(name) is None:
        raise Problem((), f"'{name}' is no name of a namespace")


def check_port_name(name: str) -> None:
    """Raise a :class:`Problem` unless this can be the name of a port."""
    if _PORT_NAME.fullmatch(name) is None:
        raise Problem((), f"'{name}' is no name of a port")


def overlap(one: str, other: str) -> bool:
    """Whether there is a host that both stand for."""
    if one.startswith("*") and other.startswith("*"):
        return one[1:].endswith(other[1:]) or other[1:].endswith(one[1:])
    wild, plain = (one, other) if one.startswith("*") else (other, one)
    return one == other or (wild.startswith("*") and plain.endswith(wild[1:]) and len(plain) >= len(wild))


def check_gateways(gateways: Sequence[str]) -> None:
    """Raise a :class:`Problem` below ``gateways`` for the first of them that names none."""
    for number, gateway in enumerate(gateways):
        namespace, slash, name = gateway.rpartition("/")
        if slash:
            here = namespace == "."
            right = (here or _NAMESPACE.fullmatch(namespace) is not None) and _NAMESPACE.fullmatch(name) is not None
        else:
            right = _HOST.fullmatch(name) is not None and "*" not in name
        if not right:
            raise Problem(
                ("gateways", number), f"'{gateway}' is no name of a gateway; one is written NAMESPACE/NAME or NAME"
            )


def check_header_name(name: str) -> None:
    """Raise a :class:`Problem` unless this can be the name of a header."""
    if not name:
        raise Problem((), "a header has a name")
    if _HEADER.fullmatch(name) is None and not name.startswith(CLAIM):
        raise Problem((), f"'{name}' is no name of a header")


def check_header_names(field: str, names: Iterable[str], *, numbered: bool = False) -> None:
    """Raise a :class:`Problem` below ``field`` for the first name that no header can have."""
    for number, name in enumerate(names):
        try:
            check_header_name(name)
        except Problem as problem:
            raise problem.below(number if numbered else name).below(field) from None


def check_header_value(value: str) -> None:
    """Raise a :class:`Problem` if a ``%`` stands where Envoy would look for a command of its own."""
    if "%" in value and _HEADER_VALUE.fullmatch(value) is None:
        raise Problem((), f"'{value}': a '%' alone begins a command of Envoy's; written twice it is itself")


def check_export_to(words: Sequence[str], namespace: str, *, to_nobody: bool = False, only_own: bool = False) -> None:
    """Raise a :class:`Problem` below ``spec`` for words of ``exportTo`` that are no namespaces, or too many.

    Args:
        words: as they are written.
        namespace: of the object.
        to_nobody: whether ``~`` may be said.
        only_own: whether nothing may be said but ``.``, since labels are selected.
    """
    path = ("spec", "exportTo")
    seen: set[str] = set()
    for number, word in enumerate(words):
        right = word in (".", "*") or (word == "~" and to_nobody) or _NAMESPACE.fullmatch(word) is not None
        if not right:
            raise Problem((*path, number), f"'{word}' is neither a namespace nor '.' nor '*'")
        if only_own and word != ".":
            raise Problem((*path, number), "with a selector this holds in its own namespace alone, which is '.'")
        meant = namespace if word == "." else word
        if meant in seen:
            raise Problem((*path, number), f"'{word}' is said already")
        seen.add(meant)
    for word in ("*", "~"):
        if word in seen and len(seen) > 1:
            raise Problem(path, f"beside '{word}' nothing else can be said")


def check_label_words(labels: Iterable[tuple[str, str]], field: str) -> None:
    """Raise a :class:`Problem` below ``field`` for a label to select by that no workload can have."""
    for name, value in labels:
        if not name:
            raise Problem((field,), "a label has a name")
        if "*" in name or "*" in value:
            raise Problem((field, name), f"'{name}={value}': there is no '*' in labels")
