"""What an experiment may say of a federation, and the one sentence, before the flight, for what it may not."""

import pytest

from skyedge.errors import InputError
from skyedge.experiment.federation_layer import rules_from
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.preflight import check_experiment
from skyedge.experiment.run import run_digest
from skyedge.layers.federation.division import Strategy
from tests.experiment.flown_federation import AWAY, BENT, CLUSTERS


def test_a_policy_in_a_file_counts_by_what_it_holds(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("placement: {clusterAffinity: {clusterNames: [away]}}\n")
    by_name = load_experiment("slice", [*BENT, CLUSTERS, f"layers.federation.policy={file}"])
    in_place = load_experiment("slice", [*BENT, CLUSTERS, AWAY])
    assert run_digest(by_name, "bent", 0) == run_digest(in_place, "bent", 0)


def test_a_whole_propagation_policy_says_the_same_as_its_placement():
    division = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
    placement = {"replicaScheduling": division}
    whole = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "model", "namespace": "default"},
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}], "placement": placement},
    }
    assert rules_from(whole, "here") == rules_from({"placement": placement}, "here")
    assert rules_from(whole, "here").strategy is Strategy.AGGREGATED


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "faults=[{kind: cluster-outage, target: nort, after: 1h}]",
            "no 'nort' to suffer a cluster-outage (did you mean 'north'?)",
        ),
        (
            "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [nort]}}}",
            "no cluster 'nort' (did you mean",
        ),
        (
            "layers.federation.policy={placement: {clusterAffinity: {labelSelector: {matchLabels: {gpu: big}}}}}",
            "the big model finds no place: ",
        ),
        ("layers.federation.policy={plcement: {}}", "a policy has no 'plcement' (did you mean 'placement'?)"),
        ("layers.federation.policy={placement: {clusterAfinity: {}}}", "clusterAfinity"),
        ("layers.federation.policy={scores: {carbo: 1}}", "there is no score 'carbo' (did you mean 'carbon'?)"),
        ("layers.federation.failover=skyege", "there is no failover 'skyege' (did you mean 'skyedge'?)"),
        (
            "layers.federation.clusters=[{name: a, at: Bejing, room: 1}]",
            "there is no station 'Bejing' (did you mean 'Beijing'?)",
        ),
        ("layers.federation.clusters=[{name: a, at: Beijing}]", "say how much fits"),
        ("layers.federation.clusters=[{name: a, room: 1}]", "say where it is"),
        ("layers.federation.clusters=[{name: a, at: Beijing, room: 1, origin: egde}]", "did you mean 'edge'?"),
        (
            "layers.federation.clusters=[{name: a, at: Beijing, room: 1}, {name: a, at: Beijing, room: 1}]",
            "'a' is there twice",
        ),
        (
            "layers.federation.trainings=[{name: t, policy: {placement: {clusterAffinity: {clusterNames: [x]}}}}]",
            "there is no cluster 'x'",
        ),
        ("cloud.replicas=2", "leave this out"),
        ("terrestrial.hops=5", "follows from distances"),
        ("layers.elastic={}", "no cloud pool"),
        ("layers.mesh.timeout=1s", "no word comes back within 1s"),
        ("layers.mesh.balance=distribute", "go together"),
        ("layers.mesh={balance: distribute, distribute: {cn: {eu: 50, cn: 40}}}", "add to 90, not to 100"),
        ("layers.mesh={balance: distribute, distribute: {cn: {cn/nort: 100}}}", "did you mean 'cn/north'?"),
        (
            "layers.mesh.users={cities: sites/cities.csv, only: [Berjing]}",
            "there is no city 'Berjing' (did you mean 'Beijing'?)",
        ),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_before_the_flight(override, words):
    with pytest.raises(InputError) as caught:
        check_experiment(load_experiment("slice", [*BENT, CLUSTERS, override]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_little_room_is_said_before_the_flight():
    divided = "{replicaSchedulingType: Divided, replicaDivisionPreference: Aggregated}"
    policy = f"layers.federation.policy={{placement: {{replicaScheduling: {divided}}}}}"
    with pytest.raises(InputError, match="the big model finds no place"):
        check_experiment(load_experiment("slice", [*BENT, CLUSTERS, policy, "layers.federation.replicas=7"]))
    check_experiment(load_experiment("slice", [*BENT, CLUSTERS, policy, "layers.federation.replicas=6"]))


def test_a_mesh_without_clusters_is_none():
    with pytest.raises(InputError, match="a mesh needs clusters"):
        check_experiment(load_experiment("slice", [*BENT, "layers.mesh={}"]))
