"""`skyedge route` between edge and cloud: which way calls go, what they cost, and what is left when a line is down."""

import json
from functools import partial

import pytest

CLUSTERS, SERVICES, RULES, EDGE = (f"manifests/mesh/{name}.yaml" for name in ("clusters", "services", "rules", "edge"))
WITHOUT_STANDBY, WITH_STANDBY = (CLUSTERS, SERVICES, RULES), (CLUSTERS, SERVICES, RULES, EDGE)
SITE = """
apiVersion: v1
kind: Node
metadata: {name: cloud-0, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1}}
---
apiVersion: v1
kind: Node
metadata:
  name: farm-0
  labels:
    {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: farm, topology.istio.io/network: farm,
     node-role.kubernetes.io/edge: ""}
  annotations: {skyedge.io/edge-channel-delay: 12ms, skyedge.io/edge-channel-mbps: "50"}
---
apiVersion: v1
kind: Node
metadata: {name: shed, labels: {topology.kubernetes.io/region: eu, node-role.kubernetes.io/edge: ""}}
---
apiVersion: v1
kind: Service
metadata: {name: sensors, annotations: {skyedge.io/service-time: 1ms, skyedge.io/service-time-shape: constant}}
spec: {selector: {app: sensors}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: sensors-farm, labels: {app: sensors}}
spec: {nodeName: farm-0, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: cloud-0, containers: [{name: c}]}
"""
GATEWAY = """
---
apiVersion: v1
kind: Node
metadata: {name: east-0, labels: {topology.kubernetes.io/region: eu, topology.istio.io/network: east}}
---
apiVersion: v1
kind: Node
metadata: {name: west-0, labels: {topology.kubernetes.io/region: eu, topology.istio.io/network: west}}
---
apiVersion: v1
kind: Service
metadata: {name: eastwest, labels: {topology.istio.io/network: east}}
spec: {type: LoadBalancer, selector: {app: gateway}, ports: [{name: tls, port: 15443}]}
---
apiVersion: v1
kind: Pod
metadata: {name: sensors-east, labels: {app: sensors}}
spec: {nodeName: east-0, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-west, labels: {app: web}}
spec: {nodeName: west-0, containers: [{name: c}]}
"""


@pytest.fixture
def route(skyedge, tmp_path):
    """Run the command where ``site.yaml`` is; its output, errors and exit code."""
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "gateway.yaml").write_text(SITE + GATEWAY)
    (tmp_path / "once.jsonl").write_text('{"host": "sensors"}\n')
    return partial(skyedge, "route")


@pytest.fixture
def result(route):
    """Run the command and read its JSON."""

    def run(*arguments):
        out, err, code = route(*arguments, "-o", "json")
        assert (code, err.replace("warning", "")) == (0, err)
        return json.loads(out)

    return run


def test_the_samples_call_the_edge_from_the_cloud_and_the_cloud_from_the_edge_over_the_channel(result):
    said = result(*WITHOUT_STANDBY, "--requests", 400)
    over = {"way": "edge-channel", "through": "channel of svalbard-edge", "one_way_ms": 12.0}
    direct = {"way": "direct", "through": "", "one_way_ms": 0.0}
    down = [row for row in said["requests"] if row["service"] == "preview.earth" and row["from"] != "earth/preview-edge"]
    up = [row for row in said["requests"] if row["from"] == "earth/preview-edge" and row["service"] != "preview.earth"]
    assert len(down) > 20
    assert len(up) > 20
    assert all(row["ways"] == [over] * row["attempts"] for row in (*down, *up))
    assert all(row["ms"] > 2 * 12 for row in (*down, *up) if row["status"] == 200)
    rest = [row for row in said["requests"] if row not in down and row not in up]
    assert all(row["ways"] == [direct] * row["attempts"] for row in rest)
    calls = sum(len(row["ways"]) for row in (*down, *up))
    (counted,) = said["between_networks"]["ways"]
    assert counted["calls"] == calls + said["summary"]["further_requests"]  # which the preview makes in the cloud
    assert said["between_networks"]["lines_down"] == []


def test_while_the_line_is_down_calls_over_it_fail_at_once_and_no_others(result):
    said = result(*WITHOUT_STANDBY, "--requests", 400, "--down", "edge-0")
    assert said["between_networks"] == {"ways": [], "lines_down": ["svalbard-edge"]}
    failed = [row for row in said["requests"] if row["status"] == 503 and not row["attempts"]]
    assert len(failed) > 40
    assert all((row["flags"], row["ms"], row["ways"]) == ("UH", 0, []) for row in failed)
    inside = [row for row in said["requests"] if row["from"] == "earth/preview-edge" and row["endpoint"] == "10.9.0.11"]
    # The edge serves itself, but for one request in five, for which it would have to ask the cloud.
    assert {row["status"] for row in inside} == {200, 500}
    assert sum(row["status"] == 200 for row in inside) > len(inside) / 2
    assert not [row for row in said["requests"] if row["from"] != "earth/preview-edge" and row["endpoint"] == "10.9.0.11"]
    away = {row["from"] for row in failed}
    assert "earth/preview-edge" in away
    assert all(row["from"] == "earth/preview-edge" or "preview" in row["host"] + row["path"] for row in failed)


