"""Which networks there are, how each is entered, and by what line an edge site hangs on the cloud.

Whose rules these are:

- A *gateway* (Istio): a network has one if a ``Service`` with an address outside (``LoadBalancer``, or ``NodePort`` if an
  annotation says on which nodes) carries the network's label.  Callers of other networks enter by it.  A network without a
  gateway is open to them, and everything is open to callers whose network has no name: Istio supposes nothing in between.
- An *edge site* (KubeEdge): a network whose nodes have the role ``node-role.kubernetes.io/edge``.  Nobody opens a connection
  to it; who calls it comes through the channel that it keeps open, and it calls others through that, or by their gateways.
- A *channel's figures* are annotations of the site's nodes and skyedge's own; so is where it ends, the cloud: the network of
  ``istio-system``, else whatever has no network's name, else the one network that is no edge.

Which network something is in :mod:`~.workloads` says.  Not asked is whether a ``Gateway`` of the right selector lets calls
pass (``AUTO_PASSTHROUGH``), and whether an endpoint behind one has the proxy without which Istio leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import Namespace, Node
from skyedge.kube.istio_hosts import WorkloadEntry
from skyedge.kube.istio_values import seconds
from skyedge.kube.pods import Pod
from skyedge.kube.problem import Problem
from skyedge.kube.services import Service
from skyedge.layers.mesh.locality import NETWORK
from skyedge.layers.mesh.reach import CHANNEL_BYTES_PER_S, CHANNEL_DELAY_MS, Channel, Network, Reach

EDGE_ROLE = "node-role.kubernetes.io/edge"
PREFIX = "skyedge.io/"
WORDS = ("edge-channel-delay", "edge-channel-mbps", "edge-channel-to")
OF_NODES = CHANNEL_DELAY, CHANNEL_RATE, CHANNEL_END = tuple(f"{PREFIX}{word}" for word in WORDS)
UNNAMED = ""
"""The network of whatever names none, in the cluster or outside."""
NODE_SELECTOR = "traffic.istio.io/nodeSelector"
"""Says which nodes' addresses are those of a gateway of type ``NodePort``."""

LEAST_MBPS, MOST_MBPS = 0.001, 1_000_000.0
"""Of a line: from a kilobit a second, over which a request takes some seconds, to a terabit."""

Value = TypeVar("Value")
Nodes = Sequence[Manifest[Node]]


def read_reach(manifests: Manifests, networks: Iterable[str], default: str, warnings: list[str]) -> Reach | None:
    """The networks and how they are entered; None if all of them are one, for whoever calls.

    Args:
        networks: of everything that runs or answers.
        default: the network of what names none itself.
        warnings: is told of a gateway that is none, of an edge node whose site is no network, and of labels that look
            misspelt.

    Raises:
        InputError: with file, document and path: for figures of a channel that say nothing, contradict each other or belong
            to no edge site; for a network whose nodes are half at an edge; for a gateway of an edge site; for a channel
            of which nobody knows where it ends.
    """
    sites = edge_sites(manifests)
    _check_annotations(manifests, sites)
    _check_labels(manifests, sites, warnings)
    gateways = _gateways(manifests, sites, warnings)
    if not sites and not gateways:
        return None
    inhabited = {*networks, *(node.object.metadata.labels.get(NETWORK) or default for node in manifests.of(Node))}
    clouds = sorted((inhabited | gateways | {UNNAMED}) - sites.keys())
    ends = _Ends(clouds, default, UNNAMED in inhabited)
    found = {name: _cloud(name, has_gateway=name in gateways) for name in clouds}
    for name, nodes in sites.items():
        found[name] = Network(name, outwards_only=True, channel=_channel(name, nodes, ends))
    return Reach(found)


