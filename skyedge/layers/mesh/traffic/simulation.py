"""Traffic through a mesh in virtual time: each request from its caller's proxy to an endpoint and back, attempt by attempt.

A loop of events, in integer microseconds and in the order of time, then of scheduling, so that the same mesh, requests and
seed give the same digits.  At the caller's proxy: route, faults, global rate limits, endpoint, circuit breakers, connection.
At the endpoint :mod:`~skyedge.layers.mesh.traffic.serving` goes on.  Back at the proxy: outlier detection, then the answer
or another try.  The proxies' own time is left out; :mod:`~skyedge.layers.mesh.proxies` says what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from skyedge.errors import InputError
from skyedge.layers.mesh.http_route import GRPC_OF_HTTP, HTTP_OF_GRPC, Destination
from skyedge.layers.mesh.objects import Caller, Mesh
from skyedge.layers.mesh.traffic.behaviour import ALWAYS, Behaviours
from skyedge.layers.mesh.traffic.calls import NOBODY, Flags, Traffic
from skyedge.layers.mesh.traffic.columns import traffic_of
from skyedge.layers.mesh.traffic.connections import Connection, Moved, Verdict
from skyedge.layers.mesh.traffic.directory import Directory
from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.life import Attempt, Request
from skyedge.layers.mesh.traffic.proxy import NO_CHANCE, Lane, hashed
from skyedge.layers.mesh.traffic.rate_limits import TOO_MANY_REQUESTS
from skyedge.layers.mesh.traffic.request import Controls, TimedRequest
from skyedge.layers.mesh.traffic.retry_budget import backoff_s
from skyedge.layers.mesh.traffic.retry_decision import Ending, may_be_repeated
from skyedge.layers.mesh.traffic.serving import FAILED, OK, UNAVAILABLE, Serving

TOO_LATE, GRPC_TOO_LATE = 504, 4
UO, UT, UF, UC, UH, URX, NR, NC, RL, DI, FI, DC = (flag.value for flag in Flags if flag)


def simulate(
    mesh: Mesh,
    requests: Sequence[TimedRequest],
    behaviours: Behaviours | None = None,
    seed: int = 0,
    *,
    controls: Controls | None = None,
) -> Traffic:
    """What happens to each request.

    Args:
        mesh: services, endpoints and rules.
        requests: in any order; those of one time keep theirs.
        behaviours: of endpoints and network.
        seed: of all chance.
        controls: retry budgets, rate limits, classes of service, who may call.

    Returns:
        Requests in the order given, those that endpoints made and mirrored copies after them.

    Raises:
        InputError: if a time is negative, two callers share a name, or as :class:`Directory`.
    """
    return Simulation(mesh, behaviours or Behaviours(), seed, controls or Controls()).run(requests)


class Simulation:
    """One run; arguments as :func:`simulate`.

    Attributes:
        directory, serving: what it runs with.
        under_way: requests that have begun and not ended, by number.
        over: told of each attempt and each request that is over; None: nobody wants to know.
    """

    def __init__(self, mesh: Mesh, behaviours: Behaviours, seed: int, controls: Controls) -> None:
        self._events = Events()
        self._at = self._events.at
        self.directory: Directory[Attempt] = Directory(mesh, behaviours, seed, controls, self._events)
        self.serving = Serving(self._events, controls.allowed, self._come_back, self._call_on)
        self._arrive = self.serving.arrive
        self._seed = seed
        self._requests: list[Request] = []
        self._attempts: list[Attempt] = []
        self.under_way: dict[int, Request] = {}
        self.over: Callable[[Attempt | Request, int], None] | None = None

    def run(self, requests: Sequence[TimedRequest]) -> Traffic:
        """Everything from the first request to the last answer."""
        directory = self.directory
        order = sorted(range(len(requests)), key=lambda number: requests[number].at_us)
        if order and requests[order[0]].at_us < 0:
            raise InputError(f"request {order[0]} is at {requests[order[0]].at_us} µs, before the start")
        for number, one in enumerate(requests):
            proxy = directory.proxy(one.caller)
            self._requests.append(Request.asked(number, one, proxy, directory.way(proxy, one.http)))
        for number in order:
            request = self._requests[number]
            self._events.run_until(request.start_us)
            self._events.now_us = request.start_us
            # Proxies and routes may have changed meanwhile.
            request.proxy = directory.proxies[request.proxy.number]
            request.way = directory.way(request.proxy, request.http)
            self._begin(request, request.start_us)
        self._events.run_until(ALWAYS)
        for request in self._requests:
            if not request.done:
                request.give_up(self._events.now_us, DC)
        return traffic_of(directory, self._requests, self._attempts, self._seed, self._events.now_us)

    def at(self, at_us: int, act: Callable[[int], None]) -> None:
        """Have ``act(now_us)`` called while requests run, before those that begin at that time."""
        self._at(at_us, lambda what, now_us: what(now_us), act)

    def reroute(self, view: Callable[[Caller], Mesh]) -> None:
        """From now on callers follow other routes; connections, and what proxies know of endpoints, stay."""
        self.directory.reroute(view)

    def ended(self, begin_us: int, end_us: int) -> Iterator[Attempt]:
        """Attempts that have ended from one time up to, but not at, another."""
        return (one for one in self._attempts if begin_us <= one.end_us < end_us)

    @property
    def connections_opened(self) -> int:
        """By all proxies that are and were here."""
        proxies = (*self.directory.proxies, *self.directory.replaced)
        return sum(lane.pool.opened for proxy in proxies for lane in proxy.lanes.values() if lane is not None)

    def lose(self, request: Request, now: int) -> None:
        """The proxy of its caller is gone, and the request with it; nobody is there to try again."""
        attempt = request.attempt
        if attempt is not None:
            if attempt.connection is None:
                attempt.lane.pool.abandoned(attempt.endpoint, attempt)
            attempt.done, attempt.end_us = True, now
            attempt.ending, attempt.status, attempt.flags = Ending.RESET, UNAVAILABLE, UC
            request.attempt = None
            if self.over is not None:
                self.over(attempt, now)
        self._end(request, UNAVAILABLE, NOBODY, UC, now)

    # At the caller's proxy, on the way out.

    def _begin(self, request: Request, now: int) -> None:
        self.under_way[request.number] = request
        way, draw = request.way, request.proxy.draw
        chance = (draw(), draw(), draw(), draw()) if way.chancy else NO_CHANCE
        outcome = request.outcome = way.outcome(chance)
        if outcome.destination is not None:
            request.sent = way.sent(outcome.destination, request.http)
        if not request.proxy.listens:
            self._end(request, UNAVAILABLE, NOBODY, UF, now)
            return
        if way.number is not None:
            request.route = way.number
        if way.chancy and way.aborted(chance):
            request.flags |= FI
        elif way.route is None:
            request.flags |= NR
        if way.route is not None and way.route.mirrors and outcome.destination is not None:
            for mirror in way.route.mirrors:
                if chance[3] * 100 < mirror.percent:
                    self._mirror(request, mirror.destination, now)
        if outcome.delay_s > 0:
            request.flags |= DI
            self._at(now + round(outcome.delay_s * 1e6), self._routed, request)
        else:
            self._routed(request, now)

    def _routed(self, request: Request, now: int) -> None:
        if request.done:
            return
        outcome, way = request.outcome, request.way
        assert outcome is not None
        if outcome.destination is None or way.route is None:
            grpc = NOBODY if outcome.grpc_status is None else outcome.grpc_status
            self._end(request, outcome.status, grpc, 0, now)
        else:
            self._send_to(request, way.route.destinations[outcome.destination], now)

    def _mirror(self, request: Request, to: Destination, now: int) -> None:
        copy = request.mirrored(len(self._requests), now)
        self._requests.append(copy)
        self.under_way[copy.number] = copy
        self._send_to(copy, to, now)

    def _send_to(self, request: Request, to: Destination, now: int) -> None:
        directory, proxy = self.directory, request.proxy
        lane = directory.lane(proxy, to, request.http.port)
        if lane is None:
            request.service = directory.service_number(to.host)
            self._end(request, UNAVAILABLE, NOBODY, NC, now)
            return
        request.lane, request.service = lane, lane.service
        for limiter in directory.limiters.get(to.host, ()):
            key = limiter.limit.key(request.http, proxy.caller.name)
            if key is not None and not limiter.admits(key, now):
                self._end(request, TOO_MANY_REQUESTS, NOBODY, RL, now)
                return
        if not request.mirror:
            request.policy = request.way.retries(consistent_hash=lane.consistent_hash)
        if lane.consistent_hash:
            request.hashed = hashed(lane.hash_key, request.http, proxy.caller)
        if request.way.timeout_us is not None:
            self._at(now + request.way.timeout_us, self._timed_out, request)
        self._try(request, now)

    def _try(self, request: Request, now: int) -> None:
        if request.done:
            return
        lane, policy = request.lane, request.policy
        assert lane is not None
        if request.tried and policy is not None:
            endpoint = lane.cluster.choose_another(lane.draw, now, request.hashed, request.tried, policy)
        else:
            endpoint = lane.cluster.choose(lane.draw, now, request.hashed)
        if endpoint is None:
            self._end(request, UNAVAILABLE, NOBODY, UH, now)
            return
        attempt = Attempt(len(self._attempts), request, lane, endpoint, now)
        self._attempts.append(attempt)
        request.attempt = attempt
        request.attempts += 1
        request.tried.append(endpoint)
        verdict, connection, opens = lane.pool.ask(endpoint, attempt)
        if verdict is Verdict.GO:
            assert connection is not None
            self._send(attempt, connection, now)
        elif verdict is Verdict.OVERFLOW:
            self._over(attempt, Ending.OVERFLOW, UNAVAILABLE, NOBODY, UO, now)
        elif opens:
            self._open(lane, endpoint, now)

    def _open(self, lane: Lane[Attempt], endpoint: int, now: int) -> None:
        one_way = lane.delays_us[endpoint]
        needs = 2 * one_way * self.directory.behaviours.network.handshake_round_trips
        if lane.stations[endpoint].refuses(now + one_way):
            self._at(now + min(2 * one_way, lane.connect_timeout_us), self._connect_failed, (lane, endpoint))
        elif needs > lane.connect_timeout_us:
            self._at(now + lane.connect_timeout_us, self._connect_failed, (lane, endpoint))
        else:
            self._at(now + needs, self._connected, (lane, endpoint))

    def _connected(self, where: tuple[Lane[Attempt], int], now: int) -> None:
        lane, endpoint = where
        if not lane.stations[endpoint].reachable:
            self._connect_failed(where, now)
            return
        self._move(lane, endpoint, lane.pool.connected(endpoint), now)

    def _connect_failed(self, where: tuple[Lane[Attempt], int], now: int) -> None:
        lane, endpoint = where
        for attempt in lane.pool.connect_failed(endpoint):
            self._over(attempt, Ending.CONNECT_FAILURE, UNAVAILABLE, NOBODY, UF, now)

    def _move(self, lane: Lane[Attempt], endpoint: int, moved: Moved[Attempt], now: int) -> None:
        for attempt, connection in moved.go:
            self._send(attempt, connection, now)
        if moved.opens:
            self._open(lane, endpoint, now)
        for attempt in moved.overflow:
            self._over(attempt, Ending.OVERFLOW, UNAVAILABLE, NOBODY, UO, now)

    def _send(self, attempt: Attempt, connection: Connection, now: int) -> None:
        lane, endpoint, policy = attempt.lane, attempt.endpoint, attempt.request.policy
        attempt.connection = connection
        attempt.sent_us = now
        lane.cluster.active[endpoint] += 1
        if policy is not None and policy.per_try_timeout_s:
            self._at(now + round(policy.per_try_timeout_s * 1e6), self._try_timed_out, attempt)
        link = lane.links_out[endpoint] if lane.links_out else None
        if link is None:
            self._at(now + lane.delays_us[endpoint], self._arrive, attempt)
        else:
            delay_us, service_class = lane.delays_us[endpoint], attempt.request.service_class
            link.carry(attempt.request_bytes, service_class, delay_us, self._arrive, attempt, now)

    # Further calls of an endpoint, by its own proxy.

    def _call_on(self, attempt: Attempt, now: int) -> None:
        parent = attempt.request
        children: list[Request] = []
        for proxy, http in self.directory.further(attempt.station, parent.sent):
            way = self.directory.way(proxy, http)
            children.append(parent.further(len(self._requests), attempt, proxy, http, way, now))
            self._requests.append(children[-1])
        attempt.children = len(children)
        if not children:
            self.serving.answer(attempt, OK, now)
        for child in children:
            self._begin(child, now)

    # Back at the caller's proxy.

    def _come_back(self, attempt: Attempt, now: int) -> None:
        if attempt.done:
            return
        status, grpc = attempt.reply or UNAVAILABLE, NOBODY
        if attempt.request.http.grpc and attempt.ending is Ending.ANSWERED:
            grpc = 0 if status == OK else GRPC_OF_HTTP.get(status, 2)
            status = OK
        self._over(attempt, attempt.ending, status, grpc, attempt.flags, now)

    def _try_timed_out(self, attempt: Attempt, now: int) -> None:
        if not attempt.done:
            self._over(attempt, Ending.PER_TRY_TIMEOUT, TOO_LATE, NOBODY, UT, now)

    def _timed_out(self, request: Request, now: int) -> None:
        if request.done:
            return
        if request.attempt is not None:
            self._leave(request.attempt, Ending.PER_TRY_TIMEOUT, TOO_LATE, NOBODY, UT, now)
        self._end(request, TOO_LATE, GRPC_TOO_LATE if request.http.grpc else NOBODY, UT, now)

    def _leave(self, attempt: Attempt, ending: Ending, status: int, grpc: int, flags: int, now: int) -> None:
        """The proxy has done with an attempt, however it went."""
        attempt.done, attempt.end_us = True, now
        attempt.ending, attempt.status, attempt.grpc_status, attempt.flags = ending, status, grpc, flags
        attempt.request.attempt = None
        if self.over is not None:
            self.over(attempt, now)
        lane, endpoint = attempt.lane, attempt.endpoint
        if attempt.connection is not None:
            lane.cluster.active[endpoint] -= 1
            reset = ending is Ending.RESET or ending is Ending.PER_TRY_TIMEOUT
            moved = lane.pool.finished(endpoint, attempt.connection, reset=reset)
            if moved.go or moved.opens or moved.overflow:
                self._move(lane, endpoint, moved, now)
        elif ending is Ending.PER_TRY_TIMEOUT:
            lane.pool.abandoned(endpoint, attempt)
            return
        if ending is not Ending.OVERFLOW:
            lane.cluster.answered(endpoint, status if grpc <= 0 else HTTP_OF_GRPC.get(grpc, FAILED), now)

    def _over(self, attempt: Attempt, ending: Ending, status: int, grpc: int, flags: int, now: int) -> None:
        self._leave(attempt, ending, status, grpc, flags, now)
        request, policy = attempt.request, attempt.request.policy
        request.give_back()
        failed = status >= 400 or grpc > 0
        if failed and policy is not None and may_be_repeated(policy, ending, status, grpc if grpc >= 0 else None):
            pool = attempt.lane.pool
            if request.retry >= policy.attempts:
                flags |= URX
            elif not attempt.lane.retries.take(pool.requests + pool.pending):
                flags |= UO
            else:
                request.retry += 1
                request.holds_retry = True
                wait_s = backoff_s(request.retry, attempt.lane.draw(), policy.backoff_base_s)
                self._at(now + round(wait_s * 1e6), self._try, request)
                return
        if not failed:
            request.response_bytes = attempt.response_bytes
        self._end(request, status, grpc, flags, now)

    def _end(self, request: Request, status: int, grpc: int, flags: int, now: int) -> None:
        assert not request.done, "a request ends once"
        if request.http.grpc and status >= 400:  # gRPC's errors travel in a header of a good answer
            status, grpc = OK, GRPC_OF_HTTP.get(status, 2) if grpc == NOBODY else grpc
        request.done, request.end_us = True, now
        del self.under_way[request.number]
        if self.over is not None:
            self.over(request, now)
        request.status, request.grpc_status = status, grpc
        request.flags |= flags
        request.give_back()
        if status >= 400 or grpc > 0:
            request.response_bytes = 0
        attempt = request.parent
        if attempt is None or request.mirror:
            return
        attempt.children -= 1
        attempt.child_failed |= status >= 400 or grpc > 0
        if attempt.children == 0 and not attempt.done:
            self.serving.answer(attempt, FAILED if attempt.child_failed else OK, now)
