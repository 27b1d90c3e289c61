"""`skyedge federate --fail`, `--drain`, `--leave`: what happens to clusters a, b and c, and what is left in the end."""

import json
from functools import partial

import pytest

from tests.cli.three_clusters import CLUSTERS, EVERYTHING, WEB

SMALL = CLUSTERS + WEB + EVERYTHING


@pytest.fixture
def federate(skyedge, tmp_path):
    """Run the command in a folder with the file small.yaml; its output, errors and exit code."""
    (tmp_path / "small.yaml").write_text(SMALL)
    return partial(skyedge, "federate")


def events(decision, *names):
    return [
        (row["event"], row["cluster"], row["workload"], row["replicas"])
        for row in decision["timeline"]
        if row["event"] in names
    ]


def test_a_cluster_that_dies_is_detected_and_what_ran_there_moves_and_serves_again(federate):
    decision = json.loads(federate("small.yaml", "--fail", "c@60", "-o", "json")[0])
    told = events(decision, "down", "detected", "tainted", "evicted", "replaced", "healthy")
    assert told == [
        ("down", "c", "", 0),
        ("detected", "c", "", 0),
        ("tainted", "c", "", 0),
        ("evicted", "c", "n/web", 2),
        ("replaced", "a", "n/web", 2),
        ("healthy", "a", "n/web", 2),
    ]
    times_s = [row["at_s"] for row in decision["timeline"]]
    assert times_s == sorted(times_s)
    assert times_s[0] == 60
    assert "timeline" not in json.loads(federate("small.yaml", "-o", "json")[0])


def test_the_room_that_was_just_taken_is_no_refuge(federate):
    decision = json.loads(federate("small.yaml", "--fail", "a", "-o", "json")[0])
    assert decision["placed"][0]["clusters"] == {"a": 4, "c": 2}
    assert sum(count for *_, count in events(decision, "replaced")) == 2, "four leave, and c has room for two more"
    assert events(decision, "nowhere") == [("nowhere", "a", "n/web", 2)]


def test_karmadas_defaults_see_the_cluster_die_and_move_nothing(federate):
    decision = json.loads(federate("small.yaml", "--fail", "c", "--failover", "karmada-defaults", "-o", "json")[0])
    assert [event for event, *_ in events(decision, "detected", "evicted", "replaced")] == ["detected"]
    detected_s = next(row["at_s"] for row in decision["timeline"] if row["event"] == "detected")
    assert 30 <= detected_s <= 40


def test_two_kinds_may_share_a_name(federate, tmp_path):
    job = """---
apiVersion: batch/v1
kind: Job
metadata: {name: web, namespace: n}
spec: {parallelism: 1, template: {spec: {restartPolicy: Never, containers: [{name: web, image: web:1}]}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: jobs, namespace: n}
spec:
  resourceSelectors: [{apiVersion: batch/v1, kind: Job}]
  placement: {clusterAffinity: {clusterNames: [c]}, replicaScheduling: {replicaDivisionPreference: Aggregated}}
"""
    (tmp_path / "both.yaml").write_text(SMALL + job)
    for move in ("--fail", "--drain"):
        decision = json.loads(federate("both.yaml", move, "c", "-o", "json")[0])
        assert {row["workload"] for row in decision["timeline"]} == {"", "n/web (Deployment)", "n/web (Job)"}


