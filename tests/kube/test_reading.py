"""Manifests as people have them become objects; mistakes become one sentence with the place and the right word."""

import io
import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.kube import SCHEDULING, Manifests, parse_manifests, read_manifests, scheduler_configurations
from skyedge.kube.cluster import ConfigMap, Node, PriorityClass
from skyedge.kube.pods import Pod, requested
from skyedge.kube.shape import fields
from skyedge.kube.volcano import HyperNode, Job, PodGroup, Queue, SchedulerConfiguration

POD = """apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: main
    image: busybox
    resources:
      requests: {cpu: 500m, memory: 1Gi}
"""

QUEUE = "apiVersion: scheduling.volcano.sh/v1beta1\nkind: Queue\nmetadata: {name: q}\n"
JOB = """apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: j}
spec:
  tasks:
  - name: t
    replicas: 2
    template: {spec: {containers: [{name: c}]}}
"""


def pod(**spec):
    containers = spec.pop("containers", [{"name": "c"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": containers, **spec}}


def mistake(text, **options):
    with pytest.raises(InputError) as error:
        parse_manifests(text, file="f.yaml", **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# What is read.


def test_yaml_and_json_say_the_same():
    content = yaml.safe_load(POD)
    there = [parse_manifests(text).of(Pod)[0].object for text in (POD, json.dumps(content), json.dumps(content, indent=4))]
    assert there[0] == there[1] == there[2]
    assert there[0].spec.containers[0].image == "busybox"
    assert dict(there[0].spec.containers[0].resources.requests) == {"cpu": 500, "memory": 1 << 30}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda items: {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items},
        lambda items: {"apiVersion": "v1", "kind": "PodList", "items": items},
        lambda items: {
            "apiVersion": "v1",
            "kind": "PodList",
            "items": [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items],
        },
        lambda items: items,
    ],
)
def test_lists_of_every_sort_are_read(wrap):
    items = [pod(priority=1), pod(priority=2)]
    assert [m.object.spec.priority for m in parse_manifests(json.dumps(wrap(items))).of(Pod)] == [1, 2]
    assert [m.object.spec.priority for m in parse_manifests(yaml.safe_dump(wrap(items))).of(Pod)] == [1, 2]


def test_json_values_one_after_another_are_documents():
    text = json.dumps(pod(), indent=1) + "\n" + json.dumps(pod(priority=3))
    manifests = parse_manifests(text)
    assert [m.document.number for m in manifests.of(Pod)] == [1, 2]
    line = text[: text.index('"priority"')].count("\n") + 1
    assert manifests.of(Pod)[1].place("spec", "priority").startswith(f"manifest:{line} (document 2)")


def test_what_kubectl_prints_is_read_as_it_is():
    printed = pod(
        containers=[
            {
                "name": "c",
                "image": "x",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "volumeMounts": [{"mountPath": "/var/run", "name": "kube-api-access-abcde", "readOnly": True}],
            }
        ],
        nodeName="n",
        securityContext={},
        tolerations=[{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
    )
    printed["metadata"] |= {
        "creationTimestamp": "2024-05-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:metadata": {}}}],
        "resourceVersion": "12",
        "uid": "0a",
    }
    printed["status"] = {"phase": "Running", "hostIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    manifests = parse_manifests(json.dumps(printed))
    assert manifests.of(Pod)[0].object.status.phase == "Running"
    (warning,) = manifests.warnings()
    for path in ("spec.containers[].volumeMounts", "status.hostIP"):
        assert path in warning
    assert "status.conditions" not in warning, "a pod that is not ready is asked by nobody"
    assert "managedFields" not in warning, "the API's own bookkeeping decides nothing"
    assert "securityContext" not in warning, "an empty field says nothing"


def test_a_field_that_is_not_modelled_is_named_once():
    items = [pod(containers=[{"name": "c", "env": [{"name": "N", "value": str(n)}]}]) for n in range(3)]
    (warning,) = parse_manifests(json.dumps(items)).warnings()
    assert warning.count("spec.containers[].env") == 1


def test_strict_makes_it_an_error():
    text = json.dumps(pod(containers=[{"name": "c", "env": [{"name": "N"}]}]))
    assert "spec.containers[0].env: the API knows this field" in mistake(text, strict=True)


def test_a_null_is_a_field_that_is_not_there():
    text = json.dumps(pod(nodeSelector=None, volumes=None, priority=None))
    manifests = parse_manifests(text)
    assert manifests.of(Pod)[0].object.spec == parse_manifests(json.dumps(pod())).of(Pod)[0].object.spec
    assert manifests.warnings() == []


def test_other_kinds_of_kubernetes_are_passed_over_with_a_word():
    manifests = parse_manifests("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}")
    assert manifests.by_type == {}
    assert manifests.warnings() == ["manifest: Service: this kind has no part in this"]
    assert "Service has no part" in mistake("apiVersion: v1\nkind: Service\n", strict=True)


def test_a_reader_reads_the_kinds_that_it_is_given():
    only_nodes = [kind for kind in SCHEDULING if kind.type is Node]
    manifests = parse_manifests(QUEUE, kinds=only_nodes)
    assert manifests.by_type == {}
    assert manifests.warnings() == ["manifest: Queue: this kind has no part in this"]
    with pytest.raises(InputError, match="there is no kind 'Quue'"):
        parse_manifests(QUEUE.replace("Queue", "Quue"), kinds=only_nodes)


def test_every_kind_is_read():
    texts = [
        POD,
        QUEUE,
        JOB,
        "apiVersion: v1\nkind: Node\nmetadata: {name: n}\nstatus: {allocatable: {cpu: 1}}",
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: p}\nvalue: 5",
        "apiVersion: scheduling.volcano.sh/v1beta1\nkind: PodGroup\nmetadata: {name: g}\nspec: {minMember: 2}",
        "apiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata: {name: h}\nspec:\n  tier: 1\n"
        "  members: [{type: Node, selector: {exactMatch: {name: n}}}]",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {volcano-scheduler.conf: 'actions: allocate'}",
        "actions: enqueue, allocate\ntiers: [{plugins: [{name: gang}]}]",
    ]
    manifests = parse_manifests("\n---\n".join(texts))
    kinds = (Pod, Queue, Job, Node, PriorityClass, PodGroup, HyperNode, ConfigMap, SchedulerConfiguration)
    assert {kind: len(manifests.of(kind)) for kind in kinds} == dict.fromkeys(kinds, 1)
    actions = [configuration["actions"] for configuration, _ in scheduler_configurations(manifests)]
    assert actions == ["enqueue, allocate", "allocate"]


def test_files_and_standard_input_are_read_alike(tmp_path, monkeypatch):
    (tmp_path / "q.yaml").write_text(QUEUE)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POD.encode())))
    manifests = read_manifests([tmp_path / "q.yaml", "-"])
    assert manifests.of(Pod)[0].place().startswith("standard input:1")
    assert manifests.of(Queue)[0].place().startswith(str(tmp_path / "q.yaml"))


