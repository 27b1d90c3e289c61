"""`skyedge route`: where requests go and why, in three forms, and one sentence for every mistake."""

import json
from functools import partial

import pytest
import yaml

from skyedge.resources import folder

EXAMPLES = [f"manifests/mesh/{name}.yaml" for name in ("clusters", "services", "rules")]
SMALL = """
apiVersion: v1
kind: Node
metadata: {name: n, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, labels: {app: shop, version: v1}, annotations: {skyedge.io/service-time: 2ms}}
spec: {nodeName: n, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: new, labels: {app: shop, version: v2}, annotations: {skyedge.io/service-time: 2ms}}
spec: {nodeName: n, containers: [{name: c}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - {name: beta, match: [{headers: {x-beta: {exact: "1"}}}], route: [{destination: {host: shop, subset: v2}}]}
  - name: main
    route: [{destination: {host: shop, subset: v1}, weight: 75}, {destination: {host: shop, subset: v2}, weight: 25}]
"""
REQUESTS = """{"host": "shop", "at_s": 0}
{"host": "shop", "path": "/x", "headers": {"x-beta": "1"}, "source": "eu", "at_s": 0.5}
{"host": "shp", "at_s": 1}
"""


@pytest.fixture
def route(skyedge, tmp_path):
    """Run the command in a folder with manifests and requests; its output, errors and exit code."""
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "requests.jsonl").write_text(REQUESTS)
    return partial(skyedge, "route")


def test_json_and_yaml_say_the_same(route):
    arguments = ("small.yaml", "--requests", "requests.jsonl")
    out, _, code = route(*arguments, "-o", "json")
    result = json.loads(out)
    assert not code
    assert result == yaml.safe_load(route(*arguments, "-o", "yaml")[0])
    plain, beta, wrong = result["requests"]
    assert (plain["rule"], plain["status"], plain["from"]) == ("shop/main", 200, "somebody")
    assert (beta["rule"], beta["endpoint"], beta["locality"]) == ("shop/beta", "new", "eu/eu-1")
    assert (wrong["rule"], wrong["host"]) == ("", "shp")
    assert result["summary"]["requests"] == 3
    assert result["warnings"] == [
        "no rule and no service has the host 'shp' (did you mean 'shop'?): it counts as one outside of the mesh"
    ]


def test_the_split_is_that_of_the_weights(route):
    out, _, _ = route("small.yaml", "--requests", 400, "--from", "eu", "-o", "json", "--seed", 7)
    rows = json.loads(out)["requests"]
    assert {row["from"] for row in rows} == {"eu"}
    main_rule = [row["subset"] for row in rows if row["rule"] == "shop/main"]
    assert 150 < len(main_rule) < 250  # half of what is made up meets each of the two rules
    assert main_rule.count("v2") / len(main_rule) == pytest.approx(0.25, abs=0.09)


def test_the_same_seed_gives_the_same_output_and_another_one_another(route):
    def printed(seed):
        return route("small.yaml", "--requests", 50, "--seed", seed, "-o", "json")[0]

    assert printed(1) == printed(1) != printed(2)


def test_explain_names_the_rule_and_why_earlier_ones_did_not_take_it(route):
    out, _, _ = route("small.yaml", "--requests", "requests.jsonl", "--explain")
    assert "rule 0 'beta' (small.yaml:32 (document 6): spec.http[0]): not met: there is no header x-beta" in out
    assert "rule 1 'main' (small.yaml:33 (document 6): spec.http[1]): met: it has no conditions" in out
    assert "rule 0 'beta' (small.yaml:32 (document 6): spec.http[0]): met: the header x-beta is '1'" in out
    assert "the rule splits by weight, v1 75%, v2 25%: drawn was v" in out
    assert "attempt 1: new (new, container) in eu/eu-1, all of one priority, the only one there, 200 after" in out
    assert "the host shp is known to no rule and no service" in out


def test_explain_says_by_how_much_a_fault_delayed_and_which_port_is_none_of_the_services(route, tmp_path):
    fault = "fault: {delay: {fixedDelay: 1500ms, percentage: {value: 100}}}"
    (tmp_path / "small.yaml").write_text(SMALL.replace("- name: main", f"- name: main\n    {fault}"))
    (tmp_path / "one.jsonl").write_text('{"host": "shop", "port": 81}')
    out, _, _ = route("small.yaml", "--requests", "one.jsonl", "--explain")
    assert "a fault delayed it by 1.5 s" in out
    (tmp_path / "small.yaml").write_text(SMALL.replace("port: 80}]", "port: 80}, {name: grpc, port: 90}]"))
    out, _, _ = route("small.yaml", "--requests", "one.jsonl", "--explain")
    assert "'shop.default.svc.cluster.local' has the ports 80, 90, and the request came by 81" in out


