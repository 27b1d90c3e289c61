"""The users of a city: they ask at random for the newest answer over a zone, and the mesh takes each question to a cluster.

A question that nobody answers in time is asked again elsewhere, as often as the mesh tries again, and is lost after that.
The state of clusters moves on the grid on which the network delivers; how long a question took is reckoned exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.events import After, Effect, Ended, Event, Record, Started, Woken
from skyedge.nodes.cluster_choice import ClusterChoice
from skyedge.nodes.dispatcher import DispatchRules
from skyedge.nodes.messages import Answered, Asked, Message, Told, settle
from skyedge.nodes.terrestrial_line import TerrestrialLine
from skyedge.time import FOREVER, Instant


@dataclass(frozen=True, eq=False)
class Questions:
    """What a city asks for, in order of time; columns of one length."""

    at: NDArray[np.int64]
    zone: NDArray[np.int64]


@dataclass
class _Open:
    cluster: str
    attempt: int
    deadline: Instant


SERVED, EMPTY, LOST, OPEN = 0, 1, 2, 3
"""What became of a question: answered; answered that there is nothing; given up; not answered when the run ended."""


class UserCity:
    """The state machine of one city.

    Args:
        name: unique in the world.
        questions: that its users ask.
        choice: which cluster gets what.
        line: into the terrestrial network.
        rules: of failures.
    """

    def __init__(
        self, name: str, questions: Questions, choice: ClusterChoice, line: TerrestrialLine, rules: DispatchRules
    ) -> None:
        self.name = name
        self._questions = questions
        self._choice = choice
        self._line = line
        self._rules = rules
        self._next = 0
        self._open: dict[int, _Open] = {}
        count = len(questions.at)
        self._fate = np.full(count, OPEN, np.int8)
        self._latency_us = np.full(count, -1, np.int64)
        self._captured_at = np.full(count, -1, np.int64)
        self._fetched = np.zeros(count, bool)
        self._cluster = np.full(count, "", "U64")

    def earliest_send(self) -> Instant:
        """The next question, or the next that is asked again."""
        at = self._questions.at
        coming = int(at[self._next]) if self._next < len(at) else FOREVER
        return min([coming, *(question.deadline for question in self._open.values())])

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Ask, ask again, and take answers."""
        match event:
            case Started():
                return self._wait_for_next()
            case Woken(reason="ask"):
                number = self._next
                self._next += 1
                return [*self._ask(number, 0, "", now), *self._wait_for_next()]
            case Woken(reason="again", key=key):
                return self._again(key, now)
            case Answered():
                self._answered(event, now)
                return settle(event, self.name)
            case Told():
                self._choice.told(dict(event.replicas))
                return settle(event, self.name)
            case Message():
                return settle(event, self.name)
            case Ended():
                return self._end(now)
            case _:
                return []

    def _wait_for_next(self) -> list[Effect]:
        at = self._questions.at
        return [After(int(at[self._next]), "ask")] if self._next < len(at) else []

    def _ask(self, number: int, attempt: int, avoid: str, now: Instant) -> list[Effect]:
        cluster = self._choice.choose(now, (avoid,) if avoid else ())
        deadline = now + self._rules.timeout_us
        self._open[number] = _Open(cluster or "", attempt, deadline)
        sent: list[Effect] = []
        if cluster is not None:
            self._choice.active[cluster] += 1
            sent = self._line.send(cluster, Asked, now, sent_at=now, number=number, zone=int(self._questions.zone[number]))
        return [*sent, After(deadline, "again", number)]

    def _again(self, number: int, now: Instant) -> list[Effect]:
        question = self._open.get(number)
        if question is None or question.deadline > now:
            return []
        self._close(number)
        if question.cluster:
            self._choice.failed(question.cluster, now)
        if question.attempt < self._rules.attempts:
            return self._ask(number, question.attempt + 1, question.cluster, now)
        self._fate[number] = LOST
        return []

    def _answered(self, event: Answered, now: Instant) -> None:
        question = self._close(event.number)
        if question is None:
            return
        self._choice.heard(event.sender, 0.0, now)
        self._fate[event.number] = SERVED if event.captured_at >= 0 else EMPTY
        self._latency_us[event.number] = event.at - self._questions.at[event.number]
        self._captured_at[event.number] = event.captured_at
        self._fetched[event.number] = event.fetched
        self._cluster[event.number] = event.sender

    def _close(self, number: int) -> _Open | None:
        question = self._open.pop(number, None)
        if question is not None and question.cluster:
            self._choice.active[question.cluster] -= 1
        return question

    def _end(self, now: Instant) -> list[Effect]:
        columns = {
            "city": self.name,
            "at": self._questions.at,
            "fate": self._fate,
            "latency_us": self._latency_us,
            "captured_at": self._captured_at,
            "fetched": self._fetched,
            "cluster": self._cluster,
        }
        return [*self._line.end(now), *([Record("requests", columns)] if len(self._fate) else [])]
