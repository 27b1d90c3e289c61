import re

import pytest

from skyedge.layers.mesh.telemetry import as_dot, as_mermaid, topology
from skyedge.layers.mesh.telemetry.topology import figure
from tests.layers.mesh.telemetry.traffic_of_two import BACK, FRONT, WEB, traffic

CALLS = traffic().calls
GRAPH = topology(CALLS)


def test_nodes_and_edges_are_those_who_call_and_are_called():
    assert [node.name for node in GRAPH.nodes] == sorted([BACK, FRONT, WEB.name])
    assert [node.name for node in GRAPH.nodes if node.signals is None] == [WEB.name]
    assert [(edge.source, edge.target) for edge in GRAPH.edges] == [(FRONT, BACK), (WEB.name, FRONT)]


def test_every_byte_of_what_callers_asked_for_is_on_an_edge():
    attempts, mirror = CALLS.attempts, CALLS.requests.mirror
    seen = ~mirror[attempts.request]
    assert sum(edge.request_bytes for edge in GRAPH.edges) == attempts.request_bytes[seen].sum()
    assert sum(edge.response_bytes for edge in GRAPH.edges) == attempts.response_bytes[seen].sum()
    web = GRAPH.edges[1]
    assert web.response_bytes == 2_000 * (attempts.response_bytes == 2_000).sum()


def test_dot_quotes_names_and_has_a_line_for_each_edge():
    text = as_dot(GRAPH)
    quoted = r'"(?:[^"\\]|\\.)*"'
    edge = re.compile(rf"  {quoted} -> {quoted} \[label={quoted}(, color=red)?\];")
    node = re.compile(rf"  {quoted};")
    lines = text.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("digraph mesh {", "  rankdir=LR;", "}")
    assert all(node.fullmatch(line) or edge.fullmatch(line) for line in lines[2:-1])
    assert sum(bool(edge.fullmatch(line)) for line in lines) == len(GRAPH.edges)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1674.2, "1,674"), (999.9, "1,000"), (99.96, "100"), (12.34, "12.3"), (5.0, "5"), (0.00012, "0.00012"), (0.0, "0")],
)
def test_figures_are_plain(value, text):
    assert figure(value) == text


def test_mermaid_has_no_bare_quote_inside_a_label():
    lines = as_mermaid(GRAPH).splitlines()
    assert lines[0] == "flowchart LR"
    assert all(re.fullmatch(r'  n\d+(\["[^"]*"\]| -->\|"[^"]*"\| n\d+)', line) for line in lines[1:])
