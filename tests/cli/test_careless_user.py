"""A careless or unlucky user: one sentence, code 2, no traceback, and nothing left behind."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.resources import folder
from skyedge.space.sites import Sites

HEIR = "extends: slice.yaml\nmetadata: {name: mine}\n"
CARD = (folder("models") / "flight-small.yaml").read_text()
WEIGHTS = folder("models") / "weights"
OUTCOME = '{"arms": {"x": {"accuracy": {"per_seed": [1]}}}, "seeds": [0], "experiment": "e", "digest": "d"}'


@pytest.fixture
def mistake(skyedge, tmp_path):
    """Run the command in a folder with some files; returns its one sentence."""

    def run(*arguments, **files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", ".")
            path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        before = sorted(tmp_path.rglob("*"))
        _, error, code = skyedge(*arguments)
        assert code == 2
        assert len(error.strip().splitlines()) == 1, error
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return error

    return run


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("space.link={frequency_gz: 8}", "did you mean 'frequency_ghz'?"),
        ("space.link={frequency_ghz: fast}", "frequency_ghz must be a number, not 'fast'"),
        ("space.link={frequency_ghz: 1e9}", "1000000000.0 as a number"),
        ("space.link={frequency_ghz: true}", "frequency_ghz must be a number"),
        ("space.link={frequency_ghz: [1]}", "frequency_ghz must be a number"),
        ("space.link={frequency_ghz: null}", "frequency_ghz must be a number"),
        ("space.link={frequency_ghz: .nan}", "frequency_ghz: nan is not a finite number"),
        ("space.link={frequency_ghz: 0}", "frequency_ghz: 0 is not between"),
        ("space.link={high_rate_mbps: -5}", "high_rate_mbps: -5 is not between"),
        ("space.link=7", "should be the name of a file, or its content in place"),
        ("space.link=.", "Is a directory"),
        ("space.link.frequency_ghz=9", "space.link is 'links/x-band-cubesat.yaml'"),
        ("space.spacecraft={panel_w: big}", "panel_w must be a number"),
        ("space.spacecraft={transmit_w: x}", "transmit_w must be a number"),
        ("space.spacecraft={compute_share: -1}", "compute_share: -1 is not between"),
        ("space.sites=[{name: a, lat_deg: true, lon_deg: 0, height_m: 0}]", "must be numbers"),
        ("space.sites=[{name: null, lat_deg: 34, lon_deg: 108, height_m: 0}]", "a site needs a name"),
        ("space.sites=[{name: cloud, lat_deg: 34, lon_deg: 108, height_m: 0}]", "the name of the cloud pool"),
        ("space.sites=[{name: lone, lat_deg: 34, lon_deg: 108, height_m: 0}]", "the name of a site"),
        ("space.constellation=tiansuan.yaml", "did you mean 'constellations/tiansuan.yaml'?"),
        ("space.antennas_per_site=true", "should be a number, not true"),
        ("imagery.camera={swath_km: 300m}", "swath_km must be a number, not '300m'"),
        ("imagery.camera={thumbnail_px: 0}", "thumbnail_px: 0 is not between"),
        ("imagery.camera={thumbnail_px: 16.5}", "thumbnail_px must be a whole number"),
        ("imagery.camera={minimum_purity: 2}", "minimum_purity: 2 is not between"),
        ("imagery.folder_digest=abc", "there is no imagery.folder"),
        ("models.cloud_filter=ground-large", "has the task 'land-cover'"),
        ("models.ground=cloud-filter", "has the task 'cloud'"),
        ("pipeline.miner.name=CrosEntropy", "did you mean 'CrossEntropy'?"),
        ("pipeline.miner.name=no.such:Thing", "cannot import 'no.such'"),
        ("pipeline.miner.name=pathlib:Path", "is no miner: it has no 'mine'"),
        ("pipeline.miner.name='.:x'", "cannot import '.'"),
        ("pipeline.miner={name: Margin, parameters: {threshold: high}}", "threshold must be a number, not 'high'"),
        ("pipeline.miner={name: Energy, parameters: {temperature: 0}}", "temperature must be above 0"),
        ("pipeline.miner={name: OutOfDistribution, parameters: {reference: x}}", "no parameter 'reference'"),
        ("pipeline.miner={name: Budgeted, parameters: {share_of_captures: 2}}", "must lie between 0 and 1"),
        ("pipeline.miner={name: CloudOnly, set_to_share: 0.1}", "has no knob"),
        ("pipeline.mining_mode=mining-then-inference", "cannot mine before inference"),
        ("pipeline.unlimited_links=true", "the budgeted miner shares out passes"),
        ("pipeline.scene_view=q200", "unknown view 'q200'"),
        ("pipeline.deadline=6 hours", "is not a duration"),
        ("pipeline.deadline=0s", "must last for some time"),
        ("pipeline.deadline=24h", "nothing could be scored"),
        ("pipeline.deadline=99999999999d", "is longer than"),
        ("pipeline.deadline=.inf", "not a finite number"),
        ("pipeline.deadline=2023-13-45", "is not a value"),
        ("pipeline.mode.x=1", "pipeline.mode is 'collaborative'"),
        ("pipeline=3", "should be a mapping of keys to values"),
        ("terrestrial.exchange_quantum=0s", "must last for some time"),
        ("runtime.transfer_burst=1us", "shorter than a second"),
        ("time.duration=36500d", "longer than 366 days"),
        ("time.start=0001-01-01", "does not lie between the years"),
        ("time.start=2023-10-05", "there is no imagery near 2023-10-05"),
        ("faults=[{kind: station-outage, target: Tongchun, after: 1h}]", "did you mean 'Tongchuan'?"),
        ("layers={antena: {}}", "did you mean 'antennas'?"),
        ("seeds=[0, 0]", "seed 0 is there twice"),
        ("seeds=[-1]", "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_before_anything_is_run(mistake, override, words):
    assert words in mistake("run", "slice", "--hosting", "in-process", "-o", "runs", "--set", override)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an experiment is a mapping"),
        (b"\xff\xfe\x80", "not a text file in UTF-8"),
        (HEIR + "seeds: 0\nseeds: 1\n", "mine.yaml:4: the key 'seeds' stands in line 3 already"),
        (HEIR + "faults: &a [*a]\n", "this anchor holds itself"),
        (HEIR + "time: {start: 2023-13-45}\n", "month must be in 1..12"),
        (HEIR + "\tseeds: 0\n", "mine.yaml:3"),
        (HEIR + "arms: {in-orbit: null, collaborative: null}\n", "at least one is needed here"),
        (HEIR + "arms: {'a/b, [red]': {}}\n", "is no name for an arm"),
        (HEIR + "arms: {a: {set: {pipeline.mod: x}}}\n", "did you mean 'mode'?"),
        (HEIR + "arms: {a: {set: {arms: {}}}}\n", "arm a cannot set 'arms'"),
        (HEIR + "arms: {a: {set: {seeds: 3}}}\n", "arm a cannot set 'seeds'"),
        (HEIR + "arms: {a: {set: {imagery.camera: {swath_km: 100}}}}\n", "all arms see the same scenes"),
        (HEIR + "arms: {a: {set: {time.start: 2023-07-01}}}\n", "all arms see the same scenes"),
        (HEIR + "baselines: {in_orbit: in-obit}\n", "mine.yaml:3: there is no arm 'in-obit' (did you mean 'in-orbit'?)"),
        (HEIR + "claims: [{name: c, parts: [{metric: acuracy, at_least: 1}]}]\n", "did you mean 'accuracy'?"),
        (HEIR + "claims: [{name: c, arms: [in-obit], parts: [{metric: accuracy, at_least: 1}]}]\n", "no arm 'in-obit'"),
        (HEIR + "claims: [{name: c, prts: []}]\n", "did you mean 'parts'?"),
    ],
)
def test_a_wrong_file_is_answered_with_its_place(mistake, text, words):
    assert words in mistake("show-config", "mine.yaml", mine__yaml=text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "5-3"], "'5-3' runs backwards"),
        (["--seeds", "0-2,1"], "seed 1 is there twice"),
        (["--seeds", "0-99999999999"], "more than 10,000 seeds"),
        (["--seeds", "²"], "is not a list of seeds"),
        (["--seeds", "9" * 30], "less than"),
        (["--arms", "in-orbit,in-orbit"], "arm 'in-orbit' is there twice"),
        (["--json", "."], "is a folder; a file is wanted"),
        (["--json", "rubbish/out.json"], "rubbish is no folder"),
        (["-o", "rubbish"], "rubbish is no folder"),
    ],
)
def test_wrong_options_are_said_before_the_flight(mistake, arguments, words):
    assert words in mistake("run", "slice", "--hosting", "in-process", *arguments, rubbish="x")


def test_a_file_that_is_no_store_is_said_before_the_flight(mistake):
    assert "this is no MLflow store" in mistake("run", "slice", "-o", ".", mlflow__db="rubbish" * 1000)


@pytest.mark.parametrize("text", ["{}", "[1]", b"\xff", OUTCOME.replace("[1]", "[1, 2]"), OUTCOME.replace('"e"', "3")])
def test_what_is_no_outcome_is_not_compared(mistake, text):
    assert "this is not an outcome" in mistake("compare", "a", "a", a=text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (r"weights:\n(- .*\n)+", "", "has no weights yet"),
        ("steps: 3000", "stps: 3000", "recipe.steps: this key is missing"),
        ("architecture: tiny", "architecture: residual", "only the architecture 'tiny' can be int8"),
        ("- forest\n", "", "has 7 classes and answers 8 numbers a picture"),
        ("- shrubland", "- forest", "two or more are needed, each once"),
        ("weights/flight-small-0", "weights/cloud-filter-0", "has 8 classes and answers 2 numbers a picture"),
        ("weights/flight-small-0", "weights/ground-large-0", "the int8 network lacks the array"),
    ],
)
def test_a_wrong_model_is_said_before_the_flight(mistake, old, new, words):
    card = re.sub(old, new, CARD).replace("weights/", f"{WEIGHTS}/")
    error = mistake("run", "slice", "--hosting", "in-process", "--set", "models.on_board=mine.yaml", mine__yaml=card)
    assert words in error


@pytest.mark.parametrize(
    ("old", "new", "options", "words"),
    [
        (r"recipe:\n(  .*\n)+", "", [], "has no recipe"),
        (r"  - 7\n  - 8\n", "  - 13\n", [], "not of 13"),
        (r"  - 7\n  - 8\n", "  - 7\n  - 7\n", [], "a month is there twice"),
        ("steps: 3000", "steps: 0", [], "recipe.steps"),
        ("steps: 3000", "steps: true", [], "should be a number, not true"),
        ("label_smoothing: 0.0", "label_smoothing: 5", [], "recipe.label_smoothing"),
        ("widths:", "widhts:", [], "unexpected keyword argument 'widhts'"),
        ("  - 10\n", "  - -10\n", [], "negative dimension"),
        (r"  strides:\n  - 1\n", "  strides:\n  - 0\n", [], "cannot look at a picture"),
        ("steps", "steps", ["--replicas", "4-0"], "runs backwards"),
        ("steps", "steps", ["--replicas", "²"], "is not a range of replicas"),
        ("steps", "steps", ["--replicas", "0-99999999999"], "more than"),
    ],
)
def test_a_wrong_recipe_is_said_before_the_training(mistake, old, new, options, words):
    assert words in mistake("train", "mine.yaml", *options, mine__yaml=re.sub(old, new, CARD))


def test_a_damaged_record_is_named(mistake, tmp_path):
    from skyedge.experiment.loading import load_experiment
    from skyedge.experiment.run import record_path

    path = record_path(load_experiment("slice"), tmp_path, "in-orbit", 0)
    path.parent.mkdir(parents=True)
    np.savez(path, about=np.zeros(3))
    assert f"{path.name}: this record is damaged" in mistake("report", "slice", "-o", tmp_path)


def test_a_row_of_sites_that_is_too_short_is_no_place_at_the_equator(mistake, tmp_path):
    tle = (
        "STARLINK-24\n"
        "1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992\n"
        "2 44238  53.0028  47.8601 0007663 290.4472  69.5712 15.51686006181960\n"
    )
    sites = "name,lat_deg,lon_deg,height_m\nBeijing,39.96\n"
    options = ["--tle", "t.tle", "--sites", "s.csv", "--start", "2022-09-15"]
    assert "s.csv:2: " in mistake("passes", *options, t__tle=tle, s__csv=sites)


def test_sites_from_a_spreadsheet_are_read_and_their_lines_counted_as_they_stand(tmp_path):
    path = tmp_path / "sites.csv"
    path.write_bytes("\ufeffname,lat_deg,lon_deg,height_m\r\n# a note\r\nKöln,50.9,6.9,50\r\n\r\nB,x,1,2\r\n".encode())
    with pytest.raises(InputError, match=r"sites\.csv:5: "):
        Sites.from_csv(path)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"B,x")])
    assert Sites.from_csv(path).names == ("Köln",)


def test_a_terminal_without_umlauts_gets_question_marks_and_every_file_is_utf_8(tmp_path):
    heir = HEIR + "space: {sites: [{name: Köln, lat_deg: 50.9, lon_deg: 6.9, height_m: 50}]}\n"
    (tmp_path / "mine.yaml").write_text(heir, encoding="utf-8")
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "skyedge.cli.app", "run", "mine.yaml", "--hosting", "in-process", "-o", "runs"]
    done = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    (page,) = tmp_path.glob("runs/mine-*/report.html")
    assert "Köln" in page.read_text(encoding="utf-8")


def test_two_lengths_of_restart_for_one_satellite_are_refused(mistake):
    faults = "faults=[{kind: reboot, target: lone, after: 1h}, {kind: reboot, target: lone, after: 5h, duration: 2h}]"
    assert "one duration is needed" in mistake("run", "slice", "--hosting", "in-process", "--set", faults)
