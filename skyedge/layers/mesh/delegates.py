"""Conditions of a route that hands on to another: when the two contradict each other, and what both mean together.

A root route says which requests it hands on, its delegate which of those it takes.  The delegate must ask for a part of
what the root lets through; a regular expression on either side cannot be compared, so it is a contradiction (Istio).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from skyedge.layers.mesh.http_match import How, HttpMatch, StringMatch

TEXT_FIELDS = ("uri", "scheme", "method", "authority")
TABLE_FIELDS = ("headers", "without_headers", "query")
SINGLE_FIELDS = ("port", "source_namespace", "gateways")


def texts_conflict(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    """Whether what ``leaf`` asks of a text is no part of what ``root`` lets through."""
    if root is None or leaf is None:
        return False
    if How.PRESENT in (root.how, leaf.how) or How.REGEX in (root.how, leaf.how):
        return True
    if root.how is How.EXACT:
        return leaf != root
    return not leaf.value.startswith(root.value)


def conflict(root: HttpMatch, leaf: HttpMatch) -> bool:
    """Whether no request that the root hands on could meet the delegate's conditions, or that cannot be told."""
    return (
        any(texts_conflict(getattr(root, name), getattr(leaf, name)) for name in TEXT_FIELDS)
        or any(
            texts_conflict(getattr(root, table).get(name), match)
            for table in TABLE_FIELDS
            for name, match in getattr(leaf, table).items()
        )
        or root.ignore_uri_case != leaf.ignore_uri_case
        or (root.port > 0 and leaf.port > 0 and root.port != leaf.port)
        or (root.source_namespace != "" and leaf.source_namespace != root.source_namespace)
        or any(root.source_labels.get(name, value) != value for name, value in leaf.source_labels.items())
        or (bool(root.gateways) and not set(leaf.gateways) <= set(root.gateways))
    )


def merge(root: HttpMatch, leaf: HttpMatch) -> HttpMatch:
    """Both at once; where both speak, the delegate is the narrower and its word stands."""
    both: dict[str, Any] = {name: getattr(leaf, name) or getattr(root, name) for name in (*TEXT_FIELDS, *SINGLE_FIELDS)}
    for table in (*TABLE_FIELDS, "source_labels"):
        both[table] = {**getattr(root, table), **getattr(leaf, table)}
    return replace(leaf, **both)


def merge_all(root: Sequence[HttpMatch], delegate: Sequence[HttpMatch]) -> tuple[HttpMatch, ...] | None:
    """Each condition of the delegate with each of the root's that it agrees with; None if one agrees with none."""
    if not root or not delegate:
        return tuple(root or delegate)
    merged: list[HttpMatch] = []
    for leaf in delegate:
        agreeing = [merge(one, leaf) for one in root if not conflict(one, leaf)]
        if not agreeing:
            return None
        merged += agreeing
    return tuple(merged)
