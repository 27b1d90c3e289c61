"""An experiment is its files' content: the same content anywhere is the same run, other content is another."""

import shutil

import pytest

from skyedge.experiment.loading import load_experiment
from skyedge.experiment.run import run_digest
from skyedge.resources import folder

EXPERIMENT = """
extends: slice
metadata: {name: mine}
space: {constellation: mine.yaml}
models: {on_board: my-card.yaml}
"""


@pytest.fixture
def mine(tmp_path):
    place = tmp_path / "mine"
    (place / "weights").mkdir(parents=True)
    (place / "mine.yaml").write_text((folder("orbit") / "constellations/tiansuan.yaml").read_text())
    (place / "experiment.yaml").write_text(EXPERIMENT.replace("extends: slice", "extends: slice.yaml"))
    (place / "my-card.yaml").write_text((folder("models") / "flight-small.yaml").read_text())
    for weights in (folder("models") / "weights").glob("flight-small-?.safetensors"):
        shutil.copy(weights, place / "weights")
    return place


def digest_in(place):
    return run_digest(load_experiment(place / "experiment.yaml"), "in-orbit", 0)


def test_files_are_found_beside_the_experiment_that_names_them(mine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    loaded = load_experiment(mine / "experiment.yaml")
    assert loaded.models.on_board == str(mine / "my-card.yaml")
    assert loaded.space.constellation == str(mine / "mine.yaml")
    assert loaded.models.ground == "ground-large"


def test_the_same_files_in_another_place_are_the_same_run(mine):
    before = digest_in(mine)
    assert digest_in(mine.rename(mine.parent / "elsewhere")) == before


@pytest.mark.parametrize("name", ["weights/flight-small-0.safetensors", "mine.yaml", "my-card.yaml"])
def test_other_content_under_the_same_name_is_another_run(mine, name):
    before = digest_in(mine)
    (mine / name).write_bytes((mine / name).read_bytes() + b"\n")
    assert digest_in(mine) != before
