"""Which way a call takes from network to network, and from edge to cloud and back.

Within a network callers and endpoints reach each other.  Between networks a call goes through the gateway of the network
that it enters, as Istio's east-west and north-south gateways have it, or without one where that network is open to it.
Nodes of an *edge* network only open connections outwards; nobody can open one to them, and so a call to them, from the cloud
or from another edge, travels back through the channel that their site keeps open to the cloud, as KubeEdge's EdgeMesh does
with its relays.  A call from an edge goes out by the gateway of where it is going, or through the channel where there is
none; both cross the site's one line.  When a site's line is down nothing comes in or goes out, and who is beyond it cannot
be reached.

Delays and rates are the caller's to give; a channel's defaults are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from skyedge.errors import InputError, nearest

CHANNEL_DELAY_MS = 20.0
"""One way, from an edge site to the cloud; assumed, a site on a carrier's line."""

CHANNEL_BYTES_PER_S = 12.5e6
"""100 Mb/s; assumed."""

GATEWAY_DELAY_MS = 0.15
"""What a gateway adds: about one Envoy, as half of what Istio publishes of two sidecars (:mod:`.proxies`)."""


class Kind(Enum):
    """How a call gets there."""

    DIRECT = "direct"
    GATEWAY = "gateway"
    EDGE_CHANNEL = "edge-channel"
    NONE = "none"


@dataclass(frozen=True)
class Channel:
    """What an edge site keeps open to the cloud.

    Attributes:
        to: the network where its other end is.
        up: whether the site's line is there; a channel falls with it, and calls by gateways do too.
        delay_ms: of the line, one way.
        bytes_per_s: of the line, each way.
    """

    to: str
    up: bool = True
    delay_ms: float = CHANNEL_DELAY_MS
    bytes_per_s: float = CHANNEL_BYTES_PER_S


@dataclass(frozen=True)
class Network:
    """Nodes that reach each other.

    Attributes:
        gateway_open_to: networks whose callers the gateway lets in, ``*`` for all; empty: it has no gateway.
        gateway_delay_ms: that it adds.
        outwards_only: whether its nodes only open connections themselves: an edge behind a carrier's address translation.
        channel: of an edge site.
        open_to: networks whose callers, unless they are at an edge, reach its nodes themselves, ``*`` for all.
    """

    name: str
    gateway_open_to: frozenset[str] = frozenset()
    gateway_delay_ms: float = GATEWAY_DELAY_MS
    outwards_only: bool = False
    channel: Channel | None = None
    open_to: frozenset[str] = frozenset()

    def lets_in(self, network: str) -> bool:
        """Whether callers of another network may come in by its gateway."""
        return not self.outwards_only and bool({"*", network} & self.gateway_open_to)

    def is_open_to(self, network: Network) -> bool:
        """Whether callers of another network reach its nodes without a gateway or a channel."""
        return not (self.outwards_only or network.outwards_only) and bool({"*", network.name} & self.open_to)


@dataclass(frozen=True)
class Crossing:
    """The line of an edge site, in the direction in which a call passes it.

    Attributes:
        site: the network of the site.
        outwards: away from the site.
        delay_ms, bytes_per_s: of the line.
    """

    site: str
    outwards: bool
    delay_ms: float
    bytes_per_s: float

    @property
    def turned(self) -> Crossing:
        """The other direction, in which the answer passes it."""
        return replace(self, outwards=not self.outwards)


