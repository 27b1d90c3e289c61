"""What member clusters are told: workloads with their replicas and overrides, and what they need follows them."""

import pytest

from skyedge.errors import InputError
from skyedge.layers.federation.works import works_of
from tests.layers.federation.written_federations import WELL, deployment, override, policy, read


def test_what_a_workload_needs_follows_it_and_only_if_the_policy_says_so():
    needy = deployment(
        "d", volumes=[{"name": "v", "configMap": {"name": "files"}}, {"name": "w", "secret": {"secretName": "gone"}}]
    )
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "n"}, "data": {"a": "b"}}
    reading = read(*WELL[:2], needy, files, policy("p", propagateDeps=True))
    assert [follower.read.resource.name for follower in reading.followers] == ["files"]
    assert "needs the Secret 'gone', which is not in the files" in reading.warnings[0]
    assert [(work.cluster, work.resource.kind) for work in works_of(reading, [{"b": 2}])] == [
        ("b", "Deployment"),
        ("b", "ConfigMap"),
    ]
    alone = read(*WELL[:2], needy, files, policy("p"))
    assert not alone.followers
    assert not alone.warnings
    assert [read.resource.name for read in alone.unselected] == ["files"]


@pytest.mark.parametrize("twice", [False, True])
def test_what_pods_start_without_follows_if_it_is_there_and_is_not_missed(twice):
    optional = [{"configMapRef": {"name": name, "optional": True}} for name in ("files", "gone")]
    container = {"name": "c", "envFrom": optional + [{"configMapRef": {"name": "gone"}}] * twice}
    volumes = [{"name": "v", "secret": {"secretName": "hidden", "optional": True}}]
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "n"}}
    easy = deployment("d", containers=[container], volumes=volumes)
    reading = read(*WELL[:2], easy, files, policy("p", propagateDeps=True))
    assert [follower.read.resource.name for follower in reading.followers] == ["files"]
    assert ["'gone', which is not in the files" in one for one in reading.warnings] == [True] * twice


def test_replicas_are_those_of_the_cluster_unless_each_has_them_all():
    divided = read(*WELL[:3], policy("p", placement={"replicaScheduling": {}}))
    assert [work.manifest["spec"]["replicas"] for work in works_of(divided, [{"a": 3, "b": 0}])] == [3, 0]
    assert [work.manifest["spec"]["replicas"] for work in works_of(read(*WELL), [{"a": 2, "b": 2}])] == [2, 2]


def test_an_override_that_cannot_be_made_names_policy_and_cluster():
    patch = {"path": "/spec/nothing", "operator": "remove"}
    reading = read(*WELL, override("o", overrideRules=[{"overriders": {"plaintext": [patch]}}]))
    with pytest.raises(InputError) as error:
        works_of(reading, [{"a": 2}])
    sentence = str(error.value)
    assert "spec.overrideRules[0].overriders.plaintext[0]" in sentence
    assert "Deployment 'd' on a" in sentence
