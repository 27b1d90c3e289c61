"""`skyedge route --rollout`: the good example is promoted, the bad one goes back, and mistakes are one sentence."""

import json

import pytest

from skyedge.resources import folder

EXAMPLES = folder("experiments") / "manifests" / "canary"
GOOD = (EXAMPLES / "good.yaml").read_text()
STEPS = "    maxWeight: 50\n    stepWeight: 10\n"


@pytest.fixture
def rollout(skyedge, tmp_path):
    """Roll a version out; what is printed, errors and the exit code."""

    def run(text, *arguments, requests=27000, name="scenes"):
        (tmp_path / "canary.yaml").write_text(text)
        return skyedge("route", "canary.yaml", "--rollout", name, "--requests", requests, *arguments)

    return run


def test_the_good_example_is_promoted(rollout):
    out, err, code = rollout(GOOD, "-o", "json")
    result = json.loads(out)
    assert not code
    assert not err
    said = result["rollout"]
    assert (said["phase"], said["strategy"], said["over_s"], said["failed"]) == ("Succeeded", "canary", 240.0, 0)
    weights = [row["weight"] for row in result["intervals"]]
    assert weights == [0, 10, 20, 30, 40, 50, 50, 0]
    for row in result["intervals"]:
        assert row["new_version"] / row["requests"] == pytest.approx(row["weight"] / 100, abs=0.03)


def test_the_bad_example_is_rolled_back_and_the_table_says_why(rollout):
    out, _, code = rollout((EXAMPLES / "bad.yaml").read_text(), requests=15000)
    assert not code
    assert "rolled back: request-success-rate" in out
    assert "is below 99" in out
    assert "failed there" in out


@pytest.mark.parametrize(
    ("steps", "strategy"),
    [
        ("    iterations: 3\n    mirror: true\n", "blue-green"),
        ("    iterations: 3\n    match: [{headers: {x-tester: {exact: 'yes'}}}]\n", "a/b"),
    ],
)
def test_the_other_ways_promote_it_too(rollout, steps, strategy):
    said = json.loads(rollout(GOOD.replace(STEPS, steps), "-o", "json", requests=22000)[0])["rollout"]
    assert (said["strategy"], said["phase"]) == (strategy, "Succeeded")


def test_too_few_requests_say_how_many_intervals_are_missing(rollout):
    out, _, code = rollout(GOOD, requests=4000)
    assert not code
    assert "not over when the requests ended: Progressing after 1 intervals, and a good version needs 8, 240 s" in out


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("labels: {app: scenes}", "labels: {app: scene}", "so there is no new version (did you mean 'scene'?)"),
        ("app: scenes-primary", "app: scenes-prim", "so there is no old version (did you mean 'scenes-prim'?)"),
        ("name: request-duration", "name: request-durations", "did you mean 'request-duration'"),
        ("targetPort: 8080", "gateways: [door]", "there is no gateway 'door'"),
        ("stepWeight: 10", "stepWeight: 0", "one of stepWeight, stepWeights, iterations is needed"),
    ],
)
def test_a_mistake_is_one_sentence(rollout, old, new, words):
    assert old in GOOD
    out, err, code = rollout(GOOD.replace(old, new), requests=100)
    assert (out, code) == ("", 2)
    assert words in err
    assert err.startswith("error: canary.yaml:")
    assert err.strip().count("\n") == 0


def test_a_canary_that_is_not_there_is_said_with_the_nearest(rollout):
    assert "there is no Canary 'scene' (did you mean 'scenes'?)" in rollout(GOOD, name="scene", requests=10)[1]
    assert "--explain is about single requests" in rollout(GOOD, "--explain", requests=10)[1]
