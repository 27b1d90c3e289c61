"""What a user of `skyedge passes` sees."""

import csv
import io
import json

import pytest

from skyedge.cli.app import main

TLE = """STARLINK-31
1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992
2 44238  52.9708 207.1413 0002043  61.5906 298.5292 15.55867420183549
"""
SITES = "name,lat_deg,lon_deg,height_m\nQuito,-0.2,-78.5,2850\nTongchuan,34.9,108.93,978\n"
POLE = "name,lat_deg,lon_deg,height_m\nPole,-90,0,2835\n"


@pytest.fixture
def passes(tmp_path, monkeypatch, capsys):
    (tmp_path / "one.tle").write_text(TLE)
    (tmp_path / "sites.csv").write_text(SITES)
    (tmp_path / "pole.csv").write_text(POLE)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*options, sites="sites.csv", start="2022-09-15"):
        arguments = ["skyedge", "passes", "--tle", "one.tle", "--sites", sites, "--start", start, *options]
        monkeypatch.setattr("sys.argv", arguments)
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        return (code, *capsys.readouterr())

    return run


def test_the_table_fits_a_terminal_and_tells_what_the_csv_tells(passes):
    _, as_csv, _ = passes("--format", "csv")
    code, table, _ = passes()
    assert code == 0
    assert "…" not in table
    for row in csv.DictReader(io.StringIO(as_csv)):
        assert row["rise"][:10] + " " + row["rise"][11:16] in table or row["rise"][17:19] == "59"


def test_a_satellite_that_sees_no_station_gets_a_sentence_and_an_empty_list(passes):
    for form, printed in (
        ("csv", "satellite,site,rise,culmination,set,max_elevation_deg\n"),
        ("json", "[]\n"),
        ("table", ""),
    ):
        code, out, err = passes("--format", form, sites="pole.csv")
        assert code == 0
        assert out == printed
        assert err == "no satellite of one.tle rises above 10° over a site of pole.csv within 24h\n"


def test_a_start_two_weeks_from_the_epoch_is_warned_of_on_stderr(passes):
    _, out, err = passes("--format", "json", start="2022-09-28")
    assert err == ""
    code, out, err = passes("--format", "json", start="2022-09-29")
    assert code == 0
    assert err.startswith("warning: STARLINK-31: its elements are of 2022-09-14T11:06:57Z, 14 days from the start")
    assert len(json.loads(out)) > 3


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
@pytest.mark.parametrize("sites", ["sites.csv", "pole.csv"])
def test_a_plot_is_a_picture_also_of_no_pass(passes, tmp_path, name, begins, sites):
    code, _, _ = passes("--plot", name, sites=sites)
    assert code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--duration", "x"), "error: --duration: 'x' is not a duration"),
        (("--duration", "0s"), "error: --duration: must be longer than nothing"),
        (("--start", "soon"), "error: --start: 'soon' is not an ISO 8601 time"),
        (("--plot", "a.gif"), "error: a.gif: a plot is a .png, .svg or .pdf file"),
        (("--plot", "nowhere/a.png"), "error: nowhere/a.png: cannot write"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_printed(passes, options, sentence):
    code, out, err = passes(*options)
    assert code == 2
    assert out == ""
    assert err.startswith(sentence)
    assert len(err.splitlines()) == 1
