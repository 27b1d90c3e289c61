"""The proxies of nodes are upgraded while requests run: the plan decides, and what it decides happens to connections.

A node's proxy stands for the callers on that node and before the endpoints on it.  The patient way: once the new one has
the sockets, its callers' new requests go through it, and it knows nothing of ejections and has no connection yet; the old
one finishes the requests that it has, with their retries.  Callers elsewhere are asked to leave: they close connections to
the node that are idle, and a busy one with its answer.  What is left when the drain time is up is reset.  Who kills at once
resets everything, and until the new proxy has the sockets nobody listens: connections to the node's endpoints are refused,
and requests of its callers fail.

Three things are assumed.  A connection that is being opened is handed over with the sockets.  A request whose own proxy is
gone fails, since whoever would try again is gone too.  An endpoint works on what was cut off, for it cannot know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from skyedge.errors import InputError
from skyedge.layers.mesh.objects import Mesh
from skyedge.layers.mesh.traffic.behaviour import Behaviours
from skyedge.layers.mesh.traffic.calls import NEVER, Traffic
from skyedge.layers.mesh.traffic.life import Attempt, Request
from skyedge.layers.mesh.traffic.proxy import Lane
from skyedge.layers.mesh.traffic.request import Controls, TimedRequest
from skyedge.layers.mesh.traffic.retry_decision import Ending
from skyedge.layers.mesh.traffic.simulation import Simulation
from skyedge.layers.mesh.upgrade import Effect, Event, Phase, Upgrade, UpgradePlan

NO_PROXY = (Ending.RESET, Ending.CONNECT_FAILURE)
"""How an attempt ends if the proxy before its endpoint is gone."""


@dataclass(frozen=True)
class Times:
    """How long a new proxy takes, assumed.

    Attributes:
        start_s: until it has its configuration.
        take_s: from then until it has the sockets.

    Raises:
        InputError: if one is negative.
    """

    start_s: float = 2.0
    take_s: float = 0.2

    def __post_init__(self) -> None:
        if self.start_s < 0 or self.take_s < 0:
            raise InputError("a new proxy takes no negative time to start, or to take the sockets")


ASSUMED = Times()


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade under traffic came to.

    Attributes:
        opened: connections that callers' proxies opened.
        ready_us: when each node's new proxy served alone, by node.
        struck: requests from outside, by number, that met a proxy that was gone: they or a call made for them.
    """

    traffic: Traffic
    opened: int
    ready_us: dict[str, int]
    struck: frozenset[int]

    @property
    def done_us(self) -> int | None:
        """When the last node was ready; None if nothing was upgraded."""
        return max(self.ready_us.values(), default=None)


def upgraded(
    mesh: Mesh,
    requests: Sequence[TimedRequest],
    plan: UpgradePlan | None,
    begin_us: int,
    behaviours: Behaviours | None = None,
    seed: int = 0,
    *,
    controls: Controls | None = None,
    times: Times = ASSUMED,
) -> Upgraded:
    """What happens to requests while the proxies of nodes are upgraded; without a plan, while nothing is.

    Args:
        mesh, requests, behaviours, seed, controls: as :func:`~skyedge.layers.mesh.traffic.simulation.simulate` takes them.
        plan: nodes are those of callers and endpoints.
        begin_us: when the first node begins.
        times: of new proxies.

    Raises:
        InputError: as ``simulate``.
    """
    simulation = Simulation(mesh, behaviours or Behaviours(), seed, controls or Controls())
    upgrade = None if plan is None else _ProxyUpgrade(simulation, plan, begin_us, times)
    traffic = simulation.run(requests)
    if upgrade is None:
        return Upgraded(traffic, simulation.connections_opened, {}, frozenset())
    return Upgraded(traffic, simulation.connections_opened, upgrade.ready_us, frozenset(upgrade.struck))


