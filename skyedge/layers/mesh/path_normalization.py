"""One way of writing for paths that mean the same, before any rule looks at them (Istio's ``BASE``, the default).

Else ``/public/../private`` would be let in where only ``/public*`` is.  As RFC 3986 has it: characters that need no
escape are written plainly, ``.`` and ``..`` are followed; and a backslash is a slash.  Slashes side by side stay apart.
"""

from __future__ import annotations

import re

_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalized(path: str) -> str:
    """The same path, with its query as it is."""
    if "/." not in path and "%" not in path and "\\" not in path:
        return path
    bare, mark, query = path.partition("?")
    plain = _ESCAPED.sub(_unescaped, bare).replace("\\", "/")
    return (_followed(plain) if plain.startswith("/") else plain) + mark + query


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _PLAIN else found[0]


def _followed(path: str) -> str:
    *parts, last = path.split("/")[1:]
    kept: list[str] = []
    for part in (*parts, last):
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    return "/" + "/".join(kept) + ("/" if kept and last in (".", "..") else "")
