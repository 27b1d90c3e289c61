"""What translates a case to skyedge's public API and the answer back: one module a peer, with no rules of its own.

A module has ``ADAPTERS``, functions from the ``input`` of a case to an answer by kind of case, and may have ``IDLE``,
functions that give the answer of somebody who does nothing.  An answer is plain data with the fields of ``expected``.
To add a peer, add its module to ``PEERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Answer = dict[str, Any]
Adapter = Callable[[Mapping[str, Any]], Answer]

PEERS = ("volcano", "karmada", "istio")


def _tables(name: str) -> dict[str, Adapter]:
    table: dict[str, Adapter] = {}
    for peer in PEERS:
        table.update(getattr(import_module(f"adapters.{peer}"), name, {}))
    return table


ADAPTERS = _tables("ADAPTERS")
"""By kind of case: the answer of skyedge."""

IDLE = _tables("IDLE")
"""By kind of case: the answer of somebody who does nothing."""
