"""A user's own classes: found where the command is given, and another run when their code is another."""

import sys

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.run import run_digest
from skyedge.inference.miners import build_miner, try_out
from skyedge.plugins import load_class, source_digest

MINER = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from skyedge.inference.miners import Verdict

@dataclass(frozen=True)
class Mine:
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def mine(self, observation, generator):
        everything = np.ones(len(observation), bool)
        return {answer}
"""
GOOD = "Verdict(everything, everything, np.ones(len(observation)))"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes ``own_policy/miner.py`` and hands out fresh imports of it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_policy").mkdir()
    (tmp_path / "own_policy" / "__init__.py").write_text("")
    (tmp_path / "own_policy" / "knobs.py").write_text("LEVEL = 1\n")

    def write(answer=GOOD, neighbour=None):
        for name in [name for name in sys.modules if name.partition(".")[0] == "own_policy"]:
            del sys.modules[name]
        (tmp_path / "own_policy" / "miner.py").write_text(MINER.format(answer=answer))
        if neighbour is not None:
            (tmp_path / "own_policy" / "knobs.py").write_text(neighbour)
        return "own_policy.miner:Mine"

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_policy"]:
        del sys.modules[name]


def test_other_code_under_the_same_name_is_another_digest_and_another_run(package):
    def digests(name):
        experiment = load_experiment("slice", [f"pipeline.miner={{name: '{name}'}}"])
        return source_digest(name), run_digest(experiment, "collaborative", 0)

    first = digests(package())
    assert digests(package()) == first
    edited = digests(package(GOOD.replace("np.ones(", "2 * np.ones(")))
    leaning = digests(package(neighbour="LEVEL = 2\n"))
    assert len({first[0], edited[0], leaning[0]}) == 3
    assert len({first[1], edited[1], leaning[1]}) == 3


def test_a_class_that_is_not_there_is_said_with_the_nearest(package):
    package()
    with pytest.raises(InputError, match="did you mean 'Mine'"):
        load_class("own_policy.miner:Mime")
    with pytest.raises(InputError, match="cannot import"):
        load_class("own_policy.moner:Mine")


def test_a_sound_miner_of_the_user_passes_its_trial(package):
    try_out(build_miner(package(), {}))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("everything", "has no attribute 'send'"),
        ("Verdict([True], everything, np.ones(len(observation)))", "'send' of its verdict should be an array"),
        ("Verdict(everything, everything, np.ones(3))", "'value' of its verdict should be an array"),
        ("Verdict(np.ones(len(observation)), everything, np.ones(len(observation)))", "should be true or false"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_miner_that_would_fail_in_flight_is_told_before_it(package, answer, words):
    with pytest.raises(InputError, match=words):
        try_out(build_miner(package(answer), {}))


def test_a_miner_of_another_name_does_not_inherit_the_parameters_of_the_first(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: slice.yaml\nmetadata: {name: mine}\npipeline: {miner: {name: Margin}}\n")
    assert load_experiment(path).pipeline.miner.parameters == {}
    path.write_text("extends: slice.yaml\nmetadata: {name: mine}\npipeline: {miner: {name: Budgeted}}\n")
    assert load_experiment(path).pipeline.miner.parameters == {"share_of_captures": 0.09}
    assert np.isclose(load_experiment("slice").pipeline.miner.parameters["share_of_captures"], 0.09)