def edge_sites(manifests: Manifests) -> dict[str, Nodes]:
    """The nodes of each network that is an edge site.

    Raises:
        InputError: if of the nodes that carry a network's label some are edge nodes and some are not.
    """
    by_network: dict[str, list[Manifest[Node]]] = {}
    for manifest in manifests.of(Node):
        name = manifest.object.metadata.labels.get(NETWORK)
        if name:
            by_network.setdefault(name, []).append(manifest)
    for nodes in by_network.values():
        inside = [one for one in nodes if _is_edge(one)]
        outside = next((one for one in nodes if not _is_edge(one)), None)
        if inside and outside is not None:
            message = (
                f"'{outside.object.metadata.name}' is no edge node, and '{inside[0].object.metadata.name}' of the same "
                f"network is one; an edge site has a network of its own"
            )
            raise outside.error(("metadata", "labels", NETWORK), message)
    return {name: nodes for name, nodes in sorted(by_network.items()) if _is_edge(nodes[0])}


def site_of(manifests: Manifests, node: str) -> str:
    """The network of an edge node's site.

    Raises:
        InputError: if there is no such node, it is no edge node, or its site has no network of its own.
    """
    nodes = {one.object.metadata.name: one for one in manifests.of(Node)}
    found = nodes.get(node)
    if found is None:
        raise InputError(f"there is no node '{node}'", nearest=nearest(node, nodes))
    if not _is_edge(found):
        at_edge = sorted(name for name, one in nodes.items() if _is_edge(one))
        there = f"; edge nodes are {', '.join(at_edge)}" if at_edge else ""
        raise InputError(f"'{node}' is no edge node: it has no label {EDGE_ROLE}{there}")
    network = found.object.metadata.labels.get(NETWORK)
    if not network:
        raise InputError(f"the site of '{node}' is no network of its own: its label {NETWORK} would name it")
    return network


def _check_annotations(manifests: Manifests, sites: Mapping[str, Nodes]) -> None:
    for manifest in manifests.of(Node):
        metadata = manifest.object.metadata
        for name in metadata.annotations:
            path = ("metadata", "annotations", name)
            if name in OF_NODES:
                if metadata.labels.get(NETWORK) not in sites:
                    missing = NETWORK if _is_edge(manifest) else EDGE_ROLE
                    seen = _misspelt(metadata.labels, missing)
                    there = f", and there is '{seen}'" if seen is not None else ""
                    raise manifest.error(path, f"this means nothing without the label {missing}{there}")
            elif name.startswith(PREFIX):
                close = nearest(name.removeprefix(PREFIX), WORDS)
                if close is not None:
                    raise manifest.error(path, f"there is no annotation '{name}'", f"{PREFIX}{close}")
    others: list[Manifest[Any]] = [*manifests.of(Pod), *manifests.of(Service), *manifests.of(WorkloadEntry)]
    for other in others:
        for name in other.object.metadata.annotations:
            if name in OF_NODES:
                raise other.error(("metadata", "annotations", name), "this is for the nodes of an edge site")


def _check_labels(manifests: Manifests, sites: Mapping[str, Nodes], warnings: list[str]) -> None:
    """Say which edge nodes count as cloud, and which labels were perhaps meant to say otherwise."""
    labelled: list[Manifest[Any]] = [*manifests.of(Namespace), *manifests.of(Node), *manifests.of(Pod)]
    labelled += manifests.of(Service)
    for one in labelled:
        labels = one.object.metadata.labels
        for meant in (NETWORK, EDGE_ROLE) if isinstance(one.object, Node) else (NETWORK,):
            seen = None if meant in labels else _misspelt(labels, meant)
            if seen is not None:
                place = one.place("metadata", "labels", seen)
                warnings.append(f"{place}: this label says nothing here (did you mean '{meant}'?)")
    for manifest in manifests.of(Node):
        if _is_edge(manifest) and manifest.object.metadata.labels.get(NETWORK) not in sites:
            place, name = manifest.place("metadata", "labels"), manifest.object.metadata.name
            warnings.append(
                f"{place}: the edge node '{name}' names no network with {NETWORK}, so it is called as a node of the cloud is"
            )


def _misspelt(labels: Mapping[str, str], meant: str) -> str | None:
    """A label that has the prefix of another one, and nearly its name."""
    prefix, _, word = meant.rpartition("/")
    names = [name.rpartition("/")[2] for name in labels if name.startswith(f"{prefix}/") and name != meant]
    close = nearest(word, names)
    return None if close is None else f"{prefix}/{close}"


