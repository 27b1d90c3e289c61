"""Elastic pools: containers that are there when work is, and are paid for while they are.

A pool is a pure decider in virtual time.  :class:`~skyedge.layers.elastic.pool.ElasticPool` is the object that a node
drives; :func:`~skyedge.layers.elastic.simulation.simulate` runs one over columns of work; an autoscaler says how many
instances there should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skyedge.layers.elastic.autoscaler import (
    Autoscaler,
    Combined,
    Concurrency,
    Decision,
    Fixed,
    PoolView,
    QueueDepth,
    make_autoscaler,
)
from skyedge.layers.elastic.bill import Bill, InstanceTable
from skyedge.layers.elastic.contact_plan import ContactPlan, Outlook
from skyedge.layers.elastic.pool import ElasticPool
from skyedge.layers.elastic.profile import PoolProfile
from skyedge.layers.elastic.simulation import Outcome, burst, seconds_until, simulate
from skyedge.layers.elastic.work import Finished

AUTOSCALERS: dict[str, type[Any]] = {
    "Concurrency": Concurrency,
    "ContactPlan": ContactPlan,
    "Fixed": Fixed,
    "QueueDepth": QueueDepth,
}
"""Those that come with skyedge, by name."""


def autoscaler_from(parts: Mapping[str, Mapping[str, Any]], outlook: Outlook | None = None, *, where: object = None) -> Any:
    """An autoscaler from its name and parameters, or the combination of several; informed of ``outlook`` where it may be.

    Raises:
        InputError: for an unknown name or parameter, a class that cannot decide, or no name at all.
    """
    made = [make_autoscaler(name, parameters, AUTOSCALERS, where=where) for name, parameters in parts.items()]
    whole: Any = made[0] if len(made) == 1 else Combined(made)
    return whole.informed(outlook) if outlook is not None and hasattr(whole, "informed") else whole


__all__ = [
    "AUTOSCALERS",
    "Autoscaler",
    "Bill",
    "Combined",
    "Concurrency",
    "ContactPlan",
    "Decision",
    "ElasticPool",
    "Finished",
    "Fixed",
    "InstanceTable",
    "Outcome",
    "Outlook",
    "PoolProfile",
    "PoolView",
    "QueueDepth",
    "autoscaler_from",
    "burst",
    "seconds_until",
    "simulate",
]
