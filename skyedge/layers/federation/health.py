"""Whether a cluster is well, as the control plane sees it: a state machine whose rules are a table.

What can be seen of a cluster is whether it answered when a report was due.  One report that fails means little, so a word
about a cluster changes only when a threshold has passed, and changes back only when it has answered for a while:

=============  ===========  ============  =============  =============
condition      answered     failed        threshold up   long silent
=============  ===========  ============  =============  =============
``READY``      stays        ``FAILING``   stays          ``UNKNOWN``
``FAILING``    ``READY``    stays         ``NOT_READY``  ``UNKNOWN``
``NOT_READY``  ``PROVING``  stays         stays          ``UNKNOWN``
``UNKNOWN``    ``PROVING``  stays         stays          stays
``PROVING``    stays        *what it was* ``READY``      ``UNKNOWN``
=============  ===========  ============  =============  =============

``FAILING`` and ``PROVING`` are the control plane's own doubts: to the outside a cluster that is failing is still ready, and
one that proves itself is not yet.  Three ways of watching share the table:

*probed*   the control plane asks every so often (Karmada's Push mode); failed for ``failure_threshold_s``: not ready.
*leased*   the cluster renews a lease (Pull mode); a monitor looks every so often, and after ``grace_s`` of silence the
           cluster is unknown.
*beating*  the cluster sends heartbeats; as many missed as ``missed_heartbeats`` make the control plane ask other regions
           to look for themselves, and when none of these witnesses has an answer either within ``witness_timeout_s``, the
           cluster is not ready.  A lost heartbeat or a slow answer is not yet a dead cluster.

Times are seconds on any one clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal

from skyedge.errors import InputError


class Condition(IntEnum):
    """What the control plane thinks of a cluster."""

    READY = 0
    FAILING = 1
    NOT_READY = 2
    UNKNOWN = 3
    PROVING = 4

    @property
    def counts_as_ready(self) -> bool:
        """Whether workloads are left on it and requests are sent to it."""
        return self in (Condition.READY, Condition.FAILING)


class Sign(Enum):
    """What is seen of a cluster."""

    ANSWERED = "answered"
    FAILED = "failed"
    THRESHOLD_UP = "threshold up"
    SILENT = "long silent"


TRANSITIONS: dict[tuple[Condition, Sign], Condition] = {
    (Condition.READY, Sign.FAILED): Condition.FAILING,
    (Condition.READY, Sign.SILENT): Condition.UNKNOWN,
    (Condition.FAILING, Sign.ANSWERED): Condition.READY,
    (Condition.FAILING, Sign.THRESHOLD_UP): Condition.NOT_READY,
    (Condition.FAILING, Sign.SILENT): Condition.UNKNOWN,
    (Condition.NOT_READY, Sign.ANSWERED): Condition.PROVING,
    (Condition.NOT_READY, Sign.SILENT): Condition.UNKNOWN,
    (Condition.UNKNOWN, Sign.ANSWERED): Condition.PROVING,
    (Condition.PROVING, Sign.FAILED): Condition.NOT_READY,
    (Condition.PROVING, Sign.THRESHOLD_UP): Condition.READY,
    (Condition.PROVING, Sign.SILENT): Condition.UNKNOWN,
}
"""Every step that changes something; what is not here changes nothing."""


@dataclass(frozen=True)
class HealthSettings:
    """How clusters are watched.  Defaults are Karmada's (``cmd/controller-manager/app/options``, 1.14).

    Attributes:
        watched: by which of the three ways; see the module.
        report_period_s: between two probes, renewals or heartbeats.
        failure_threshold_s: a probed cluster is not ready once its probes have failed for so long.
        success_threshold_s: how long a cluster that was not ready must answer before it is again.
        monitor_period_s: between two looks at what leases and heartbeats have come.
        grace_s: a lease is that old before its cluster is unknown.
        missed_heartbeats: so many in a row, and witnesses are asked.
        witness_timeout_s: how long witnesses wait for an answer.
        reprieve_s: a beating cluster that is heard of again so soon after it was declared dead was not dead: that is taken
            back at once, though only the first time, as a cluster that flaps must prove itself.
    """

    watched: Literal["probed", "leased", "beating"] = "probed"
    report_period_s: float = 10.0
    failure_threshold_s: float = 30.0
    success_threshold_s: float = 30.0
    monitor_period_s: float = 5.0
    grace_s: float = 40.0
    missed_heartbeats: int = 4
    witness_timeout_s: float = 1.0
    reprieve_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("report_period_s", "monitor_period_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be more than 0, and is {getattr(self, name):g}")
        for name in ("failure_threshold_s", "success_threshold_s", "grace_s", "witness_timeout_s", "reprieve_s"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be less than 0, and is {getattr(self, name):g}")
        if self.missed_heartbeats < 1:
            raise InputError(f"missed_heartbeats must be at least 1, and is {self.missed_heartbeats}")


KARMADA_PROBED = HealthSettings()
"""Push mode with Karmada's defaults: not ready 30 to 40 s after the cluster died."""

KARMADA_LEASED = HealthSettings(watched="leased")
"""Pull mode with Karmada's defaults: unknown 30 to 45 s after the cluster died."""

BEATING = HealthSettings(watched="beating", report_period_s=0.5, monitor_period_s=0.1, reprieve_s=5.0)
"""Skyedge's own: two heartbeats a second, four missed, then witnesses; all of it a choice."""


ROUNDING_S = 1e-6
"""Three periods of 10 s are a threshold of 30 s, whatever the last digit says."""


@dataclass(frozen=True)
class ClusterHealth:
    """What is thought of one cluster, and since when the doubt runs.  Each step returns the next value."""

    condition: Condition = Condition.READY
    doubted_since_s: float = 0.0

    def saw(self, sign: Sign, now_s: float) -> ClusterHealth:
        """The table, applied once; the clock of a doubt starts with the doubt."""
        after = TRANSITIONS.get((self.condition, sign), self.condition)
        if after == self.condition:
            return self
        return ClusterHealth(after, now_s if after in (Condition.FAILING, Condition.PROVING) else self.doubted_since_s)

    def reported(self, answered: bool, now_s: float, settings: HealthSettings) -> ClusterHealth:
        """After a report was due at ``now_s``: what it says first, then whether a threshold has passed."""
        health = self.saw(Sign.ANSWERED if answered else Sign.FAILED, now_s)
        threshold_s = {
            Condition.FAILING: settings.failure_threshold_s if settings.watched == "probed" else settings.witness_timeout_s,
            Condition.PROVING: settings.success_threshold_s,
        }.get(health.condition)
        if threshold_s is not None and now_s - health.doubted_since_s >= threshold_s - ROUNDING_S:
            return health.saw(Sign.THRESHOLD_UP, now_s)
        return health