def test_standard_input_that_is_closed_is_said_to_be(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input: it is closed"):
        read_manifests(["-"], kinds=SCHEDULING)


def test_parts_that_are_alike_are_one_object():
    first, second = (m.object for m in parse_manifests(json.dumps([pod(priority=1), pod(priority=1)])).of(Pod))
    assert first.spec is second.spec


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4), st.integers(0, 9))
def test_a_pod_asks_for_the_most_that_it_needs_at_a_time(containers, start):
    spec = pod(
        containers=[
            {"name": f"c{n}", "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": 9, "memory": memory}}}
            for n, (cpu, memory) in enumerate(containers)
        ],
        initContainers=[{"name": "i", "resources": {"requests": {"cpu": start}}}],
        overhead={"cpu": "250m"},
    )
    request = requested(parse_manifests(json.dumps(spec)).of(Pod)[0].object.spec)
    assert request["cpu"] == 1000 * max(sum(cpu for cpu, _ in containers), start) + 250
    assert request.get("memory", 0) == sum(memory for _, memory in containers), "a limit stands for a request"


def test_a_sidecar_runs_beside_the_later_steps_and_the_containers():
    def container(name, cpu, **more):
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = pod(
        containers=[container("main", 2)],
        initContainers=[container("first", 4), container("side", 3, restartPolicy="Always"), container("last", 5)],
    )
    # first alone 4; side and last 8; side and main 5.
    assert requested(parse_manifests(json.dumps(spec)).of(Pod)[0].object.spec) == {"cpu": 8000}


