"""`skyedge route --without-zone`: with one zone of the control plane left nothing changes, without any something does."""

import json
import re

import pytest
import yaml

from skyedge.resources import folder

EXAMPLES = [f"manifests/mesh/{name}.yaml" for name in ("clusters", "services", "rules")]
CONTROL_PLANE = "manifests/control-plane.yaml"
ISTIOD = (folder("experiments") / CONTROL_PLANE).read_text()
ALL = ("--without-zone", "frankfurt-a", "--without-zone", "frankfurt-b", "--without-zone", "singapore/singapore-a")


@pytest.fixture
def route(skyedge, tmp_path):
    """Run the command over the examples and a control plane; what is printed, errors and the exit code."""

    def run(*arguments, istiod=ISTIOD, requests=1200, files=()):
        (tmp_path / "istiod.yaml").write_text(istiod)
        return skyedge("route", *EXAMPLES, *files, "istiod.yaml", "--requests", requests, *arguments)

    return run


def test_losing_one_zone_or_two_changes_nothing_that_is_routed(route):
    for zones in (ALL[:2], ALL[2:4], ALL[:4], ALL[2:]):
        out, err, code = route(*zones, "-o", "json")
        whole, less = json.loads(out)["runs"]
        assert (code, err) == (0, "")
        assert less["found_another_zone"] > 0 == whole["found_another_zone"]
        assert (less["other_way"], less["not_told"], less["listen_to_none"], less["sent_to_gone"]) == (0, 0, 0, 0)
        same = ("requests", "failed", "told", "retries", "p50_ms", "p99_ms")
        assert [less[key] for key in same] == [whole[key] for key in same]


def test_losing_all_leaves_requests_going_to_an_endpoint_that_has_gone(route):
    out, _, _ = route(*ALL, "-o", "json")
    result = json.loads(out)
    whole, none = result["runs"]
    said = result["control_plane"]
    assert none["listen_to_none"] == none["not_told"] == said["proxies"] == whole["told"]
    assert none["told"] == 0 == whole["sent_to_gone"]
    assert none["sent_to_gone"] > 0
    assert none["other_way"] > 0
    assert said["lost"] == said["zones"] == ["frankfurt/frankfurt-a", "frankfurt/frankfurt-b", "singapore/singapore-a"]
    assert said["lost_at_s"] < said["gone_at_s"]
    assert said["gone_endpoint"]


def test_json_and_yaml_say_the_same_and_a_table_sums_it_up(route):
    out, _, _ = route(*ALL, "-o", "json", requests=500)
    result = json.loads(out)
    assert result == yaml.safe_load(route(*ALL, "-o", "yaml", requests=500)[0])
    table = " ".join(route(*ALL, requests=500)[0].split())
    row, said = result["runs"][1], result["control_plane"]
    assert "and keeps 0 of 3 zones" in table
    assert f"{said['gone_endpoint']} of {said['gone_service']} goes" in table
    assert f"0 were told, {row['not_told']} were not" in table
    assert f"{row['other_way']} went another way" in table


def test_the_control_plane_itself_calls_nobody(route, tmp_path):
    assert not route(*ALL[:2], "--metrics", "m.txt", requests=500)[1]
    assert "istiod" not in (tmp_path / "m.txt").read_text()


def test_a_zone_is_lost_once_however_often_it_is_named(route):
    out, _, _ = route(*ALL[:2], "--without-zone", "frankfurt/frankfurt-a", "-o", "json", requests=100)
    assert json.loads(out)["control_plane"]["lost"] == ["frankfurt/frankfurt-a"]


TWICE = """
---
{apiVersion: v1, kind: Node, metadata: {name: oslo-0, labels: {topology.kubernetes.io/region: oslo, ZONE: frankfurt-a}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: i, labels: {app: istiod}}, spec: {nodeName: oslo-0, containers: [{name: c}]}}
""".replace("ZONE", "topology.kubernetes.io/zone")


@pytest.mark.parametrize(
    ("arguments", "istiod", "words"),
    [
        (
            ("frankfurt-c",),
            ISTIOD,
            "--without-zone: the control plane has no zone 'frankfurt-c'.*did you mean 'frankfurt-[ab]'",
        ),
        (
            ("svalbard-a",),
            ISTIOD,
            "has no zone 'svalbard-a', only frankfurt/frankfurt-a, frankfurt/frankfurt-b, singapore/s",
        ),
        (("frankfurt-a",), ISTIOD.replace("app: istiod", "app: pilot"), "no pod is labelled app: istiod"),
        (
            ("frankfurt-a",),
            ISTIOD.replace("nodeName: frankfurt-1, ", ""),
            r"istiod\.yaml.*'istiod-frankfurt-b' is in no zone",
        ),
        (("frankfurt-a",), ISTIOD + TWICE, "several zones 'frankfurt-a': frankfurt/frankfurt-a, oslo/frankfurt-a"),
        (("frankfurt-a", "--upgrade-proxies"), ISTIOD, "--upgrade-proxies and --without-zone are two trials"),
        (("frankfurt-a", "--rollout", "x"), ISTIOD, "--rollout and --without-zone are two trials"),
        (("frankfurt-a", "--explain"), ISTIOD, "--explain is about single requests"),
    ],
)
def test_a_mistake_is_one_sentence(route, arguments, istiod, words):
    out, err, code = route("--without-zone", *arguments, istiod=istiod, requests=10)
    assert (out, code) == ("", 2)
    assert re.search(words, err)
    assert err.startswith("error: ")
    assert err.strip().count("\n") == 0
