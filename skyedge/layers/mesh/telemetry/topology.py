"""Who calls whom: services and callers as nodes, calls as edges with their rates, errors and bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skyedge.layers.mesh.telemetry.golden_signals import Signals, Window, by_edge, by_service, caller_names
from skyedge.layers.mesh.traffic.calls import Calls


@dataclass(frozen=True)
class Edge:
    """Calls from one node to another.

    Attributes:
        source, target: names of nodes.
        request_bytes, response_bytes: that crossed the network, with retries.
    """

    source: str
    target: str
    signals: Signals
    request_bytes: int
    response_bytes: int


@dataclass(frozen=True)
class Node:
    """A service, or a caller from outside.

    Attributes:
        signals: None for one that nobody calls.
    """

    name: str
    signals: Signals | None


@dataclass(frozen=True)
class Topology:
    """Nodes by name, edges by source and target."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def topology(calls: Calls, window: Window | None = None) -> Topology:
    """Who calls whom; arguments as :func:`~skyedge.layers.mesh.telemetry.golden_signals.by_edge`.

    Bytes are of the attempts that ended in the window.
    """
    signals = {one.name[0]: one for one in by_service(calls, window)}
    names, attempts = caller_names(calls), calls.attempts
    inside = np.ones(len(attempts), np.bool_)
    if window is not None:
        inside = (attempts.end_us >= window[0]) & (attempts.end_us < window[1])
    inside &= ~calls.requests.mirror[attempts.request]
    moved: dict[tuple[str, str], tuple[int, int]] = {}
    callers, services = attempts.caller[inside].tolist(), attempts.service[inside].tolist()
    sizes = zip(attempts.request_bytes[inside].tolist(), attempts.response_bytes[inside].tolist(), strict=True)
    for caller, service, (sent, received) in zip(callers, services, sizes, strict=True):
        key = (names[caller], calls.services[service])
        before = moved.get(key, (0, 0))
        moved[key] = (before[0] + sent, before[1] + received)
    edges = tuple(
        Edge(one.name[0], one.name[1], one, *moved.get((one.name[0], one.name[1]), (0, 0))) for one in by_edge(calls, window)
    )
    known = sorted(set(signals) | {edge.source for edge in edges})
    return Topology(tuple(Node(name, signals.get(name)) for name in known), edges)


def as_dot(graph: Topology) -> str:
    """The graph in the language of Graphviz."""
    lines = ["digraph mesh {", "  rankdir=LR;"]
    lines += [f"  {_dot(node.name)};" for node in graph.nodes]
    lines += [
        f"  {_dot(edge.source)} -> {_dot(edge.target)} [label={_dot(label(edge))}{', color=red' * (_errs(edge))}];"
        for edge in graph.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def as_mermaid(graph: Topology) -> str:
    """The graph as a flow chart of Mermaid."""
    number = {node.name: at for at, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f'  n{number[node.name]}["{_mermaid(node.name)}"]' for node in graph.nodes]
    lines += [f'  n{number[edge.source]} -->|"{_mermaid(label(edge))}"| n{number[edge.target]}' for edge in graph.edges]
    return "\n".join(lines) + "\n"


def label(edge: Edge) -> str:
    """What is written at an edge."""
    signals = edge.signals
    return f"{figure(signals.rate_per_s)}/s, {signals.error_share:.2%} errors, p99 {figure(signals.p99_ms)} ms"


def figure(value: float) -> str:
    """A number as people write it, never with an exponent: three digits of it, or all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else np.format_float_positional(value, 3, fractional=False, trim="-")


def _errs(edge: Edge) -> bool:
    return edge.signals.error_share > 0


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _mermaid(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;")
