"""The mesh in virtual time: requests with their times go in, what happened to each comes out, attempt by attempt.

:func:`~skyedge.layers.mesh.traffic.simulation.simulate` is the door.  Each rule has a module of its own: connection pools
that break circuits, budgets of retries, rate limits, classes of service, slow start.  What comes out is columns
(:mod:`~skyedge.layers.mesh.traffic.calls`), which :mod:`~skyedge.layers.mesh.telemetry` reads.
"""

from skyedge.layers.mesh.traffic.behaviour import Behaviour, Behaviours, Call, Failing, Failure, Network, ServiceTime, Shape
from skyedge.layers.mesh.traffic.calls import Attempts, Calls, Ejection, Flags, Requests, Traffic, flag_text
from skyedge.layers.mesh.traffic.qos import ClassRule, Discipline, ServiceClasses
from skyedge.layers.mesh.traffic.rate_limits import By, RateLimit, TokenBucket
from skyedge.layers.mesh.traffic.request import Controls, TimedRequest
from skyedge.layers.mesh.traffic.retry_budget import RetryBudget
from skyedge.layers.mesh.traffic.simulation import simulate

__all__ = [
    "Attempts",
    "Behaviour",
    "Behaviours",
    "By",
    "Call",
    "Calls",
    "ClassRule",
    "Controls",
    "Discipline",
    "Ejection",
    "Failing",
    "Failure",
    "Flags",
    "Network",
    "RateLimit",
    "Requests",
    "RetryBudget",
    "ServiceClasses",
    "ServiceTime",
    "Shape",
    "TimedRequest",
    "TokenBucket",
    "Traffic",
    "flag_text",
    "simulate",
]