def test_times_may_be_durations_or_in_utc(federate):
    now = ("--at", "2026-01-01T00:00:00Z")
    one, two = (
        json.loads(federate("small.yaml", "--fail", f"c@{when}", *now, "-o", "json")[0])["timeline"]
        for when in ("2min", "2026-01-01T00:02:00Z")
    )
    assert one == two
    assert one[0]["at"] == "2026-01-01T00:02:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fail", "d"], "--fail: there is no cluster 'd'; there are a, b, c"),
        (["--fail", "@60"], "--fail: the name of a cluster is missing in '@60'"),
        (["--drain", "@60"], "--drain: the name of a cluster is missing in '@60'"),
        (["--leave", "nowhere"], "--leave: there is no cluster 'nowhere'; there are a, b, c"),
        (["--fail", "c@"], "--fail: a time is missing after the @ of 'c@'"),
        (["--fail", "c", "--fail", "c@5"], "'c' fails once"),
        (["--fail", "c@soon"], "'soon' is not a duration"),
        (["--fail", "c@2026-01-01"], "a time in UTC needs --at"),
        (["--fail", "c@2025-01-01", "--at", "2026-01-01"], "is before now"),
        (["--fail", "c", "--failover", "karmada-default"], "(did you mean 'karmada-defaults'?)"),
        (
            ["--fail", "c", "--failover", "x"],
            "--failover: there is no failover 'x'; there are no-failover, karmada-defaults,",
        ),
        (["--failover", "skyedge"], "--failover: this is an option of --fail"),
        (["--fail", "c", "--failover", ""], "--failover: there is no failover ''; there are"),
        (["--at", "9999-12-31T23:59:59Z", "--fail", "c@10m"], "--at: what happens then lies after the year 9999"),
        (["--at", "9999-12-31T23:59:59Z", "--drain", "c@10m"], "--at: what happens then lies after the year 9999"),
        (["--at", "noon"], "--at: 'noon' is not an ISO 8601 time"),
    ],
)
def test_a_failure_that_cannot_be_meant_is_one_sentence(federate, arguments, words):
    out, err, code = federate("small.yaml", *arguments)
    assert code == 2
    assert not out
    assert len(err.strip().splitlines()) == 1
    assert words in err


def test_of_many_clusters_some_are_named_to_who_named_none(federate, tmp_path):
    some = "".join(
        f"apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata: {{name: x{n}}}\n---\n" for n in range(9)
    )
    (tmp_path / "many.yaml").write_text(some)
    assert "there are x0, x1, x2, x3, x4, x5, x6, x7, …" in federate("many.yaml", "--fail", "nowhere")[1]
    assert "(did you mean" in federate("many.yaml", "--fail", "xx3")[1]


AGENT = """---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: n}
spec: {template: {spec: {containers: [{name: agent, image: agent:1}]}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: agents, namespace: n}
spec: {resourceSelectors: [{apiVersion: apps/v1, kind: DaemonSet}], placement: {}}
"""


def test_what_runs_on_every_cluster_is_named_when_one_goes(federate, tmp_path):
    (tmp_path / "agents.yaml").write_text(SMALL + AGENT)
    for move, event in (("--fail", "down"), ("--drain", "emptied"), ("--leave", "left")):
        decision = json.loads(federate("agents.yaml", move, "c", "-o", "json")[0])
        (words,) = (row["words"] for row in decision["timeline"] if row["event"] == event)
        assert "its own copies of n/agent" in words


@pytest.mark.parametrize(
    ("failover", "cluster", "lost"),
    [("skyedge", "a", 2), ("skyedge", "c", 0), ("karmada-defaults", "c", 2), ("no-failover", "c", 2)],
)
def test_the_end_of_a_failure_is_summed_up_and_with_strict_decides(federate, failover, cluster, lost):
    asked = ("small.yaml", "--fail", f"{cluster}@60", "--failover", failover, "--strict")
    after = json.loads(federate(*asked, "-o", "json")[0])["afterwards"]
    assert (after["replicas"], after["serving"], after["lost"]) == (6, 6 - lost, lost)
    assert after["at_s"] == 660
    (web,) = after["workloads"]
    assert (web["workload"], web["lost_with"]) == ("n/web", [cluster] * (lost > 0))
    assert after["not_served_replica_s"] == web["not_served_replica_s"] >= lost * 600
    out, _, code = federate(*asked)
    assert code == (lost > 0)
    assert (
        f"at the end (660.0 s) {6 - lost} of 6 replicas serve; {after['not_served_replica_s']:,.1f} replica-seconds" in out
    )
    assert (f"2 of 6 replicas of n/web serve no longer: dead with {cluster}, and not moved" in out) == (lost > 0)
