"""Whatever is wrong with a file is answered with its place and the right word, never with a traceback."""

import json
from contextlib import suppress

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyedge.cli.show_config import editor_schema
from skyedge.errors import InputError
from skyedge.experiment.loading import as_yaml, canonical, digest, load_experiment, resolve_arm
from skyedge.resources import folder

FILES = sorted(path.name for path in folder("experiments").glob("*.yaml") if "kind: Experiment" in path.read_text())
TIANSUAN = (folder("experiments") / "tiansuan.yaml").read_text()


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_experiment_loads_and_survives_being_written_out(name, tmp_path):
    experiment = load_experiment(name)
    again = tmp_path / "again.yaml"
    again.write_text(as_yaml(experiment))
    assert load_experiment(again) == experiment


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  deadline: 24h", "  dedline: 24h", "pipeline.dedline: unknown key 'dedline' (did you mean 'deadline'?)"),
        ("mask_deg: 5", "mask_deg: 95", "space.mask_deg: Input should be less than 90"),
        ("duration: 21d", "duration: 3 weeks", "time.duration: '3 weeks' is not a duration"),
        ("mode: collaborative", "mode: colaborative", "did you mean 'collaborative'?"),
        ("seeds: 0-2", "seeds: many", "seeds: 'many' is not a list of seeds"),
        ("pipeline.mode: in-orbit}", "pipeline.mod: in-orbit}", "unknown key 'mod' (did you mean 'mode'?)"),
        ("kind: Experiment", "kind: [", "expected"),
    ],
)
def test_a_mistake_is_answered_with_its_line(old, new, sentence, tmp_path):
    path = tmp_path / "wrong.yaml"
    text = TIANSUAN.replace(old, new, 1)
    assert text != TIANSUAN
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_experiment(path)
    assert sentence in str(caught.value)
    line = next(number for number, words in enumerate(text.splitlines(), 1) if new.splitlines()[0] in words)
    place = str(caught.value).split(": ")[0]
    assert place.startswith(f"{path}:")
    assert abs(int(place.rpartition(":")[2]) - line) <= 2


def test_overrides_reach_any_depth_and_wrong_ones_say_so():
    experiment = load_experiment("tiansuan", ["space.mask_deg=10", "pipeline.miner.name=Margin"], seeds="3,5-6")
    assert (experiment.space.mask_deg, experiment.pipeline.miner.name, experiment.seeds) == (10, "Margin", (3, 5, 6))
    for wrong, words in (("space.mask=1", "--set space.mask"), ("nonsense", "KEY=VALUE")):
        with pytest.raises(InputError, match=words):
            load_experiment("tiansuan", [wrong])


def test_unknown_files_and_arms_are_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"tiansuan\.yaml"):
        load_experiment("tiansaun.yaml")
    with pytest.raises(InputError, match="collaborative"):
        load_experiment("tiansuan", arms=["colaborative"])


def test_a_file_that_extends_itself_is_refused(tmp_path):
    path = tmp_path / "loop.yaml"
    path.write_text("extends: loop.yaml\n")
    with pytest.raises(InputError, match="extends itself"):
        load_experiment(path)


def test_an_arm_is_the_experiment_with_its_overrides_and_hosting_is_no_part_of_its_name():
    experiment = load_experiment("tiansuan")
    assert resolve_arm(experiment, "bent-pipe-raw").pipeline.scene_view == "camera"
    moved = load_experiment("tiansuan", ["runtime.hosting=in-process"])
    assert digest(canonical(moved)) == digest(canonical(experiment))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(TIANSUAN) - 1), st.text(max_size=4), st.integers(0, 3))
def test_random_damage_never_gives_a_traceback(tmp_path, place, text, cut):
    path = tmp_path / "damaged.yaml"
    path.write_text(
        TIANSUAN[:place] + text + TIANSUAN[place + cut :], errors="surrogatepass"
    ) if text.isascii() else path.write_text(TIANSUAN[:place])
    with suppress(InputError):  # and nothing but an InputError
        assert load_experiment(path).arms


@pytest.mark.parametrize("name", FILES)
def test_the_schema_for_editors_accepts_every_shipped_experiment(name):
    from jsonschema import Draft202012Validator

    text = (folder("experiments") / name).read_text()
    content = json.loads(json.dumps(yaml.safe_load(text), default=str))  # an editor sees dates as text
    validator = Draft202012Validator(editor_schema())
    assert [error.message for error in validator.iter_errors(content)] == []


def test_the_schema_for_editors_refuses_what_the_program_refuses():
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(editor_schema())
    for wrong in ({"pipelin": {}}, {"pipeline": {"mode": "bent"}}, {"arms": {"a": {"sett": {}}}}, {"seeds": {"a": 1}}):
        assert not validator.is_valid({"extends": "slice.yaml", **wrong})
    assert not validator.is_valid({"metadata": {"name": "neither-whole-nor-an-heir"}})
