"""What `skyedge route` says of a request is enough to act on: the name that would have worked, the reason, the figures."""

import json

import pytest

EXAMPLES = [f"manifests/mesh/{name}.yaml" for name in ("clusters", "services", "rules", "edge")]
WHOLE = "scenes.earth.svc.cluster.local"
FAULTY = """
apiVersion: v1
kind: Node
metadata: {name: near, labels: {topology.kubernetes.io/region: eu}}
---
apiVersion: v1
kind: Node
metadata: {name: far, labels: {topology.kubernetes.io/region: us}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, annotations: {skyedge.io/service-time: 2ms, skyedge.io/service-time-shape: constant}}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop}}
spec: {nodeName: far, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: near, containers: [{name: c}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - match: [{uri: {prefix: /fault}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}, delay: {fixedDelay: 1s, percentage: {value: 100}}}
    route: [{destination: {host: shop}}]
  - match: [{uri: {prefix: /grpc}}]
    fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
    route: [{destination: {host: shop}}]
  - match: [{uri: {prefix: /late}}]
    timeout: 1ms
    route: [{destination: {host: shop}}]
  - match: [{uri: {prefix: /broken}}]
    directResponse: {status: 500}
  - route: [{destination: {host: shop}}]
"""


@pytest.fixture
def route(skyedge, tmp_path):
    """Send requests for (host, path) pairs; output and warnings."""
    (tmp_path / "faulty.yaml").write_text(FAULTY)

    def run(files, requests, *options):
        lines = [json.dumps({"host": host, "path": path, "at_s": at}) for at, (host, path) in enumerate(requests)]
        (tmp_path / "asked.jsonl").write_text("\n".join(lines))
        printed = skyedge("route", *files, "--requests", "asked.jsonl", *options)
        assert not printed.code, printed.err
        return printed

    return run


@pytest.mark.parametrize(
    ("host", "hint"),
    [("scnes", WHOLE), ("scenes", WHOLE), ("scenes.earth", WHOLE), (f"{WHOLE}l", WHOLE), ("web", None), ("labels", None)],
)
def test_at_a_gateway_the_hint_is_a_whole_name_that_the_gateway_knows(route, host, hint):
    said = route(EXAMPLES, [(host, "/")], "--from", "earth/door", "--explain")
    words = f" (did you mean '{hint}'?)" if hint else ""
    assert said.err.strip() == f"warning: no rule at the gateway 'earth/door' has the host '{host}'{words}: it answers 404"
    assert f"the host {host} is known to no rule at the gateway earth/door: it is not let in" in said.out
    if hint:
        assert not route(EXAMPLES, [(hint, "/")], "--from", "earth/door").err


def test_a_host_that_is_no_service_is_printed_as_it_was_asked(route):
    hosts = ["scenes.earth", WHOLE, "none.earth.svc.cluster.local"]
    said = json.loads(route(EXAMPLES, [(host, "/") for host in hosts], "--from", "earth/door", "-o", "json").out)
    assert [row["host"] for row in said["requests"]] == hosts
    assert [row["status"] for row in said["requests"]] == [404, 200, 404]
    assert [row["service"] for row in said["latency"]] == sorted(hosts)


def test_a_service_is_printed_in_short_where_that_is_nothing_else(route):
    said = json.loads(route(EXAMPLES, [(WHOLE, "/")], "--from", "earth/door", "-o", "json").out)
    (request,), (service,) = said["requests"], said["latency"]
    assert {request["host"], request["service"], service["service"]} == {"scenes.earth"}


def test_flags_are_shown_where_a_request_has_some(route):
    head = route(["faulty.yaml"], [("shop", "/")], "--from", "web").out.splitlines()[2]
    assert "status" in head
    assert "flags" not in head
    out = route(["faulty.yaml"], [("shop", "/"), ("shop", "/late")], "--from", "web").out
    assert "flags" in out.splitlines()[2]
    assert "504     UT" in out


def test_the_summary_splits_what_failed_where_it_failed_in_several_ways(route):
    paths = ["/late", "/late", "/broken", "/"]
    out = route(["faulty.yaml"], [("shop", path) for path in paths], "--from", "web").out
    assert out.splitlines()[-1].startswith("4 requests: 1 answered, 3 failed (2 UT, 1 without a flag)")
    out = route(["faulty.yaml"], [("shop", "/late")], "--from", "web").out
    assert out.splitlines()[-1].startswith("1 request: 0 answered, 1 failed")
    assert "(" not in out.splitlines()[-1]
    said = json.loads(route(["faulty.yaml"], [("shop", path) for path in paths], "--from", "web", "-o", "json").out)
    assert said["failed_by_flags"] == {"UT": 2, "-": 1}


def test_a_fault_is_explained_with_its_status_and_its_time(route):
    out = route(["faulty.yaml"], [("shop", "/fault"), ("shop", "/grpc")], "--from", "web", "--explain").out
    assert "a fault delayed it by 1 s" in out
    assert "a fault answered it with 418" in out
    assert "a fault answered it with gRPC's UNAVAILABLE" in out


def test_an_attempt_says_how_long_it_waited_for_its_connection(route):
    out = route(["faulty.yaml"], [("shop", "/")] * 4, "--from", "web", "--explain", "--delay", "eu,us=250ms").out
    first, *_, last = (line for line in out.splitlines() if "attempt 1" in line)
    assert first.endswith("200 after 1,502.0 ms, 1,000.0 ms of them for a connection")  # two round trips of three
    assert last.endswith("200 after 502.0 ms")


def test_who_is_beyond_a_line_that_is_down_is_not_said_to_be_unwell(route):
    preview = [("preview.earth.svc.cluster.local", "/")]
    out = route(EXAMPLES[:3], preview, "--from", "frankfurt", "--explain", "--down", "edge-0").out
    assert "no endpoint can be reached" in out
    assert "no endpoint is well" not in out
    assert "503     UH" in out


def test_a_tab_in_a_file_of_requests_is_told_with_its_line(skyedge, tmp_path):
    (tmp_path / "faulty.yaml").write_text(FAULTY)
    (tmp_path / "asked.yaml").write_text("- host: shop\n\tpath: /\n")
    err = skyedge("route", "faulty.yaml", "--requests", "asked.yaml").err
    assert "asked.yaml:2: YAML is indented with blanks, and here is a tab" in err