# What is refused.


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (POD.replace("1Gi", "2.5Gb"), "f.yaml:9 (document 1): spec.containers[0].resources.requests.memory: '2.5Gb'"),
        (POD.replace("1Gi", "2.5Gb"), "(did you mean '2.5Gi'?)"),
        (POD.replace("500m", "-1"), "requests.cpu: -1 is negative"),
        (POD.replace("image:", "imgae:"), "f.yaml:7 (document 1): spec.containers[0].imgae"),
        (POD.replace("image:", "imgae:"), "(did you mean 'image'?)"),
        (POD.replace("    image: busybox", "    livenessprobe: {}"), "(did you mean 'livenessProbe'?)"),
        (POD.replace("kind: Pod", "kind: Pdo"), "there is no kind 'Pdo' (did you mean 'Pod'?)"),
        (QUEUE.replace("v1beta1", "v1"), "apiVersion: there is no Queue in 'scheduling.volcano.sh/v1'"),
        (QUEUE.replace("Queue", "Queu"), "(did you mean 'Queue'?)"),
        (QUEUE + "spec: {weight: -2}", "f.yaml:4 (document 1): spec.weight: -2 is negative"),
        (QUEUE + "spec: {weight: 0}", "spec.weight: 0 would leave the queue without a share"),
        (QUEUE + "spec: {weight: heavy}", 'spec.weight: this should be a whole number, not "heavy"'),
        (QUEUE + "spec: {weight: true}", "spec.weight: this should be a whole number, not true"),
        (QUEUE + "status: {state: Opened}", "(did you mean 'Open'?)"),
        (QUEUE + "spec: 7", "spec: this should be a mapping, not 7"),
        (QUEUE + "sepc: {}", "sepc: the kind Queue has no field 'sepc' here (did you mean 'spec'?)"),
        (QUEUE.replace("{name: q}", "{}"), "metadata: 'name' is missing"),
        (QUEUE.replace("metadata: {name: q}", ""), "'metadata' is missing"),
        (POD + "---\n" + QUEUE + "spec: {weight: x}", "f.yaml:14 (document 2): spec.weight"),
        (JOB.replace("replicas: 2", "replicas: -2"), "f.yaml:7 (document 1): spec.tasks[0].replicas: -2 is negative"),
        (JOB.replace("replicas: 2", "minAvailable: 3"), "spec.tasks[0].minAvailable: 3 is more than the 1 replicas"),
        (JOB + "  minAvailable: 3", "spec.minAvailable: 3 is more than the 2 replicas of all tasks"),
        (JOB + "  policies: [{event: PodEvictd, action: RestartJob}]", "(did you mean 'PodEvicted'?)"),
        (JOB.replace("containers: [{name: c}]", "containers: []"), "template.spec.containers: this should not be empty"),
        (POD + f"  priority: {10**30}", "spec.priority: "),
        (JOB.replace("replicas: 2", "replicas: 2000000000"), "spec.tasks[0].replicas: 2000000000 is more than 10000000"),
        (POD.replace("1Gi", f"'{'9' * 5000}'"), "requests.memory: '9999"),
        pytest.param("[" * 100_000, "f.yaml: this is nested too deeply", id="deep JSON"),
        pytest.param("{a: " * 5_000, "f.yaml", id="deep YAML"),
        (POD + "  nodeSelector: {ssd: true}", "spec.nodeSelector.ssd: this should be a word, not true; put it in quotes"),
        (POD + "  tolerations: [{key: a, operator: Exist}]", "(did you mean 'Exists'?)"),
        (POD + "  tolerations: [{value: a}]", "without a key this must be Exists"),
        (POD + "  containers: [{name: b}]", "the key 'containers' stands in line 5 already"),
        ("", "f.yaml"),
        ("a: b", "a manifest needs apiVersion and kind"),
        ("kind: Pod", "a manifest needs 'apiVersion'"),
        ("7", "this should be a mapping, not 7"),
        ("a: [", "f.yaml:2: did not find expected node content"),
        ("a: &x [*x]", "this anchor holds itself"),
        ("a: .nan", "nan is not a finite number"),
        ("? [a]\n: b", "a key should be a word"),
        ("apiVersion: v1\nkind: List\n", "a list needs 'items'"),
        ("apiVersion: v1\nkind: List\nitems: {}", "items: this should be a list, not a mapping"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(text, sentence):
    if text:
        assert sentence in mistake(text)
    else:
        assert parse_manifests(text).by_type == {}


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ({"key": "a", "operator": "in", "values": ["b"]}, "(did you mean 'In'?)"),
        ({"key": "a", "operator": "In"}, "values: In needs at least one value"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values: Exists takes no values"),
        ({"key": "a", "operator": "Gt", "values": ["many"]}, "Gt needs one whole number"),
        ({"operator": "Exists"}, "'key' is missing"),
    ],
)
def test_a_wrong_expression_of_a_node_affinity_is_told(requirement, words):
    required = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    sentence = mistake(json.dumps(pod(affinity=affinity)))
    assert "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]" in sentence
    assert words in sentence