@pytest.mark.parametrize(("path", "status"), [("/new/x", 403), ("/x", 200)])
def test_a_policy_is_asked_of_what_a_rule_sends_on(route, tmp_path, path, status):
    rewritten = SMALL.replace("- name: main", "- name: main\n    match: [{uri: {prefix: /}}]\n    rewrite: {uri: /new/}")
    policy = f"""---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: closed}}
spec: {{selector: {{matchLabels: {{app: shop}}}}, action: DENY, rules: [{{to: [{{operation: {{paths: [{path}]}}}}]}}]}}
"""
    (tmp_path / "rewritten.yaml").write_text(rewritten + policy)
    asked = ("rewritten.yaml", "--requests", "-", "--explain", "-o", "json")
    said = json.loads(route(*asked, stdin='{"host": "shop", "path": "/x"}')[0])
    assert said["requests"][0]["status"] == status
    assert said["summary"]["denied"] == (status == 403)
    assert "asked for /new/x of shop" in said["requests"][0]["why"][-1]
    assert ("denied: policy default/closed" in said["requests"][0]["why"][-1]) == (status == 403)


def test_a_table_shows_forty_requests_and_counts_all(route):
    out, _, _ = route("small.yaml", "--requests", 60)
    assert "60 requests" in out
    assert "… and 20 more; -o json prints all" in out
    assert "60 requests: 60 answered, 0 failed" in out


def test_csv_and_yaml_files_say_the_same_as_json(route, tmp_path):
    (tmp_path / "r.csv").write_text("host,path,headers,source,at_s\nshop,,,,0\nshop,/x,x-beta=1,eu,0.5\nshp,,,,1\n")
    (tmp_path / "r.yaml").write_text(yaml.dump([json.loads(line) for line in REQUESTS.splitlines()]))
    (tmp_path / "r.json").write_text(json.dumps([json.loads(line) for line in REQUESTS.splitlines()]))
    files = ("requests.jsonl", "r.csv", "r.yaml", "r.json")
    assert len({route("small.yaml", "--requests", file, "-o", "json")[0] for file in files}) == 1


