"""The commands as a user meets them."""

import csv
import io
import json
import subprocess
import sys

import pytest

from skyedge.time import parse_utc


@pytest.fixture
def sky(tmp_path):
    tle = tmp_path / "two.tle"
    tle.write_text(
        "STARLINK-24\n"
        "1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992\n"
        "2 44238  53.0028  47.8601 0007663 290.4472  69.5712 15.51686006181960\n"
    )
    sites = tmp_path / "sites.csv"
    sites.write_text("name,lat_deg,lon_deg,height_m\nBeijing,39.96,116.36,50\n")
    return tle, sites


def test_help_names_every_command(skyedge):
    out, _, code = skyedge("--help")
    assert code == 0
    for command in ("run", "compare", "report", "show-config", "train", "passes", "doctor"):
        assert command in out


def test_passes_as_csv_and_json_say_the_same(skyedge, sky):
    common = ["passes", "--tle", sky[0], "--sites", sky[1], "--start", "2022-09-15T00:00:00Z", "--mask-deg", "10"]
    out, _, code = skyedge(*common, "--format", "csv")
    assert code == 0
    assert out.splitlines()[0] == "satellite,site,rise,culmination,set,max_elevation_deg"
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) >= 3
    for row in rows:
        assert parse_utc(row["rise"]) < parse_utc(row["culmination"]) < parse_utc(row["set"])
        assert len(row["rise"]) == len("2022-09-15T00:00:00.000Z")
        assert float(row["max_elevation_deg"]) >= 10
    as_json, _, _ = skyedge(*common, "--format", "json")
    assert [row["rise"] for row in json.loads(as_json)] == [row["rise"] for row in rows]


def test_old_elements_are_warned_of_and_a_plot_is_a_picture(skyedge, sky, tmp_path):
    plot = tmp_path / "passes.png"
    common = ["passes", "--tle", sky[0], "--sites", sky[1], "--start", "2022-12-01", "--duration", "6h"]
    _, err, code = skyedge(*common, "--format", "csv", "--plot", plot)
    assert code == 0
    assert "days from the start" in err
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "nothing.yaml"], "there is no file 'nothing.yaml'"),
        (["run", "slice", "--set", "space.mask=1"], "unknown key 'mask'"),
        (["run", "slice", "--hosting", "in-process", "--set", "models.ground=ground-lrge"], "ground-large.yaml"),
        (["run", "slice", "--address", "127.0.0.2:1"], "no Ray cluster answers"),
        (["passes", "--tle", "/nowhere.tle", "--sites", "x.csv", "--start", "2022-01-01"], "/nowhere.tle"),
        (["compare", "a", "b", "-o", "/nowhere"], "there is no file 'a'"),
        (["train", "models/none.yaml"], "there is no file"),
        (["show-config", "slice", "--arm", "colaborative"], "did you mean 'collaborative'"),
    ],
)
def test_a_mistake_gets_one_sentence_and_code_two(skyedge, tmp_path, arguments, sentence):
    _, err, code = skyedge(*arguments)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_weight_file_is_named(skyedge, tmp_path):
    from skyedge.resources import folder

    card = (folder("models") / "flight-small.yaml").read_text()
    (tmp_path / "weights").mkdir()
    (tmp_path / "mine.yaml").write_text(card)
    for replica in range(5):
        (tmp_path / "weights" / f"flight-small-{replica}.safetensors").write_bytes(b"rubbish")
    _, err, code = skyedge(
        "run", "slice", "--hosting", "in-process",
        "--set", f"models.on_board={tmp_path / 'mine.yaml'}", "-o", tmp_path / "runs",
    )  # fmt: skip
    assert code == 2
    assert "flight-small-0.safetensors" in err
    assert "corrupt" in err


def test_the_schema_is_json_and_knows_the_keys(skyedge):
    out, _, _ = skyedge("show-config", "--schema")
    assert "pipeline" in json.loads(out)["properties"]


def test_the_slice_runs_is_logged_and_compares_with_itself(skyedge, tmp_path):
    result = tmp_path / "out.json"
    runs = tmp_path / "runs"
    out, _, code = skyedge("run", "slice", "--hosting", "in-process", "-o", runs, "--json", result)
    assert code == 0
    outcome = json.loads(result.read_text())
    assert set(outcome["arms"]) == {"in-orbit", "collaborative"}
    assert outcome["arms"]["collaborative"]["accuracy"]["per_seed"][0] > 0
    (page,) = runs.glob("slice-*/report.html")
    html = page.read_text()
    assert html.count("<svg") >= 5
    assert "http" not in html.replace("http://www.w3.org", "").replace("https://matplotlib", "").replace(
        "http://purl", ""
    ).replace("http://creativecommons", "")
    from skyedge.experiment.tracking import open_client, store_uri

    client = open_client(store_uri(runs))
    experiment = client.get_experiment_by_name("slice")
    logged = client.search_runs([experiment.experiment_id])
    assert len(logged) == 3
    children = [run for run in logged if "mlflow.parentRunId" in run.data.tags]
    assert {run.data.tags["arm"] for run in children} == {"in-orbit", "collaborative"}
    out, _, code = skyedge("compare", result, "slice", "-o", runs)
    assert code == 0
    assert "+0" in out


def test_help_does_not_wait_for_torch_or_ray():
    script = "import sys, skyedge.cli.app; print([m for m in ('torch', 'ray', 'mlflow', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