def test_while_the_line_is_down_the_stand_in_serves_the_cloud_and_the_edge_serves_itself(result):
    previews = ("--requests", 400, "--down", "edge-0")
    rows = [row for row in result(*WITH_STANDBY, *previews)["requests"] if row["service"] == "preview.earth"]
    at_edge = ("earth/preview-edge", "earth/keeper-edge")
    assert {(row["from"] in at_edge, row["endpoint"]) for row in rows} == {(True, "10.9.0.11"), (False, "10.2.0.51")}
    up = [row for row in result(*WITH_STANDBY, *previews[:2])["requests"] if row["service"] == "preview.earth"]
    assert {row["endpoint"] for row in up if row["from"] not in at_edge} == {"10.9.0.11", "10.2.0.51"}


def test_what_a_call_over_a_channel_takes(result):
    (row,) = result("site.yaml", "--requests", 1, "--from", "web")["requests"]
    one_way_ms = 1 + 12  # another zone of the region, and the line on top
    # Two round trips to connect and one to ask, a thousand and ten thousand bytes at 50 Mb/s, and the work.
    assert row["ms"] == pytest.approx(6 * one_way_ms + 0.16 + 1.6 + 1, abs=1e-3)
    (asked_beside,) = result("site.yaml", "--requests", 1, "--from", "eu/farm")["requests"]
    assert asked_beside["ways"] == [{"way": "direct", "through": "", "one_way_ms": 0.0}]


def test_in_words(route):
    out, _, _ = route("site.yaml", "--requests", 1, "--from", "web", "--explain")
    assert "(sensors-farm, container) in eu/farm, over the channel of farm (12 ms more each way), all of one" in out
    assert out.endswith("between networks: 1 call over the channel of farm\n")
    out, _, _ = route("site.yaml", "--requests", 2, "--from", "web", "--explain", "--down", "farm-0")
    assert out.count("cannot be reached: sensors-farm: the channel of farm is down\n") == 2
    assert out.endswith("between networks: the line of farm was down\n")
    out, _, _ = route("site.yaml", "--requests", 2, "--from", "eu/farm", "--explain", "--down", "farm-0")
    assert "in eu/farm, directly, all of one priority, the only one there, 200 after" in out


def test_who_cannot_be_reached_is_none_of_those_who_could_be_chosen(route):
    asked = ("gateway.yaml", "--requests", "once.jsonl", "--from", "web-west", "--explain")
    out, _, _ = route(*asked, "--down", "farm-0")
    assert "by the gateway of east (0.15 ms more each way), all of one priority, the only one there" in out
    assert "cannot be reached: sensors-farm: the channel of farm is down" in out
    assert out.endswith("between networks: 1 call by the gateway of east, the line of farm was down\n")
    assert "least request among 2" in route(*asked)[0]


def test_where_nobody_names_a_network_nothing_is_said_of_any(result, tmp_path):
    flat = SITE.replace("topology.istio.io/network: farm,", "")
    flat = flat.replace('  annotations: {skyedge.io/edge-channel-delay: 12ms, skyedge.io/edge-channel-mbps: "50"}\n', "")
    (tmp_path / "flat.yaml").write_text(flat)
    said = result("flat.yaml", "--requests", 3, "--from", "web")
    assert "between_networks" not in said
    assert all("ways" not in row for row in said["requests"])
    assert said["requests"][0]["ms"] == pytest.approx(6 * 1 + 1, abs=1e-3)


def test_a_line_may_be_down_in_an_upgrade_too(route):
    out, _, code = route(
        "site.yaml", "--requests", 20, "--from", "web", "--upgrade-proxies", "--down", "farm-0", "-o", "json"
    )
    assert code == 0
    assert all(run["failed"] == 20 for run in json.loads(out)["runs"])


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("farm-1", "--down: there is no node 'farm-1' (did you mean 'farm-0'?)"),
        (
            "cloud-0",
            "--down: 'cloud-0' is no edge node: it has no label node-role.kubernetes.io/edge; edge nodes are farm-0",
        ),
        ("shed", "--down: the site of 'shed' is no network of its own: its label topology.istio.io/network would name it"),
    ],
)
def test_what_has_no_line_is_said_in_a_sentence(route, node, sentence):
    out, err, code = route("site.yaml", "--requests", 1, "--down", "farm-0", "--down", node)
    assert (out, code) == ("", 2)
    assert sentence in " ".join(err.split())
