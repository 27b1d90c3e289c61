"""The fields of a request as somebody writes them: each read as what HTTP lets it be, or refused in a sentence.

Files of requests are written by hand and by programs, so a field may be a text that looks like a number.
"""

from __future__ import annotations

import math
import re
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.virtual_hosts import without_port

HIGHEST_PORT = 65535
MOST_SECONDS = 1e9
SCHEMES = ("http", "https")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What HTTP has names of methods and headers made of."""
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_NOT_IN_HOST = re.compile(r"[\s\x00-\x1f\x7f/?#@]")


def host_of(value: Any, place: str) -> str:
    """An authority: a name or an address, with a port if somebody wrote one.

    Raises:
        InputError: if it is none, as for the other fields.
    """
    host = _text(value, place)
    if "://" in host:
        raise InputError(
            f"'{host}' is a whole address; the name goes here, and the rest into 'scheme' and 'path'", where=place
        )
    found = _NOT_IN_HOST.search(host)
    if found is not None:
        raise InputError(f"a host has no {found[0]!r}, and {host!r} does", where=place)
    name = without_port(host)
    if len(name) < len(host):
        port_of(host[len(name) + 1 :], place)
    elif host.endswith(":"):
        raise InputError(f"'{host}' ends without its port", where=place)
    return host


def path_of(value: Any, place: str) -> str:
    """A path with its query; ``*`` is for OPTIONS."""
    path = _text(value, place)
    if not path.startswith("/") and path != "*":
        raise InputError(f"a path begins with a slash, and '{path}' does not", where=place)
    if _BLANK.search(path):
        raise InputError(f"a path has no blanks, and {path!r} does; one is written %20", where=place)
    return path


def method_of(value: Any, place: str) -> str:
    """A method, in capitals."""
    method = _text(value, place)
    if _TOKEN.fullmatch(method) is None:
        raise InputError(f"{method!r} is no method, such as GET", where=place)
    return method.upper()


def scheme_of(value: Any, place: str) -> str:
    """``http`` or ``https``."""
    scheme = _text(value, place).lower()
    if scheme not in SCHEMES:
        raise InputError(
            f"a scheme is {' or '.join(SCHEMES)}, not '{scheme}'", where=place, nearest=nearest(scheme, SCHEMES)
        )
    return scheme


def headers_of(value: Any, place: str) -> dict[str, str]:
    """Headers: a mapping of texts, or in CSV ``x-user=jo;x-b=c``."""
    pairs: list[tuple[Any, Any]]
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(";") if part.strip()]
        if not all(mark for _, mark, _ in parts):
            raise InputError("headers are written like x-user=jo;x-b=c", where=place)
        pairs = [(name.strip(), text.strip()) for name, _, text in parts]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        raise InputError("headers are texts by name", where=place)
    headers: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(name, str) or not isinstance(text, str):
            raise InputError("headers are texts by name", where=place)
        if _TOKEN.fullmatch(name) is None:
            raise InputError(f"{name!r} is no name of a header", where=place)
        if name.lower() in headers:
            raise InputError(f"the header '{name}' is there twice; several values are written with commas", where=place)
        headers[name.lower()] = text
    return headers


def port_of(value: Any, place: str) -> int:
    """A port."""
    port = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= HIGHEST_PORT:
        raise InputError(f"a port is a whole number from 1 to {HIGHEST_PORT}, not {value!r}", where=place)
    return port


def seconds_of(value: Any, place: str) -> float:
    """A time, in seconds."""
    try:
        at_s = float(value)
    except (TypeError, ValueError, OverflowError):
        at_s = math.nan
    if isinstance(value, bool) or not 0 <= at_s <= MOST_SECONDS:
        shown = str(value) if isinstance(value, str | int | float) else "this"
        shown = f"'{shown[:40]}…'" if len(shown) > 40 else repr(value)
        raise InputError(f"this should be a number of seconds from 0 to {MOST_SECONDS:,.0f}, not {shown}", where=place)
    return at_s


def truth_of(value: Any, place: str) -> bool:
    """``true`` or ``false``."""
    truth = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(truth, bool):
        raise InputError(f"this should be true or false, not {value!r}", where=place)
    return truth


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"this should be a word, not {value!r}", where=place)
    return value