@dataclass(frozen=True)
class Way:
    """How a call gets from a caller's network to an endpoint's.

    Attributes:
        hops: of networks, gateways and channels, that it passes between the two; 0 within a network.
        delay_ms: one way, to be added to what the endpoint takes; infinite if there is no way.
        bytes_per_s: of the narrowest part; infinite where nothing is known to be narrow.
        why: what it passes, or why there is no way.
        crossings: the lines of edge sites on it, in order.
    """

    kind: Kind
    hops: int
    delay_ms: float
    bytes_per_s: float
    why: str
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True)
class Reach:
    """The networks, and how far they are apart.

    Attributes:
        networks: by name.
        delay_ms: one way between two networks that are named in either order; 0 if not given.  To an edge site and from
            it the delay of its channel counts.

    Raises:
        InputError: if a channel or a delay names a network that there is not, or an edge has a gateway.
    """

    networks: Mapping[str, Network]
    delay_ms: Mapping[tuple[str, str], float] = field(default_factory=dict)
    _ways: dict[tuple[str, str], Way] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for network in self.networks.values():
            if network.outwards_only and network.gateway_open_to:
                raise InputError(f"nobody can come in to '{network.name}', whose nodes only open connections outwards")
            if network.channel is not None and self.network(network.channel.to).outwards_only:
                raise InputError(f"the channel of '{network.name}' must end where connections can be opened to")
        for pair in self.delay_ms:
            for name in pair:
                self.network(name)

    def network(self, name: str) -> Network:
        """One of them.

        Raises:
            InputError: if there is none of that name.
        """
        found = self.networks.get(name)
        if found is None:
            raise InputError(f"there is no network '{name}'", nearest=nearest(name, self.networks))
        return found

    def between_ms(self, one: str, other: str) -> float:
        """One way."""
        return self.delay_ms.get((one, other), self.delay_ms.get((other, one), 0.0))

    def way(self, caller: str, endpoint: str) -> Way:
        """From a network to a network.  It is found once for each pair, for every attempt asks.

        Raises:
            InputError: if there is none of that name.
        """
        found = self._ways.get((caller, endpoint))
        if found is None:
            found = self._ways[caller, endpoint] = self._found(caller, endpoint)
        return found

    def _found(self, caller: str, endpoint: str) -> Way:
        start, end = self.network(caller), self.network(endpoint)
        if caller == endpoint:
            return Way(Kind.DIRECT, 0, 0.0, float("inf"), "one network")
        if start.channel is not None and not start.channel.up:
            return _no_way(f"the channel of {caller} is down")
        if end.is_open_to(start):
            return Way(Kind.DIRECT, 0, self.between_ms(caller, endpoint), float("inf"), "open without a gateway")
        if end.lets_in(caller):
            return self._by_gateway(start, end)
        channels = [network for network in (start, end) if network.outwards_only]
        if not channels:
            return _no_way(f"{endpoint} has no gateway that lets {caller} in")
        return self._through(channels, caller, endpoint)

    def with_lines_down(self, sites: Iterable[str]) -> Reach:
        """The same while the lines of these edge sites are down.

        Raises:
            InputError: if there is no network of that name, or it has no channel.
        """
        cut = {}
        for name in sites:
            network = self.network(name)
            if network.channel is None:
                raise InputError(f"'{name}' has no channel that could be down")
            cut[name] = replace(network, channel=replace(network.channel, up=False))
        return replace(self, networks={**self.networks, **cut})

    def _by_gateway(self, start: Network, end: Network) -> Way:
        """A site's own line comes before the gateway of where a call is going."""
        at, crossings = start.name, tuple[Crossing, ...]()
        if start.channel is not None:
            at = start.channel.to
            crossings = (Crossing(start.name, True, start.channel.delay_ms, start.channel.bytes_per_s),)
        delay_ms = sum(one.delay_ms for one in crossings) + self.between_ms(at, end.name) + end.gateway_delay_ms
        bytes_per_s = min((one.bytes_per_s for one in crossings), default=float("inf"))
        return Way(Kind.GATEWAY, 1, delay_ms, bytes_per_s, f"gateway of {end.name}", crossings)

    def _through(self, channels: Sequence[Network], caller: str, endpoint: str) -> Way:
        """Over the channel of the caller's site, of the endpoint's, or both with a relay between them."""
        at, passed, delay_ms, crossings = caller, list[str](), 0.0, list[Crossing]()
        for network in channels:
            channel = network.channel
            if channel is None:
                return _no_way(f"{network.name} has no channel")
            if not channel.up:
                return _no_way(f"the channel of {network.name} is down")
            outwards = network.name == caller
            if not outwards and at != channel.to:  # to where the endpoint's site has its channel
                step = self.way(at, channel.to)
                if step.kind is Kind.NONE:
                    return step
                passed += [step.why] * step.hops
                delay_ms += step.delay_ms
            passed.append(f"channel of {network.name}")
            delay_ms += channel.delay_ms
            crossings.append(Crossing(network.name, outwards, channel.delay_ms, channel.bytes_per_s))
            at = channel.to if outwards else endpoint
        if at != endpoint:
            step = self.way(at, endpoint)
            if step.kind is Kind.NONE:
                return step
            passed += [step.why] * step.hops
            delay_ms += step.delay_ms
        bytes_per_s = min(one.bytes_per_s for one in crossings)
        return Way(Kind.EDGE_CHANNEL, len(passed), delay_ms, bytes_per_s, " and the ".join(passed), tuple(crossings))


def _no_way(why: str) -> Way:
    return Way(Kind.NONE, 0, float("inf"), 0.0, why)
