"""SLA: no job waits longer than it was promised (Volcano's plugin ``sla``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.scheduler.plugin import Arguments, Key, Plugin, Vote

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

ANNOTATIONS = ("sla-waiting-time", "volcano.sh/sla-waiting-time")
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")


class Sla(Plugin):
    """A job whose promised waiting time runs out first goes first; once it has run out, the job is let in and kept."""

    name = "sla"
    known_arguments = ("sla-waiting-time",)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        said = arguments.get("sla-waiting-time")
        self._default_s = None if said is None else waiting_time_s(str(said), "sla-waiting-time")

    def open(self, session: Session) -> None:
        super().open(session)
        groups = session.snapshot.groups
        self._due_s = []
        for number, notes in enumerate(groups.annotations):
            said = next((notes[key] for key in ANNOTATIONS if key in notes), None)
            place = f"pod group '{groups.names[number]}': sla-waiting-time"
            wait_s = self._default_s if said is None else waiting_time_s(said, place)
            self._due_s.append(np.inf if wait_s is None else float(groups.created_s[number]) + wait_s)

    def job_order(self, group: int) -> Key:
        return self._due_s[group]

    def job_enqueued(self, group: int) -> Vote:
        return Vote.PERMIT if self._due_s[group] <= self.session.snapshot.now_s else Vote.ABSTAIN

    def job_pipelined(self, group: int) -> Vote:
        return self.job_enqueued(group)


def waiting_time_s(text: str, place: str) -> float:
    """Seconds of a duration such as ``1h30m``.

    Raises:
        InputError: if it is none, or is not above zero.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise InputError(f"{place}: '{text}' is not a duration such as 1h30m")
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if seconds <= 0:
        raise InputError(f"{place}: '{text}' should be longer than nothing")
    return seconds
