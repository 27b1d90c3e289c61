"""The endpoint's side of an attempt: who may call, local rate limits, the line, the work, and the answer on its way back.

What the caller has given up the endpoint still works on: it cannot know (assumed).  What was cut off has no answer any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Caller, MeshEndpoint
from skyedge.layers.mesh.traffic.behaviour import ALWAYS, Failure
from skyedge.layers.mesh.traffic.calls import Flags
from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.life import Attempt
from skyedge.layers.mesh.traffic.rate_limits import TOO_MANY_REQUESTS
from skyedge.layers.mesh.traffic.retry_decision import Ending

OK, FORBIDDEN, FAILED, UNAVAILABLE = 200, 403, 500, 503
RL, UC = Flags.RL.value, Flags.UC.value

Happening = Callable[[Attempt, int], None]


class Serving:
    """All endpoints at work.

    Args:
        events: where arrivals and ends of work are put.
        allowed: whether a caller may send a request to an endpoint.
        come_back: told when an answer, or a reset, is at the caller's proxy.
        call_on: told when an endpoint needs others for its answer; it has to see to :meth:`answer`.
    """

    def __init__(
        self,
        events: Events,
        allowed: Callable[[Caller, MeshEndpoint, HttpRequest], bool],
        come_back: Happening,
        call_on: Happening,
    ) -> None:
        self._at = events.at
        self._allowed = allowed
        self._come_back = come_back
        self._call_on = call_on
        # By caller, endpoint, request object, which its request keeps, and port; what policies say of them does not change.
        self._verdicts: dict[tuple[int, int, int, int], bool] = {}

    def arrive(self, attempt: Attempt, now: int) -> None:
        """An attempt is at its endpoint."""
        if attempt.done or attempt.ending is Ending.RESET:
            return
        station, request = attempt.station, attempt.request
        if station.refuses(now):
            self.cut_off(attempt, now)
            return
        attempt.arrived_us = now
        caller = request.proxy.caller
        port = attempt.lane.port
        asked = (request.proxy.number, station.number, id(request.sent), port)
        may_call = self._verdicts.get(asked)
        if may_call is None:
            sent = request.sent if request.sent.port == port else replace(request.sent, port=port)
            may_call = self._verdicts[asked] = self._allowed(caller, station.endpoint, sent)
        if not may_call:
            self.answer(attempt, FORBIDDEN, now)
            return
        for limiter in station.limiters:
            key = limiter.limit.key(request.sent, caller.name)
            if key is not None and not limiter.admits(key, now):
                attempt.flags, attempt.ending = RL, Ending.RATE_LIMITED
                self.answer(attempt, TOO_MANY_REQUESTS, now)
                return
        if station.free:
            station.free -= 1
            self._work(attempt, now)
        elif len(station.line) < station.behaviour.queue_limit:
            station.line.push(attempt, request.service_class, now)
        else:
            self.answer(attempt, UNAVAILABLE, now)

    def answer(self, attempt: Attempt, status: int, now: int) -> None:
        """The endpoint answers."""
        if attempt.ending is Ending.RESET:  # there is no connection to answer on
            return
        request = attempt.request
        attempt.reply, attempt.left_us = status, now
        if attempt.done:  # nobody listens
            return
        if status == OK:
            own = request.response_bytes
            attempt.response_bytes = attempt.station.behaviour.response_bytes if own is None else own
        lane, endpoint = attempt.lane, attempt.endpoint
        link = lane.links_back[endpoint] if lane.links_back else None
        if link is None:
            self._at(now + lane.delays_us[endpoint], self._come_back, attempt)
        else:
            delay_us = lane.delays_us[endpoint]
            link.carry(attempt.response_bytes, request.service_class, delay_us, self._come_back, attempt, now)

    def cut_off(self, attempt: Attempt, now: int) -> None:
        """The connection of an attempt is reset at the endpoint's end; the caller sees that when the word is there."""
        if attempt.done or attempt.ending is Ending.RESET:
            return
        attempt.ending, attempt.flags, attempt.left_us = Ending.RESET, UC, now
        self._at(now + attempt.lane.delays_us[attempt.endpoint], self._come_back, attempt)

    def _work(self, attempt: Attempt, now: int) -> None:
        attempt.work_start_us = now
        self._at(now + attempt.station.work_us(), self._worked, attempt)

    def _worked(self, attempt: Attempt, now: int) -> None:
        station = attempt.station
        attempt.work_end_us = now
        station.free += 1
        while station.free and len(station.line):
            following = station.line.pop(now)
            if not following.done:
                station.free -= 1
                self._work(following, now)
        if station.refuses(now):
            self.cut_off(attempt, now)
            return
        failing = station.failure(attempt.work_start_us)
        if failing is not None:
            if failing.how is Failure.STATUS:
                self.answer(attempt, failing.status, now)
            elif failing.end_us < ALWAYS:  # what it took and never answered is cut off when it comes back
                self._at(max(now, failing.end_us), self.cut_off, attempt)
            return
        if station.behaviour.calls:
            self._call_on(attempt, now)
        else:
            self.answer(attempt, OK, now)
