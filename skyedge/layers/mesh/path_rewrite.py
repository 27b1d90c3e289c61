"""A new path on the way to the destination: in place of what a condition matched, or by a regular expression.

Replacing by an expression follows RE2, which proxies use, and not Python where the two differ: ``\\0`` is the whole match, a
group has one digit, and an empty match right behind another one is none.
"""

from __future__ import annotations

import re

from skyedge.layers.mesh.http_match import How, StringMatch, whole_match
from skyedge.re2 import Match

_REFERENCE = re.compile(r"\\([0-9\\])")


def rewritten_path(uri: StringMatch | None, new: str, path: str) -> str:
    """``path`` with what the condition matched replaced: a prefix, or all; without a condition the leading slash."""
    bare, mark, query = path.partition("?")
    kept = ""
    if uri is None or uri.how is How.PREFIX:
        kept = bare[len(uri.value if uri is not None else "/") :]
    return new + kept + mark + query


def replaced_path(pattern: str, substitution: str, path: str) -> str:
    """``path`` with each match of ``pattern`` before its query replaced.

    Raises:
        InputError: if the pattern is no regular expression.
    """
    bare, mark, query = path.partition("?")
    expression = whole_match(pattern)
    parts: list[str] = []
    at, last_end = 0, -1
    while at <= len(bare):
        found = expression.search(bare, at)
        if found is None:
            break
        parts.append(bare[at : found.start()])
        at = found.end()
        if found.start() == at == last_end:
            parts.append(bare[at : at + 1])
            at += 1
        else:
            parts.append(_expanded(substitution, found))
            last_end = at
    return "".join(parts) + bare[at:] + mark + query


def _expanded(substitution: str, found: Match) -> str:
    def text(reference: re.Match[str]) -> str:
        return "\\" if reference[1] == "\\" else found.group(int(reference[1])) or ""

    return _REFERENCE.sub(text, substitution)
