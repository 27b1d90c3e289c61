"""`skyedge federate --drain`, `--upgrade`, `--leave`: what happens to a federation when clusters are moved as planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skyedge.cli.federate_failover import as_rows, cluster_and_time, running_now
from skyedge.errors import InputError
from skyedge.layers.federation.governing import Governed
from skyedge.layers.federation.planned import PlannedMove, Purpose, planned_timeline


def read_moves(planned: Mapping[str, Sequence[str]], clusters: Sequence[str], now_s: float | None) -> list[PlannedMove]:
    """What ``--drain CLUSTER[@T]`` and the others ask for; T is so long after now, or a time in UTC.

    Raises:
        InputError: for a cluster that there is not or that is moved twice, or a T that is no time, or lies before now.
    """
    moves: dict[str, PlannedMove] = {}
    for purpose in Purpose:
        where = f"--{purpose.value}"
        for option in planned.get(purpose.value, ()):
            name, at_s = cluster_and_time(option, clusters, now_s, where=where)
            if name in moves:
                raise InputError(f"'{name}' is moved once: to drain, to upgrade or to leave", where=where)
            moves[name] = PlannedMove(name, purpose, at_s)
    return list(moves.values())


def planned_rows(
    governed: Governed, moves: Sequence[PlannedMove], *, seed: int, now_s: float | None
) -> list[dict[str, Any]]:
    """What happens, a mapping for each event, in the order of time.

    Raises:
        InputError: if the life of a cluster does not let it be moved so.
    """
    left, workloads, shares = running_now(governed)
    governance = governed.reading.governance
    rows = planned_timeline(left, workloads, shares, moves, governance.memberships, quotas=governance.quotas, seed=seed)
    return as_rows(rows, now_s)
