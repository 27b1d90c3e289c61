"""Zones of the control plane are lost while requests run, and then an endpoint goes: who is told, and what it costs.

Every proxy routes by what it holds.  It listens to one zone, and to another once its own is lost; while it listens to one it
is told at once when an endpoint goes (assumed), and leaves that: connections to others, and what it knows of them, stay.  A
proxy that listens to nobody goes on sending there until its own outlier detection, if it has any, knows better.

The endpoint that goes is the one that was asked most until then, of a service that has others, so that its loss is felt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skyedge.errors import InputError
from skyedge.layers.mesh.control_plane import ControlPlane, Link
from skyedge.layers.mesh.objects import Caller, Mesh, MeshEndpoint
from skyedge.layers.mesh.traffic.behaviour import Behaviours
from skyedge.layers.mesh.traffic.calls import Calls, Traffic
from skyedge.layers.mesh.traffic.request import Controls, TimedRequest
from skyedge.layers.mesh.traffic.simulation import Simulation


@dataclass(frozen=True)
class ZoneLoss:
    """What is lost, and when.

    Attributes:
        zones: where the control plane runs.
        lost: those of them that are lost; perhaps none.
        zone_of: in which zone a caller is.
        lost_us: when they are lost.
        gone_us: when an endpoint goes.
    """

    zones: tuple[str, ...]
    lost: tuple[str, ...]
    zone_of: Callable[[Caller], str]
    lost_us: int
    gone_us: int


@dataclass(frozen=True)
class Told:
    """How proxies fared.

    Attributes:
        proxies: all of them, by the names of their callers.
        moved: those that had to find another zone, and did.
        searching: those that listen to none any more.
        told: those that were told of the endpoint that went.
        not_told: those that route by what was, though they care for its service.
        gone: the endpoint.
        sent_to_gone: requests from outside, by number, that asked it when it had gone, they or a call made for them.
    """

    traffic: Traffic
    proxies: tuple[str, ...]
    moved: tuple[str, ...]
    searching: tuple[str, ...]
    told: tuple[str, ...]
    not_told: tuple[str, ...]
    gone: MeshEndpoint
    sent_to_gone: frozenset[int]


def zones_lost(
    mesh: Mesh,
    requests: Sequence[TimedRequest],
    loss: ZoneLoss,
    behaviours: Behaviours | None = None,
    seed: int = 0,
    *,
    controls: Controls | None = None,
) -> Told:
    """What happens to requests while zones of the control plane, and then an endpoint, are lost.

    Args:
        mesh, requests, behaviours, seed, controls: as :func:`~skyedge.layers.mesh.traffic.simulation.simulate` takes them.
        loss: with none lost, the same endpoint goes and everybody is told.

    Raises:
        InputError: as ``simulate`` and :class:`~skyedge.layers.mesh.control_plane.ControlPlane`, and if no service has
            two endpoints.
    """
    simulation = Simulation(mesh, behaviours or Behaviours(), seed, controls or Controls())
    course = _Course(simulation, requests, loss)
    traffic = simulation.run(requests)
    return course.told_of(traffic)


def differing(calls: Calls, others: Calls, count: int) -> int:
    """How many of the first ``count`` requests were answered otherwise, or asked other endpoints, than in another run.

    What endpoints asked for them, and copies, are counted with them.
    """
    pairs = zip(_ways(calls, count), _ways(others, count), strict=True)
    return sum(one != other for one, other in pairs)


def _ways(calls: Calls, count: int) -> list[tuple[list[tuple[str, str]], int, int]]:
    """Endpoints that were asked for each request, in order, and its statuses."""
    names = [(one.service, one.address) for one in calls.endpoints]
    asked: list[list[tuple[str, str]]] = [[] for _ in range(count)]
    roots = calls.requests.root[calls.attempts.request].tolist()
    for root, endpoint in zip(roots, calls.attempts.endpoint.tolist(), strict=True):
        asked[root].append(names[endpoint])
    statuses = (calls.requests.status[:count].tolist(), calls.requests.grpc_status[:count].tolist())
    return list(zip(asked, *statuses, strict=True))


class _Course:
    """The control plane, its proxies, and what happens to them within one simulation that has not run yet."""

    def __init__(self, simulation: Simulation, requests: Sequence[TimedRequest], loss: ZoneLoss) -> None:
        self._simulation, self._loss = simulation, loss
        self._plane = ControlPlane(loss.zones)
        self._moved: list[str] = []
        self._told: list[str] = []
        self._gone: MeshEndpoint | None = None
        directory = simulation.directory
        self._members: dict[str, dict[str, MeshEndpoint]] = {}
        for one in directory.mesh.endpoints:
            self._members.setdefault(one.service, {})[one.address] = one
        self._may_go = {host for host, members in self._members.items() if len(members) > 1}
        if not self._may_go:
            raise InputError("no service has two endpoints, so none can go without its service")
        for host, members in sorted(self._members.items()):
            self._plane.change(host, frozenset(members))
        callers = {one.caller.name: one.caller for one in requests}
        for one in directory.mesh.endpoints:
            if directory.behaviours.of(one.service, one.address).calls:
                caller = directory.caller_at(one)
                callers.setdefault(caller.name, caller)
        self._proxies = tuple(sorted(callers))
        for name in self._proxies:
            services = [service.host for service in directory.seen_by(callers[name]).services]
            self._plane.join(name, loss.zone_of(callers[name]), services)
        simulation.at(loss.lost_us, self._lose)
        simulation.at(loss.gone_us, self._go)

    def told_of(self, traffic: Traffic) -> Told:
        """What came of it."""
        assert self._gone is not None, "an endpoint goes in every run"
        names = [(one.service, one.address) for one in traffic.calls.endpoints]
        attempts = traffic.calls.attempts
        row = names.index((self._gone.service, self._gone.address))
        late = (attempts.endpoint == row) & (attempts.start_us >= self._loss.gone_us)
        return Told(
            traffic,
            self._proxies,
            tuple(self._moved),
            tuple(name for name in self._proxies if self._plane.link(name)[0] is Link.SEARCHING),
            tuple(self._told),
            self._plane.outdated(),
            self._gone,
            frozenset(traffic.calls.requests.root[attempts.request[late]].tolist()),
        )

    def _lose(self, now_us: int) -> None:
        before = {name: self._plane.link(name) for name in self._proxies}
        for zone in self._loss.lost:
            self._plane.lose(zone)
        after = {name: self._plane.link(name) for name in self._proxies}
        self._moved = [name for name in self._proxies if after[name] != before[name] and after[name][0] is Link.CONNECTED]

    def _go(self, now_us: int) -> None:
        directory = self._simulation.directory
        gone = self._gone = self._asked_most(now_us)
        directory.station(gone).reachable = False
        left = frozenset(self._members[gone.service]) - {gone.address}
        for push in self._plane.change(gone.service, left):
            self._told.append(push.proxy)
            if gone.address not in self._plane.held(push.proxy)[gone.service]:
                directory.forget(push.proxy, gone, now_us)

    def _asked_most(self, now_us: int) -> MeshEndpoint:
        """The first by service and address of those that were asked as often, or that nobody asked."""
        counts: Counter[tuple[str, str]] = Counter()
        for one in self._simulation.ended(0, now_us):
            counts[one.station.endpoint.service, one.station.endpoint.address] += 1
        keys = sorted((host, address) for host in self._may_go for address in self._members[host])
        host, address = max(keys, key=lambda key: counts[key])  # of equals the first
        return self._members[host][address]