def _gateways(manifests: Manifests, sites: Mapping[str, Nodes], warnings: list[str]) -> set[str]:
    """Networks that have a gateway."""
    found = set()
    for manifest in manifests.of(Service):
        name = manifest.object.metadata.labels.get(NETWORK)
        path = ("metadata", "labels", NETWORK)
        if not name:
            continue
        if name in sites:
            raise manifest.error(path, f"this cannot be a gateway: nobody can come in to '{name}', which is an edge site")
        kind, annotations = manifest.object.spec.type, manifest.object.metadata.annotations
        if kind == "LoadBalancer" or (kind == "NodePort" and NODE_SELECTOR in annotations):
            found.add(name)
        else:
            what = f"a service of type {kind}" + (f" without {NODE_SELECTOR}" if kind == "NodePort" else "")
            warnings.append(f"{manifest.place(*path)}: {what} has no address outside, so it is no gateway of '{name}'")
    return found


def _cloud(name: str, *, has_gateway: bool) -> Network:
    if has_gateway:
        return Network(name, gateway_open_to=frozenset({"*"}), open_to=frozenset({UNNAMED}))
    return Network(name, open_to=frozenset({"*"}))


class _Ends:
    """Where channels may end, and where they do if nothing is said."""

    def __init__(self, clouds: Sequence[str], default: str, unnamed_is_inhabited: bool) -> None:
        self.named = [name for name in clouds if name != UNNAMED]
        self.usual: str | None = None
        if default in self.named:
            self.usual = default
        elif unnamed_is_inhabited or not self.named:
            self.usual = UNNAMED
        elif len(self.named) == 1:
            self.usual = self.named[0]

    def read(self, text: str) -> str:
        """A network that an annotation names."""
        if text not in self.named:
            raise InputError(f"there is no network '{text}' that a channel could end in", nearest=nearest(text, self.named))
        return text


def _channel(name: str, nodes: Nodes, ends: _Ends) -> Channel:
    end = _figure(nodes, CHANNEL_END, ends.read, ends.usual)
    if end is None:
        message = (
            f"where the channel of '{name}' ends is not said, and it could be any of {', '.join(ends.named)}; "
            f"the annotation {CHANNEL_END} says it"
        )
        raise nodes[0].error(("metadata",), message)
    return Channel(
        end,
        delay_ms=_figure(nodes, CHANNEL_DELAY, lambda text: seconds(text) * 1e3, CHANNEL_DELAY_MS),
        bytes_per_s=_figure(nodes, CHANNEL_RATE, _bytes_per_s, CHANNEL_BYTES_PER_S),
    )


def _figure(nodes: Nodes, annotation: str, read: Callable[[str], Value], otherwise: Value) -> Value:
    """What the nodes of a site say of their line; those that say nothing leave it to the others."""
    path = ("metadata", "annotations", annotation)
    said: list[tuple[Value, Manifest[Node]]] = []
    for node in nodes:
        text = node.object.metadata.annotations.get(annotation)
        if text is None:
            continue
        try:
            said.append((read(text), node))
        except (InputError, Problem) as error:
            raise node.error(path, error.message, error.nearest) from None
        first, where = said[0]
        if said[-1][0] != first:
            there = f"'{where.object.metadata.annotations[annotation]}' on '{where.object.metadata.name}'"
            raise node.error(path, f"this is '{text}' here and {there}, and nodes of one network share one line")
    return said[0][0] if said else otherwise


def _bytes_per_s(text: str) -> float:
    try:
        mbps = float(text)
    except ValueError:
        raise InputError(f"this should be a number of Mbit/s in quotes, not '{text}'") from None
    if not LEAST_MBPS <= mbps <= MOST_MBPS:
        raise InputError(f"this should be from {LEAST_MBPS:g} to {MOST_MBPS:,.0f} Mbit/s, and {text} is not")
    return mbps * 1e6 / 8


def _is_edge(node: Manifest[Node]) -> bool:
    return EDGE_ROLE in node.object.metadata.labels