def test_lines_are_told_in_json_with_tabs_and_escapes():
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(), pod(nodSelector={})]}, indent="\t")
    line = 1 + text[: text.index('"nodSelector"')].count("\n")
    assert f"f.yaml:{line} (document 1): items[1].spec.nodSelector" in mistake(text.replace("main", '\\"}{'))


def test_broken_json_is_told_with_its_line():
    with pytest.raises(InputError, match=r"f\.json:3: this is not JSON: .*, at column 1"):
        parse_manifests('{\n"a": 1,\n}', file="f.json")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("spec:\n\tweight: 1", 2),
        ("spec: 1\n\tweight: 1", 2),
        ("spec:\n  a: 1\n \tweight: 1", 3),
        ("spec:\n- a\n-\tb: 1", 3),
        ("spec: |\n\tword", 2),
    ],
)
def test_a_tab_before_a_line_of_yaml_is_told(text, line):
    assert mistake(text) == f"f.yaml:{line}: YAML is indented with blanks, and here is a tab"


@pytest.mark.parametrize("text", ["spec: {a: 1", "spec: @", "a: 'b\n\tc"])
def test_other_mistakes_of_yaml_are_told_as_they_are(text):
    assert "indented" not in mistake(text)


@pytest.mark.parametrize("file", ["f.json", "f.yaml", "standard input"])
@given(cut=st.integers(min_value=1, max_value=10**6))
def test_json_that_breaks_off_is_told_with_its_last_line(file, cut):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(), pod()]}, indent=1)
    text = f"{json.dumps(pod())}\n{text}"[: -1 - cut % (len(text) - 1)]
    last_line = text.rstrip().count("\n") + 1
    with pytest.raises(InputError, match=rf"{file}:{last_line}: this is not JSON: it breaks off here"):
        parse_manifests(text, file=file)


def test_yaml_in_brackets_is_not_taken_for_json():
    assert "f.yaml:1 (document 1): the key 'a' stands in line 1 already" in mistake("{a: 1, a: 2}")
    assert "f.yaml:2" in mistake('{"a": 1,\n b: *nowhere}')


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"\x00\x01", b"PK\x03\x04"])
def test_a_file_that_is_no_text_is_refused(content):
    with pytest.raises(InputError):
        parse_manifests(content)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(InputError):
            read_manifests([path])


def test_anchors_that_unfold_to_far_too_much_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "unfold to far too much" in mistake("\n".join(lines))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_whatever_stands_in_a_manifest_is_read_or_answered(value):
    """No content of a field ends in anything but an object or a sentence."""
    for kind in (Pod, Queue, Job, HyperNode):
        described = next(k for k in SCHEDULING if k.type is kind)
        for name in fields(kind):
            whole = {"apiVersion": described.api_versions[0], "kind": described.name, "metadata": {"name": "x"}, name: value}
            assert isinstance(outcome(json.dumps(whole)), Manifests | InputError)


def outcome(text):
    try:
        return parse_manifests(text)
    except InputError as error:
        return error
