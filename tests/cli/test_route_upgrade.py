"""`skyedge route --upgrade-proxies`: three runs of the same requests, what each cost, and one sentence for every mistake."""

import json
import re

import pytest
import yaml

NODES = """
apiVersion: v1
kind: Service
metadata: {name: shop, annotations: {skyedge.io/service-time: 20ms, skyedge.io/service-time-shape: constant}}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop}}], retries: {attempts: 0}}]}
"""
NODE = """
---
apiVersion: v1
kind: Node
metadata: {name: NODE, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: ZONE}}
---
apiVersion: v1
kind: Pod
metadata: {name: shop-NODE, labels: {app: shop}}
spec: {nodeName: NODE, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-NODE, labels: {app: web}}
spec: {nodeName: NODE, containers: [{name: c}]}
"""
MESH = NODES + "".join(NODE.replace("NODE", node).replace("ZONE", zone) for node, zone in ("ab", "ca", "eb"))
NOWHERE = re.sub("nodeName: ., (.*)", r"\1\nstatus: {phase: Running}", MESH)


@pytest.fixture
def route(skyedge, tmp_path):
    """Run the command over a manifest; what is printed, errors and the exit code."""

    def run(*arguments, text=MESH, requests=2000):
        (tmp_path / "mesh.yaml").write_text(text)
        return skyedge("route", "mesh.yaml", "--requests", requests, *arguments)

    return run


def runs(out):
    return {row["run"]: row for row in json.loads(out)["runs"]}


def test_the_graceful_upgrade_costs_nothing_and_killing_does(route):
    out, err, code = route("--upgrade-proxies", "-o", "json")
    result, rows = json.loads(out), runs(out)
    assert (code, err) == (0, "")
    assert {row["requests"] for row in rows.values()} == {2000}
    assert [rows[name]["failed"] for name in ("no upgrade", "graceful")] == [0, 0]
    killed = rows["killed at once"]
    assert killed["failed"] == killed["failed_only_here"] == killed["met_no_proxy"] > 100
    assert rows["no upgrade"]["connections"] < rows["graceful"]["connections"]
    assert rows["graceful"]["upgrade_s"] == pytest.approx(3 * 2.2, abs=0.2)
    assert rows["graceful"]["done_in_time"] is True
    assert [(one["node"], one["zone"]) for one in result["nodes"]] == [("c", "eu/a"), ("a", "eu/b"), ("e", "eu/b")]


def test_without_an_upgrade_it_is_what_the_command_says_without_the_option(route):
    plain = json.loads(route("-o", "json")[0])
    row = runs(route("--upgrade-proxies", "-o", "json")[0])["no upgrade"]
    (latency,) = plain["latency"]
    assert row["failed"] == plain["summary"]["failed"]
    assert row["retries"] == plain["summary"]["retries"]
    assert (row["p50_ms"], row["p99_ms"]) == pytest.approx((latency["p50_ms"], latency["p99_ms"]), abs=1e-3)


def test_requests_that_last_longer_than_the_drain_are_lost(route):
    slow = MESH.replace("service-time: 20ms", "service-time: 3s")
    asked = ("--upgrade-proxies", "--rate", 4, "-o", "json")
    patient = runs(route(*asked, text=slow, requests=160)[0])["graceful"]
    hasty = runs(route(*asked, "--drain", "500ms", text=slow, requests=160)[0])["graceful"]
    assert patient["failed"] == 0
    assert patient["upgrade_s"] > hasty["upgrade_s"]
    assert hasty["failed"] == hasty["met_no_proxy"] > 0


def test_json_and_yaml_say_the_same_and_a_table_sums_it_up(route):
    out, _, _ = route("--upgrade-proxies", "-o", "json", requests=900)
    assert json.loads(out) == yaml.safe_load(route("--upgrade-proxies", "-o", "yaml", requests=900)[0])
    killed = runs(out)["killed at once"]["met_no_proxy"]
    table = " ".join(route("--upgrade-proxies", "--max-unavailable", 2, "--drain", "30s", requests=900)[0].split())
    assert "3 nodes, zone by zone and 2 at a time, from" in table
    assert "an old one drains for 30 s at most" in table
    summed_up = " ".join(route("--upgrade-proxies", requests=900)[0].split())
    assert f"the graceful upgrade cost 0, and killing {killed}, because a proxy was gone" in summed_up


def test_too_few_requests_say_how_many_seconds_would_do_and_those_do(route):
    _, err, _ = route("--upgrade-proxies", requests=300)
    assert "with 1 of 3 nodes upgraded" in err or "with 0 of 3 nodes upgraded" in err
    needed_s = int(re.search(r"requests over (\d+) s or more", err)[1])
    _, err, _ = route("--upgrade-proxies", requests=round(110 * needed_s))
    assert not err


def test_who_is_on_no_node_keeps_its_proxy(route):
    entry = "{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: vm}, spec: {address: 1.2.3.4}}"
    out, _, _ = route("--upgrade-proxies", text=f"{MESH}\n---\n{entry}\n", requests=300)
    assert "1 workload on no node stay" in " ".join(out.split())


def test_telemetry_is_that_of_the_graceful_upgrade(route, tmp_path):
    assert not route("--upgrade-proxies", "--metrics", "m.txt", requests=900)[2]
    assert 'response_code="503"' not in (tmp_path / "m.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (("--drain", "30s"), MESH, "--drain: this is an option of --upgrade-proxies"),
        (("--max-unavailable", "2"), MESH, "--max-unavailable: this is an option of --upgrade-proxies"),
        (("--upgrade-proxies", "--drain", "30"), MESH, "--drain: '30' is no duration.*did you mean '30s'"),
        (("--upgrade-proxies", "--drain", "-3s"), MESH, "--drain: the duration '-3s' is negative"),
        (("--upgrade-proxies", "--explain"), MESH, "--explain is about single requests"),
        (("--upgrade-proxies", "--rollout", "shop"), MESH, "--rollout and --upgrade-proxies are two trials"),
        (("--upgrade-proxies",), NOWHERE, "nothing says which node it is on"),
    ],
)
def test_a_mistake_is_one_sentence(route, arguments, text, words):
    out, err, code = route(*arguments, text=text, requests=10)
    assert (out, code) == ("", 2)
    assert re.search(words, err)
    assert err.startswith("error: ")
    assert err.strip().count("\n") == 0
