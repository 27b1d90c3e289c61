"""How sentences and headings count: 1 cluster, 2 clusters."""

from __future__ import annotations

import re

_PLURAL = re.compile(r"\((\w+)\)")


def counted(count: int, what: str) -> str:
    """``1 cluster`` or ``2 clusters``, of ``cluster(s)``: what stands in brackets is there unless it is one."""
    return f"{count:,} " + _PLURAL.sub("" if count == 1 else r"\1", what)
