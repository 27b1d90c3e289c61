"""A request and an attempt while they live: what the loop of events knows of each."""

from __future__ import annotations

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Outcome
from skyedge.layers.mesh.retries import RetryPolicy
from skyedge.layers.mesh.traffic.calls import NEVER, NOBODY
from skyedge.layers.mesh.traffic.connections import Connection
from skyedge.layers.mesh.traffic.proxy import Lane, Proxy, Way
from skyedge.layers.mesh.traffic.request import TimedRequest
from skyedge.layers.mesh.traffic.retry_decision import Ending
from skyedge.layers.mesh.traffic.station import Station


class Request:
    """What a caller wants, until it is answered or given up."""

    __slots__ = (
        *(
            "attempt",
            "attempts",
            "done",
            "end_us",
            "flags",
            "grpc_status",
            "hashed",
            "holds_retry",
            "http",
            "lane",
            "mirror",
        ),
        *("number", "outcome", "parent", "policy", "proxy", "request_bytes", "response_bytes", "retry", "root", "route"),
        *("sent", "service", "service_class", "start_us", "status", "tried", "way"),
    )

    def __init__(
        self, number: int, root: int, proxy: Proxy[Attempt], http: HttpRequest, way: Way, service_class: int, start_us: int
    ) -> None:
        self.number = number
        self.root = root
        self.proxy = proxy
        self.http = http
        self.sent = http  # as the endpoint sees it, once a rule has had its way
        self.way = way
        self.service_class = service_class
        self.start_us = start_us
        self.parent: Attempt | None = None
        self.mirror = False
        self.outcome: Outcome | None = None
        self.lane: Lane[Attempt] | None = None
        self.policy: RetryPolicy | None = None
        self.hashed: int | None = None
        self.attempt: Attempt | None = None
        self.tried: list[int] = []
        self.attempts = 0
        self.retry = 0
        self.holds_retry = False
        self.service = NOBODY
        self.route = NOBODY
        self.request_bytes: int | None = None
        self.response_bytes: int | None = None
        self.flags = 0
        self.status = 0
        self.grpc_status = NOBODY
        self.end_us = NEVER
        self.done = False

    @classmethod
    def asked(cls, number: int, timed: TimedRequest, proxy: Proxy[Attempt], way: Way) -> Request:
        """One from outside."""
        request = cls(number, number, proxy, timed.http, way, way.service_class, timed.at_us)
        request.request_bytes, request.response_bytes = timed.request_bytes, timed.response_bytes
        return request

    def further(
        self, number: int, attempt: Attempt, proxy: Proxy[Attempt], http: HttpRequest, way: Way, now_us: int
    ) -> Request:
        """One that an endpoint makes while it works on this."""
        request = Request(number, self.root, proxy, http, way, self.service_class, now_us)
        request.parent = attempt
        return request

    def mirrored(self, number: int, now_us: int) -> Request:
        """A copy, whose answer nobody sees."""
        copy = Request(number, self.root, self.proxy, self.http, self.way, self.service_class, now_us)
        copy.parent, copy.mirror, copy.route, copy.sent = self.parent, True, self.route, self.sent
        copy.request_bytes, copy.response_bytes = self.request_bytes, self.response_bytes
        return copy

    def give_back(self) -> None:
        """If it is a retry that counts as in hand, it no longer does."""
        if self.holds_retry and self.lane is not None:
            self.lane.retries.give_back()
            self.holds_retry = False

    def give_up(self, now_us: int, flag: int) -> None:
        """Time ended first: nobody would ever have answered."""
        if self.attempt is not None:
            self.attempt.done, self.attempt.end_us = True, now_us
            self.attempt.flags, self.attempt.status = flag, 0
        self.done, self.end_us, self.status = True, now_us, 0
        self.flags |= flag


class Attempt:
    """One endpoint asked, until its caller's proxy has done with it."""

    __slots__ = (
        *("arrived_us", "children", "connection", "done", "end_us", "ending", "endpoint", "flags", "grpc_status", "lane"),
        *(
            "left_us",
            "number",
            "panic",
            "reply",
            "request",
            "response_bytes",
            "retry",
            "sent_us",
            "start_us",
            "station",
            "status",
        ),
        *("work_end_us", "work_start_us", "child_failed"),
    )

    def __init__(self, number: int, request: Request, lane: Lane[Attempt], endpoint: int, start_us: int) -> None:
        self.number = number
        self.request = request
        self.lane = lane
        self.endpoint = endpoint
        self.station: Station[Attempt] = lane.stations[endpoint]
        self.retry = request.retry
        self.panic = lane.cluster.in_panic
        self.start_us = start_us
        self.sent_us = self.arrived_us = self.work_start_us = self.work_end_us = self.left_us = self.end_us = NEVER
        self.connection: Connection | None = None
        self.children = 0
        self.child_failed = False
        self.ending = Ending.ANSWERED
        self.reply = self.status = 0
        self.grpc_status = NOBODY
        self.flags = 0
        self.response_bytes = 0
        self.done = False

    @property
    def request_bytes(self) -> int:
        """What the request says, else what the endpoint's behaviour does."""
        own = self.request.request_bytes
        return self.station.behaviour.request_bytes if own is None else own
