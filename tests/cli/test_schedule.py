"""`skyedge schedule`: a decision in three forms, and one sentence for every mistake."""

import json
from functools import partial

import pytest
import yaml

from skyedge.resources import folder

EXAMPLES = [f"manifests/{name}.yaml" for name in ("cluster", "jobs", "scheduler")]
SMALL = """apiVersion: v1
kind: Node
metadata: {name: n}
status: {allocatable: {cpu: 4, memory: 8Gi, pods: 10}}
---
apiVersion: v1
kind: Pod
metadata: {name: runs}
spec: {containers: [{name: c, resources: {requests: {cpu: 3}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: waits}
spec: {containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}], resources: {requests: {cpu: 2}}}]}
"""


@pytest.fixture
def schedule(skyedge, tmp_path):
    """Run the command in a folder with the file small.yaml; its output, errors and exit code."""
    (tmp_path / "small.yaml").write_text(SMALL)
    return partial(skyedge, "schedule")


def test_json_and_yaml_say_the_same(schedule):
    out, _, code = schedule("small.yaml", "-o", "json")
    decision = json.loads(out)
    assert not code
    assert decision == yaml.safe_load(schedule("small.yaml", "-o", "yaml")[0])
    assert decision["binds"] == [{"pod": "default/runs", "node": "n"}]
    assert decision["waiting"] == [{"pod": "default/waits"}]
    phases = {group["group"]: group["phase"] for group in decision["groups"]}
    assert phases["default/runs"] == "Running"
    assert decision["summary"]["bound"] == 1


def test_the_table_says_where_each_pod_goes_and_how_many_wait(schedule):
    out, err, code = schedule("small.yaml")
    assert not code
    assert "default/runs  n" in out
    assert "2 pods on 1 nodes: 1 bound, 0 pipelined, 0 evicted, 1 waiting" in out
    assert err.count("spec.containers[].ports[].hostPort") == 1


def test_explain_says_why(schedule):
    out, _, _ = schedule("small.yaml", "--explain", "-o", "json")
    decision = json.loads(out)
    assert decision["binds"][0]["why"].startswith("goes to n")
    assert "cpu" in decision["waiting"][0]["why"] or "let in" in decision["waiting"][0]["why"]


def test_what_can_never_run_is_said_without_being_asked(schedule):
    out, _, code = schedule(*EXAMPLES)
    assert not code
    assert "default/too-big can never run as it stands" in out


def test_a_long_table_says_that_it_is_cut(schedule, tmp_path):
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{n:03}"}, "spec": {"containers": [{"name": "c"}]}}
        for n in range(50)
    ]
    (tmp_path / "many.json").write_text(json.dumps(pods))
    out, _, _ = schedule("many.json")
    assert "50 waiting" in out
    assert "… and 10 more; -o json prints all" in out
    assert len(json.loads(schedule("many.json", "-o", "json")[0])["waiting"]) == 50


def test_manifests_come_from_standard_input(schedule):
    out, _, _ = schedule("-", "-o", "json", stdin=SMALL)
    assert out == schedule("small.yaml", "-o", "json")[0].replace("small.yaml", "standard input")


def test_a_configuration_of_its_own_goes_before_that_of_the_files(schedule, tmp_path):
    (tmp_path / "none.yaml").write_text("actions: backfill\ntiers: [{plugins: [{name: gang}]}]")
    out, _, _ = schedule(*EXAMPLES, "--config", "none.yaml", "-o", "json")
    assert json.loads(out)["binds"] == []
    assert json.loads(schedule(*EXAMPLES, "-o", "json")[0])["binds"]


def test_the_examples_pass_the_strict_reading(schedule):
    assert not schedule(*EXAMPLES, "--strict")[2]


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (SMALL.replace("8Gi", "2.5Gb"), (), "bad.yaml:4 (document 1): status.allocatable.memory: '2.5Gb' is not a quantity"),
        (SMALL.replace("8Gi", "2.5Gb"), (), "did you mean '2.5Gi'?"),
        (SMALL.replace("kind: Pod", "kind: Pud"), (), "bad.yaml:7 (document 2): kind: there is no kind 'Pud'"),
        (SMALL.replace("ports", "prots"), (), "did you mean 'ports'?"),
        (SMALL, ("--strict",), "spec.containers[0].ports[0].hostPort: the API knows this field"),
        (SMALL, ("--config", "small.yaml"), "small.yaml: there is no scheduler configuration in this"),
        (SMALL, ("--config", "none.yaml"), "there is no file 'none.yaml'"),
        (SMALL, ("--at", "noon"), "--at: 'noon' is not"),
        (SMALL, ("small.yaml",), "there is a Node 'n' already, at bad.yaml:1 (document 1)"),
        (SMALL, ("-", "-"), "standard input can be read only once"),
        (SMALL, ("--trace", "."), "give either files of manifests or --trace, not both"),
        (SMALL, ("--demand", "0"), "--demand: this is an option of --trace, and no trace was given"),
        (SMALL, ("--policy", "fgd"), "--policy: this is an option of --trace, and no trace was given"),
        ("", (), "bad.yaml: there is no manifest for the scheduler in this"),
        ("{", (), "bad.yaml"),
        (SMALL + "---\nactions: alocate", (), "did you mean 'allocate'?"),
    ],
)
def test_a_mistake_is_one_sentence(schedule, tmp_path, content, arguments, words):
    (tmp_path / "bad.yaml").write_text(content)
    before = sorted(tmp_path.iterdir())
    out, err, code = schedule("bad.yaml", *arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert words in err
    assert sorted(tmp_path.iterdir()) == before


def test_files_are_needed(schedule):
    out, err, code = schedule()
    assert (out, code) == ("", 2)
    assert "files of manifests are needed, or --trace DIR" in err


def test_a_misspelt_example_is_answered_with_the_right_one(schedule):
    assert "did you mean 'manifests/cluster.yaml'?" in schedule("manifests/clustr.yaml")[1]


def test_the_examples_are_where_the_commands_look():
    assert all((folder("experiments") / example).is_file() for example in EXAMPLES)


def test_several_schedulers_count_their_conflicts(schedule):
    out, _, code = schedule(*EXAMPLES, "--schedulers", 3, "-o", "json")
    shared = json.loads(out)["shared"]
    assert code == 0
    assert shared["schedulers"] == 3
    assert len(shared["commits"]) == len(shared["conflicts"]) == 3


def test_an_unknown_sharding_is_named_with_the_nearest_right_word(schedule):
    for more in (("--schedulers", 2), ()):
        _, err, code = schedule("small.yaml", *more, "--sharding", "sofd")
        assert code == 2
        assert "did you mean 'soft'?" in err


def test_a_plugin_of_the_user_that_fails_is_named_and_nothing_is_printed(schedule, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "brought.py").write_text(
        "from skyedge.layers.scheduler.plugin import Plugin\n"
        "class Broken(Plugin):\n"
        "    def node_order(self, pod, nodes):\n"
        "        return 1 / 0\n"
    )
    (tmp_path / "policy.yaml").write_text('actions: allocate\ntiers: [{plugins: [{name: "brought:Broken"}]}]\n')
    out, err, code = schedule("small.yaml", "--config", "policy.yaml")
    assert code == 2
    assert out == ""
    assert err.strip() == "error: brought:Broken: this plugin failed in node_order (ZeroDivisionError: division by zero)"
