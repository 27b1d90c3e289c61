"""The control plane of a mesh in several zones, and why losing one changes nothing that is routed.

Proxies route by the configuration that they hold and ask nobody.  What changes is told to those that subscribe to the
service that changed, so that a change costs work in proportion to them and not to the mesh.  A proxy listens to the control
plane of one zone, its own if that is up.  If the zone is lost it looks for another and is told only what it has missed, by
version (Envoy's incremental xDS).  If all zones are lost proxies go on with what they hold; changes wait.

What users want is kept beside the zones, as a cluster's API server does; it is not lost with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from skyedge.errors import InputError, nearest


class Link(Enum):
    """Whether a proxy hears of changes."""

    CONNECTED = "connected"
    SEARCHING = "searching"
    """For a zone that is up; it routes by what it holds."""


class Event(Enum):
    """What moves a link."""

    FOUND = "found"
    ZONE_LOST = "zone-lost"


TRANSITIONS = {
    (Link.SEARCHING, Event.FOUND): Link.CONNECTED,
    (Link.CONNECTED, Event.ZONE_LOST): Link.SEARCHING,
}
"""What is not listed changes nothing."""


@dataclass(frozen=True)
class Resource:
    """The configuration of one service, and which edition of it this is."""

    version: int
    content: Any


@dataclass(frozen=True)
class Push:
    """One proxy is told of one service; without a resource, that the service is gone."""

    proxy: str
    service: str
    resource: Resource | None


@dataclass
class ProxyState:
    """What is known of one proxy, and what it holds.

    Attributes:
        listens_to: a zone; empty while it searches.
    """

    zone: str
    services: frozenset[str]
    link: Link = Link.SEARCHING
    listens_to: str = ""
    held: dict[str, Resource] = field(default_factory=dict)


class ControlPlane:
    """The zones, what users want, and who has been told.

    Args:
        zones: where it runs; all are up.

    Raises:
        InputError: if there is none, or one is there twice.
    """

    def __init__(self, zones: Sequence[str]) -> None:
        if not zones:
            raise InputError("a control plane needs at least one zone")
        if len(set(zones)) != len(zones):
            raise InputError("a zone of the control plane is listed twice")
        self._up = dict.fromkeys(sorted(zones), True)
        self._wanted: dict[str, Resource] = {}
        self._proxies: dict[str, ProxyState] = {}
        self._subscribers: dict[str, set[str]] = {}
        self._listeners: dict[str, set[str]] = {zone: set() for zone in self._up}
        self._version = 0

    @property
    def zones_up(self) -> tuple[str, ...]:
        """By name."""
        return tuple(zone for zone, up in self._up.items() if up)

    def held(self, proxy: str) -> Mapping[str, Any]:
        """What a proxy routes by: configuration by service.

        Raises:
            InputError: if there is no such proxy.
        """
        return {service: resource.content for service, resource in self._proxy(proxy).held.items()}

    def link(self, proxy: str) -> tuple[Link, str]:
        """Whether a proxy hears of changes, and from which zone.

        Raises:
            InputError: if there is no such proxy.
        """
        state = self._proxy(proxy)
        return state.link, state.listens_to

    def outdated(self) -> tuple[str, ...]:
        """Proxies that hold another edition than users want of a service that they subscribe to, by name."""
        return tuple(name for name in sorted(self._proxies) if self._missing(name))

    def join(self, proxy: str, zone: str, services: Sequence[str]) -> list[Push]:
        """A proxy starts; it holds nothing, and is no use, until it has been told.

        Raises:
            InputError: if one of that name is there already.
        """
        if proxy in self._proxies:
            raise InputError(f"there is a proxy '{proxy}' already")
        self._proxies[proxy] = ProxyState(zone, frozenset(services))
        for service in services:
            self._subscribers.setdefault(service, set()).add(proxy)
        return self._search([proxy])

    def leave(self, proxy: str) -> None:
        """A proxy is gone.

        Raises:
            InputError: if there is no such proxy.
        """
        state = self._proxy(proxy)
        for service in state.services:
            self._subscribers[service].discard(proxy)
        if state.listens_to:
            self._listeners[state.listens_to].discard(proxy)
        del self._proxies[proxy]

    def change(self, service: str, content: Any) -> list[Push]:
        """Users want another configuration of a service, or none (None); who is told at once, by name."""
        self._version += 1
        if content is None:
            self._wanted.pop(service, None)
        else:
            self._wanted[service] = Resource(self._version, content)
        subscribers = sorted(self._subscribers.get(service, ()))
        return [self._tell(name, service) for name in subscribers if self._proxies[name].link is Link.CONNECTED]

    def lose(self, zone: str) -> list[Push]:
        """A zone is lost; its proxies go to the others, and are told what they have missed, which is most often nothing.

        Raises:
            InputError: if there is no such zone.
        """
        self._check_zone(zone)
        self._up[zone] = False
        lost = sorted(self._listeners[zone])
        self._listeners[zone] = set()
        for name in lost:
            self._move(name, Event.ZONE_LOST, "")
        return self._search(lost)

    def restore(self, zone: str) -> list[Push]:
        """A zone is back; those that search find it.  Others stay where they are: nobody moves without need.

        Raises:
            InputError: if there is no such zone.
        """
        self._check_zone(zone)
        self._up[zone] = True
        return self._search(sorted(name for name, state in self._proxies.items() if state.link is Link.SEARCHING))

    def _search(self, names: Sequence[str]) -> list[Push]:
        """Their own zone if it is up, else the one that fewest listen to, the first by name of equals."""
        up = self.zones_up
        if not up:
            return []
        pushes = []
        for name in names:
            own = self._proxies[name].zone
            zone = own if own in up else min(up, key=lambda one: (len(self._listeners[one]), one))
            self._listeners[zone].add(name)
            self._move(name, Event.FOUND, zone)
            pushes += [self._tell(name, service) for service in self._missing(name)]
        return pushes

    def _missing(self, name: str) -> list[str]:
        state = self._proxies[name]
        return [one for one in sorted(state.services) if self._wanted.get(one) != state.held.get(one)]

    def _tell(self, name: str, service: str) -> Push:
        resource = self._wanted.get(service)
        if resource is None:
            self._proxies[name].held.pop(service, None)
        else:
            self._proxies[name].held[service] = resource
        return Push(name, service, resource)

    def _move(self, name: str, event: Event, zone: str) -> None:
        state = self._proxies[name]
        after = TRANSITIONS.get((state.link, event))
        if after is not None:
            state.link, state.listens_to = after, zone

    def _proxy(self, name: str) -> ProxyState:
        if name not in self._proxies:
            raise InputError(f"there is no proxy '{name}'", nearest=nearest(name, self._proxies))
        return self._proxies[name]

    def _check_zone(self, zone: str) -> None:
        if zone not in self._up:
            raise InputError(f"the control plane has no zone '{zone}'", nearest=nearest(zone, self._up))