def test_the_examples_show_a_canary_failover_ejections_and_denials(route):
    out, err, code = route(*EXAMPLES, "--requests", 600, "-o", "json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["summary"]["ejections"] > 0
    assert result["summary"]["retries"] > 0
    assert result["summary"]["denied"] > 0
    canary = [row for row in result["requests"] if row["rule"] == "scenes/canary"]
    assert 0.02 < sum(row["subset"] == "v2" for row in canary) / len(canary) < 0.25
    assert {row["locality"] for row in canary if row["from"] == "earth/preview-edge" and row["subset"] == "v1"} == {
        "svalbard/svalbard-a"
    }
    denied = [row for row in result["requests"] if row["status"] == 403]
    assert {row["service"] for row in denied} == {"labels.earth"}
    assert not {row["from"] for row in denied} & {"earth/preview-edge", "earth/scenes-v1-svalbard"}
    latency = {row["service"]: row for row in result["latency"]}
    assert latency["scenes.earth"]["p50_ms"] <= latency["scenes.earth"]["p99_ms"]


def test_a_delay_between_regions_is_paid_both_ways(route):
    """With the edge as caller and its requests to labelling in Frankfurt."""

    def slowest(*more):
        out, _, _ = route(*EXAMPLES, "--requests", 50, "--from", "preview-edge", "-o", "json", *more)
        return min(row["ms"] for row in json.loads(out)["requests"] if row["service"] == "labels.earth")

    assert slowest("--delay", "svalbard,frankfurt=200ms") > 400 > slowest("--delay", "svalbard,frankfurt=1ms")


def test_telemetry_is_written(route, tmp_path):
    files = {name: tmp_path / f"t.{end}" for name, end in (("traces", "json"), ("metrics", "txt"), ("topology", "mmd"))}
    options = [word for name, file in files.items() for word in (f"--{name}", file)]
    assert not route("small.yaml", "--requests", 5, *options)[2]
    assert "resourceSpans" in json.loads(files["traces"].read_text())
    assert "istio_requests_total" in files["metrics"].read_text()
    assert files["topology"].read_text().startswith("flowchart")


SHADOWED = SMALL.replace('match: [{headers: {x-beta: {exact: "1"}}}], ', "")


def test_what_is_useless_is_a_warning_and_an_error_where_strict(route, tmp_path):
    (tmp_path / "shadowed.yaml").write_text(SHADOWED)
    out, err, code = route("shadowed.yaml", "--requests", 3)
    assert (code, "no request ever reaches this rule" in err) == (0, True)
    assert "3 requests" in out
    _, err, code = route("shadowed.yaml", "--requests", 3, "--strict")
    assert (code, "(strict)" in err) == (2, True)


def test_what_only_requests_show_is_an_error_where_strict_and_nothing_is_written(route, tmp_path):
    out, err, code = route("small.yaml", "--requests", "requests.jsonl", "--strict", "--metrics", "metrics.txt")
    assert (out, code) == ("", 2)
    assert "has the host 'shp'" in " ".join(err.split())
    assert not (tmp_path / "metrics.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (("small.yaml", "--requests", "0"), "", "--requests: from 1 to 1,000,000 requests can be made up, not 0"),
        (("small.yaml", "--requests", "nothing.jsonl"), "", "nothing.jsonl"),
        (("small.yaml", "--requests", "5", "--from", "odl"), "", "--from: 'odl' is no workload, no gateway"),
        (("small.yaml", "--requests", "5", "--from", "odl"), "", "did you mean 'old'?"),
        (("-", "--requests", "-"), "", "standard input can be read only once"),
        (
            ("small.yaml", "--requests", "-"),
            '{"hos": "a"}',
            "standard input:1: a request has no 'hos' (did you mean 'host'?)",
        ),
        (("small.yaml", "--requests", "-"), '{"path": "/"}', "standard input:1: 'host' is missing"),
        (
            ("small.yaml", "--requests", "-"),
            '{"host": "a", "path": "x"}',
            "standard input:1: path: a path begins with a slash",
        ),
        (("small.yaml", "--requests", "-"), '{"host": "a", "at_s": -1}', "standard input:1: at_s: this should be a number"),
        (("small.yaml", "--requests", "-"), '{"host": "a", "source": "b"}', "standard input:1: source: 'b' is no workload"),
        (("small.yaml", "--requests", "-"), '{"host": "a"', "standard input:1: this is not JSON: it breaks off here"),
        (("small.yaml", "--requests", "-"), "a: b", "standard input: this should be a list of requests"),
        (("small.yaml", "--requests", "5", "--delay", "eu,us=1ms"), "", "--delay: there is no region 'us'"),
        (("small.yaml", "--requests", "5", "--delay", "eu"), "", "--delay: a delay is written like REGION,REGION=15ms"),
        (
            ("small.yaml", "--requests", "5", "--delay", "eu,eu=1ms"),
            "",
            "--delay: a delay is between two regions, and 'eu,eu",
        ),
        (
            ("manifests/mesh/clusters.yaml", "--requests", "5", *["--delay", "frankfurt,svalbard=1ms"] * 2),
            "",
            "--delay: there is a delay from 'frankfurt' to 'svalbard' already",
        ),
        (
            ("-", "--requests", "5"),
            "apiVersion: v1\nkind: Node\nmetadata: {name: n}",
            "--requests: nobody sees a host to call, so no request can be made up",
        ),
        (
            ("small.yaml", "--requests", "5", "--topology", "t.png"),
            "",
            "--topology: the topology is written as .dot or .mmd",
        ),
        (("-", "--requests", "5"), "apiVersion: v1\nkind: Secret\nmetadata: {name: s}", "there is no manifest for the mesh"),
    ],
)
def test_a_mistake_is_one_sentence(route, arguments, stdin, sentence):
    out, err, code = route(*arguments, stdin=stdin)
    assert (out, code) == ("", 2)
    assert sentence in " ".join(err.split())


def test_the_examples_are_where_the_command_looks_for_them():
    assert all((folder("experiments") / example).is_file() for example in EXAMPLES)


def test_of_several_files_none_is_written_if_one_cannot_be(route, tmp_path):
    asked = ("small.yaml", "--requests", "3", "--traces", "traces.json", "--metrics")
    for metrics, says in (
        ("missing/metrics.txt", "--metrics: there is no folder missing"),
        ("traces.json", "name the same file"),
    ):
        out, err, code = route(*asked, metrics)
        assert code
        assert not out
        assert says in " ".join(err.split())
        assert not (tmp_path / "traces.json").exists()
    assert not route(*asked, "metrics.txt")[2]
    assert {path.name for path in tmp_path.iterdir()} >= {"traces.json", "metrics.txt"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("requests", ["-1", "abc", "1e3", "", "."])
def test_what_is_neither_a_number_nor_a_file_is_said_to_be(route, requests):
    out, err, code = route("small.yaml", f"--requests={requests}")
    assert code
    assert not out
    assert f"--requests: '{requests}' is neither a number from 1 to 1,000,000 nor a file" in " ".join(err.split())