class _ProxyUpgrade:
    """The upgrade of all nodes of a plan, within one simulation that has not run yet."""

    def __init__(self, simulation: Simulation, plan: UpgradePlan, begin_us: int, times: Times) -> None:
        self.ready_us: dict[str, int] = {}
        self.struck: set[int] = set()
        self._simulation = simulation
        self._upgrade = Upgrade(plan)
        self._start_us, self._take_us = round(times.start_s * 1e6), round(times.take_s * 1e6)
        self._drain_us = round(plan.drain_s * 1e6)
        # What the old proxy of a node still has: requests of its callers, attempts of callers elsewhere, and lanes of
        # such callers whom the word to leave has not reached, by lane and endpoint.
        self._old: dict[Attempt | Request, str] = {}
        self._left: Counter[str] = Counter()
        self._untold: dict[str, dict[tuple[int, int], Lane[Attempt]]] = {}
        self._stopped: set[str] = set()
        # From where the old proxy is killed until the new one has the sockets; the end is not known at first.
        self._silent_until_us: dict[str, int | None] = {}
        simulation.over = self._over
        simulation.at(begin_us, lambda now_us: self._carry_out(self._upgrade.begin(), now_us))

    def _handle(self, node: str, event: Event, now_us: int) -> None:
        if event is Event.SOCKETS_TAKEN and node in self._silent_until_us:
            self._silent_until_us[node] = now_us
            self._simulation.directory.listen(node, listens=True)
        self._carry_out(self._upgrade.handle(node, event), now_us)
        if self._upgrade.phases[node] is Phase.READY:
            self.ready_us.setdefault(node, now_us)

    def _carry_out(self, effects: Sequence[tuple[str, Effect]], now_us: int) -> None:
        for node, effect in effects:
            if effect is Effect.START_NEW:
                self._later(now_us + self._start_us, node, Event.CONFIGURED)
            elif effect is Effect.TAKE_SOCKETS:
                self._later(now_us + self._take_us, node, Event.SOCKETS_TAKEN)
            elif effect is Effect.COUNT_DOWN:
                self._later(now_us + self._drain_us, node, Event.TIME_UP)
            elif effect is Effect.ASK_TO_LEAVE:
                self._ask_to_leave(node, now_us)
            elif effect is Effect.STOP_OLD:
                self._stop_old(node, now_us)

    def _later(self, at_us: int, node: str, event: Event) -> None:
        self._simulation.at(at_us, partial(self._handle, node, event))

    def _ask_to_leave(self, node: str, now_us: int) -> None:
        simulation = self._simulation
        simulation.directory.replace_proxies(node, now_us)
        for request in simulation.under_way.values():
            if request.proxy.caller.node == node:
                self._keep(request, node)
        untold = self._untold[node] = {}
        for lane, endpoint in self._lanes_to(node):
            untold[id(lane), endpoint] = lane
            simulation.at(now_us + lane.delays_us[endpoint], partial(self._told_to_leave, node, lane, endpoint))
        self._look_whether_empty(node, now_us)

    def _told_to_leave(self, node: str, lane: Lane[Attempt], endpoint: int, now_us: int) -> None:
        """A caller elsewhere hears that its connections to an endpoint should go."""
        lane.pool.drain(endpoint)
        if node in self._stopped:
            return
        for request in self._simulation.under_way.values():
            attempt = request.attempt
            if (
                attempt is not None
                and attempt.connection is not None
                and attempt.lane is lane
                and attempt.endpoint == endpoint
            ):
                self._keep(attempt, node)
        del self._untold[node][id(lane), endpoint]
        self._look_whether_empty(node, now_us)

    def _stop_old(self, node: str, now_us: int) -> None:
        """Reset what is on connections of the old proxy.  Attempts come first: no answer leaves by a proxy that is gone."""
        simulation = self._simulation
        kills = node not in self._untold
        self._stopped.add(node)
        if kills:
            self._silent_until_us[node] = None
            simulation.directory.replace_proxies(node, now_us)
            simulation.directory.listen(node, listens=False)
            for lane, endpoint in self._lanes_to(node):
                simulation.at(now_us + lane.delays_us[endpoint], partial(self._told_to_leave, node, lane, endpoint))
        requests = list(simulation.under_way.values())
        for request in requests:
            attempt = request.attempt
            if attempt is None or attempt.connection is None or attempt.left_us != NEVER:
                continue
            if attempt.station.endpoint.node == node and (
                kills or attempt in self._old or (id(attempt.lane), attempt.endpoint) in self._untold[node]
            ):
                self.struck.add(request.root)
                simulation.serving.cut_off(attempt, now_us)
        for request in requests:
            if request.proxy.caller.node == node and (kills or request in self._old) and not request.done:
                self.struck.add(request.root)
                simulation.lose(request, now_us)

    def _over(self, one: Attempt | Request, now_us: int) -> None:
        """Take note of an attempt or a request that is over."""
        if isinstance(one, Request):
            if not one.proxy.listens:
                self.struck.add(one.root)
        elif one.ending in NO_PROXY and self._met_nobody(one):
            self.struck.add(one.request.root)
        node = self._old.pop(one, None)
        if node is not None:
            self._left[node] -= 1
            self._look_whether_empty(node, now_us)

    def _met_nobody(self, attempt: Attempt) -> bool:
        node = attempt.station.endpoint.node
        if node not in self._silent_until_us:
            return False
        until_us = self._silent_until_us[node]
        return until_us is None or attempt.start_us < until_us

    def _keep(self, one: Attempt | Request, node: str) -> None:
        self._old[one] = node
        self._left[node] += 1

    def _look_whether_empty(self, node: str, now_us: int) -> None:
        if not self._left[node] and not self._untold[node]:
            self._later(now_us, node, Event.EMPTY)

    def _lanes_to(self, node: str) -> Iterator[tuple[Lane[Attempt], int]]:
        """From callers elsewhere, with the endpoints that are on a node, as far as they have a connection."""
        directory = self._simulation.directory
        for proxy in (*directory.proxies, *directory.replaced):
            if proxy.caller.node != node:
                for lane in proxy.lanes.values():
                    if lane is not None:
                        on_node = lane.rows_on.get(node, ())
                        yield from ((lane, endpoint) for endpoint in on_node if lane.pool.is_open(endpoint))
