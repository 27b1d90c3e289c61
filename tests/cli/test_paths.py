"""`skyedge paths`: what is printed, written and drawn, and what is said of bad input."""

import csv
import re
from functools import partial
from itertools import pairwise

import pytest

from skyedge.resources import find
from skyedge.time import SECOND, parse_utc

SHORT = ("--start", "2000-01-01", "--duration", "60s", "--step", "10s")
CITIES = ("--from", "Manila", "--to", "Dalian")


@pytest.fixture
def paths(skyedge):
    """Run the command in an empty folder; its output, errors and exit code."""
    return partial(skyedge, "paths")


def figures(text, name):
    """Least, median and most in the row of the table called ``name``."""
    return [float(word) for word in re.search(rf"{name}\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", text).groups()]


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_every_step_is_written_and_agrees_with_what_is_printed(paths, tmp_path):
    out, _, code = paths("kuiper-630", *CITIES, *SHORT, "--csv", "steps.csv")
    rows = rows_of(tmp_path / "steps.csv")
    assert code == 0
    assert [parse_utc(row["time"]) for row in rows] == [parse_utc("2000-01-01") + n * 10 * SECOND for n in range(6)]
    round_trip_ms = [float(row["round_trip_ms"]) for row in rows]
    least, _, most = figures(out, "round trip, ms")
    assert (round(min(round_trip_ms), 2), round(max(round_trip_ms), 2)) == (least, most)
    assert figures(out, "over the great circle at c")[0] > 1
    for row in rows:
        nodes = row["path"].split(">")
        assert (nodes[0], nodes[-1]) == ("Manila", "Dalian")
        assert len(nodes) == int(row["hops"]) + 1
        assert float(row["round_trip_ms"]) == pytest.approx(2 * float(row["one_way_ms"]), abs=2e-6)
    ends = [(row["path"].split(">")[1], row["path"].split(">")[-2]) for row in rows]
    changed = sum((before[0] != after[0]) + (before[1] != after[1]) for before, after in pairwise(ends))
    assert f"hand-overs: {changed}," in out
    assert sum(int(row["hand_overs"]) for row in rows) == changed
    assert list(tmp_path.iterdir()) == [tmp_path / "steps.csv"]


def test_there_and_back_are_the_same_and_a_city_is_its_position(paths):
    there, back = (
        paths("kuiper-630", "--from", one, "--to", other, *SHORT).out for one, other in (CITIES[1::2], CITIES[3::-2])
    )
    placed = paths("kuiper-630", "--from", "14.60,120.98", "--to", " dalian", *SHORT).out
    assert figures(there, "one way, ms") == figures(back, "one way, ms") == figures(placed, "one way, ms")


def test_a_southern_latitude_is_no_option(paths):
    out, _, code = paths("kuiper-630", "--from", "-33.87,151.21", "--to", "Tokyo", *SHORT)
    assert code == 0
    assert figures(out, "hops")[0] >= 2


@pytest.mark.parametrize(("name", "begins"), [("path.png", b"\x89PNG"), ("path.svg", b"<?xml")])
def test_the_path_is_drawn(paths, tmp_path, name, begins):
    assert paths("kuiper-630", *CITIES, *SHORT, "--plot", name).code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_outages_are_counted_in_seconds_and_left_empty_in_the_file(paths, tmp_path):
    # St Petersburg sees Kuiper at 30 degrees now and then only.
    arguments = ("--from", "Manila", "--to", "St Petersburg", "--start", "2000-01-01", "--duration", "195s", "--step", "10s")
    out, _, code = paths("kuiper-630", *arguments, "--mask-deg", 30, "--csv", "steps.csv")
    down = [row for row in rows_of(tmp_path / "steps.csv") if not row["path"]]
    assert code == 0
    assert down
    assert all(row["one_way_ms"] == row["round_trip_ms"] == "" and row["hops"] == "0" for row in down)
    total_s = float(re.search(r"outages: \d+, ([\d.]+) s in all", out)[1])
    # The last step is five seconds long.
    assert total_s in (10 * len(down), 10 * len(down) - 5)


def test_no_path_at_all_is_said_and_not_tabled(paths):
    out, _, code = paths("kuiper-630", "--from", "89,0", "--to", "Dalian", *SHORT)
    assert code == 0
    assert "no path at any of 6 steps" in out


def test_without_links_between_satellites_the_path_goes_by_gateways(paths, tmp_path):
    bare = ("walker-1584", "--from", "London", "--to", "Moscow", *SHORT, "--links", "none")
    assert "no path" in paths(*bare).out
    assert paths(*bare, "--gateways", "sites/world-20.csv", "--csv", "steps.csv").code == 0
    relays = {row["path"].split(">")[2] for row in rows_of(tmp_path / "steps.csv") if row["path"]}
    assert relays
    assert relays <= {"Neustrelitz", "Kiruna", "Matera", "Svalbard"}


def test_with_storage_a_few_satellites_deliver_hours_later_what_no_path_carries(paths, tmp_path):
    arguments = (
        "tiansuan",
        "--from",
        "Beijing",
        "--to",
        "Paris",
        "--start",
        "2023-01-06",
        "--duration",
        "12h",
        "--step",
        "60s",
    )
    out, _, code = paths(*arguments, "--links", "none", "--mask-deg", 5, "--store", "--csv", "steps.csv")
    assert code == 0
    assert "no path at any of 720 steps" in out
    assert "with storage: delivered after" in out
    rows = rows_of(tmp_path / "steps.csv")
    arrival_s = [60 * n + float(row["delivered_after_s"]) for n, row in enumerate(rows) if row["delivered_after_s"]]
    assert 0 < len(arrival_s) < len(rows)  # the last come too late
    # Who sends later does not arrive earlier, nor in less than the light needs.
    assert all(before <= after + 1e-4 for before, after in pairwise(arrival_s))
    assert min(float(row["delivered_after_s"]) for row in rows if row["delivered_after_s"]) > 60


def test_with_storage_a_path_that_is_there_is_taken(paths, tmp_path):
    assert paths("kuiper-630", *CITIES, *SHORT, "--store", "--csv", "steps.csv").code == 0
    for row in rows_of(tmp_path / "steps.csv"):
        assert float(row["delivered_after_s"]) == pytest.approx(float(row["one_way_ms"]) / 1e3, abs=1e-6)


def test_keeping_a_path_costs_delay_and_saves_hand_overs(paths):
    arguments = (
        "walker-1584",
        "--from",
        "London",
        "--to",
        "New York",
        "--start",
        "2023-01-06",
        "--duration",
        "20min",
        "--step",
        "10s",
    )
    quick, steady = paths(*arguments).out, paths(*arguments, "--keep-within", 0.2).out
    count = [int(re.search(r"hand-overs: (\d+)", out)[1]) for out in (quick, steady)]
    assert count[1] < count[0]
    assert figures(quick, "one way, ms")[1] <= figures(steady, "one way, ms")[1] <= 1.2 * figures(quick, "one way, ms")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kuiper-631", *CITIES, *SHORT), "did you mean 'constellations/kuiper-630.yaml'?"),
        (("kuiper-630", "--from", "Manilla", "--to", "Dalian", *SHORT), "unknown place 'Manilla'"),
        (("kuiper-630", "--from", "Manilla", "--to", "Dalian", *SHORT), "did you mean 'Manila'?"),
        (("kuiper-630", "--from", "91,0", "--to", "Dalian", *SHORT), "--from: lat_deg: 91.0 is not between -90 and 90"),
        (("kuiper-630", "--from", "nan,0", "--to", "Dalian", *SHORT), "--from: lat_deg"),
        (("kuiper-630", "--from", "1,2,3", "--to", "Dalian", *SHORT), "'1,2,3' is not LAT,LON"),
        (("kuiper-630", "--from", "Dalian", "--to", "dalian", *SHORT), "--to: this is where the path begins"),
        (("kuiper-630", "--from", "0,180", "--to", "0,-180", *SHORT), "--to: this is where the path begins"),
        (("kuiper-630", "--from", "90,0", "--to", "90,50", *SHORT), "--to: this is where the path begins"),
        ((".", *CITIES, *SHORT), "cannot read this file: Is a directory"),
        (("kuiper-630", *CITIES, "--start", "now"), "--start: 'now' is not an ISO 8601 time"),
        (("kuiper-630", *CITIES, *SHORT, "--duration", "8d"), "--duration: must be longer than nothing and at most 7d"),
        (("kuiper-630", *CITIES, *SHORT, "--step", "2min"), "--step: a step of 2min is longer than the duration of 60s"),
        (("kuiper-630", *CITIES, "--start", "9999-12-31T23:59:58Z"), "--start: the path ends after the year 9999"),
        (("kuiper-630", *CITIES, *SHORT, "--step", "0s"), "--step: must be longer than nothing"),
        (("kuiper-630", *CITIES, *SHORT, "--step", "1us"), "60,000,000 steps are more than 200,000"),
        (("kuiper-630", *CITIES, *SHORT, "--links", "slots"), "did you mean 'slot'?"),
        (("tiansuan", *CITIES, *SHORT), "a +Grid needs the planes of a Walker shell"),
        (("kuiper-630", *CITIES, *SHORT, "--gateways", "sites/wrld-20.csv"), "did you mean 'sites/world-20.csv'?"),
        (("kuiper-630", *CITIES, *SHORT, "--plot", "path.jpg"), "a plot is a .png, .svg or .pdf file"),
        (("kuiper-630", *CITIES, *SHORT, "--csv", "nowhere/steps.csv"), "--csv: there is no folder nowhere"),
        (("kuiper-630", *CITIES, *SHORT, "--csv", "."), "--csv: . is a folder"),
        (("kuiper-630", *CITIES, *SHORT, "--csv", "a.svg", "--plot", "a.svg"), "name the same file"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(paths, tmp_path, arguments, words):
    out, err, code = paths(*arguments)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own_flies_and_a_plane_alone_makes_no_grid(paths, tmp_path):
    text = find("constellations/walker-1584.yaml", kind="orbit").read_text()
    (tmp_path / "mine.yaml").write_text(text)
    assert paths("mine.yaml", *CITIES, "--start", "2023-01-06", "--duration", "10s", "--step", "10s").code == 0
    (tmp_path / "ring.yaml").write_text(text.replace("planes: 72", "planes: 2"))
    _, err, code = paths("ring.yaml", *CITIES, *SHORT)
    assert code == 2
    assert "ring.yaml: a +Grid needs 3 planes of 3 satellites at least, not 2 of 792" in err


TRAFFIC = "from,to,mbps,class\nManila,Tokyo,1500,1\nTokyo,Manila,2000,1\nDalian,Manila,900,1\nManila,Dalian,900,1\n"


def test_bulk_goes_around_what_is_full_and_what_is_urgent_does_not_notice(paths, tmp_path):
    (tmp_path / "traffic.csv").write_text(TRAFFIC)
    narrow = ("--traffic", "traffic.csv", "--isl-mbps", "2000", "--ground-mbps", "2000")
    alone = figures(paths("kuiper-630", *CITIES, *SHORT).out, "one way, ms")
    urgent, bulk = (paths("kuiper-630", *CITIES, *SHORT, *narrow, "--class", qos).out for qos in (0, 2))
    assert figures(urgent, "one way, ms") == pytest.approx(alone, abs=0.1)
    assert figures(bulk, "one way, ms")[1] >= alone[1]
    assert figures(bulk, "one way, ms")[1] <= figures(bulk, "one way on the shortest path, ms")[1]
    wide = paths("kuiper-630", *CITIES, *SHORT, "--traffic", "traffic.csv", "--isl-mbps", "1e6", "--ground-mbps", "1e6").out
    assert figures(wide, "traffic delivered, %") == [100, 100, 100]
    assert figures(wide, "one way, ms") == alone


def test_any_gateway_is_the_nearest_unless_one_is_preferred_or_asked_for(paths):
    anywhere = ("kuiper-630", "--from", "Manila", "--to", "any", "--gateways", "sites/world-20.csv", *SHORT)
    nearest, wanted, asked = (
        paths(*anywhere, *more).out
        for more in ((), ("--prefer", "Beijing", "--prefer-within", "5"), ("--land-in", "Beijing|Hyderabad"))
    )
    assert "ends at: Sanya 100%" in nearest
    assert "ends at: Beijing 100%" in wanted
    assert "Sanya" not in asked
    assert figures(nearest, "one way, ms")[0] <= figures(asked, "one way, ms")[0] <= figures(wanted, "one way, ms")[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("from,to,mbps\nManila,Tokio,1\n", r"traffic.csv:2: unknown place 'Tokio'.*Tokyo"),
        ("from,to,mbps\n# a remark\nManila,Tokyo,-1\n", "traffic.csv:3: mbps must be a number from 0 to"),
        ("from,to,mbps\nManila,Tokyo,1e10\n", "traffic.csv:2: mbps must be a number from 0 to 1,000,000,000, not '1e10'"),
        ("from,to,mbps,mbps\nManila,Tokyo,1,2\n", "traffic.csv: there is a column 'mbps' already"),
        ("from,to,mbps\nManila,Manila,1\n", "traffic.csv:2: this demand ends where it begins"),
        ("from,to,mbps\nManila,any,1\n", "traffic.csv:2: 'any' is any gateway"),
        ("from,to,mbps,clas\nManila,Tokyo,1,0\n", "unknown column 'clas'.*class"),
        ("from,to,mbps,class\nManila,Tokyo,1,9\n", "traffic.csv:2: a class is a whole number from 0 to 7"),
        (
            "from,to,mbps,class\nManila,Tokyo,1,urgent\n",
            "traffic.csv:2: a class is a whole number from 0 to 7, not 'urgent'",
        ),
        ("from,to\nManila,Tokyo\n", "the column 'mbps' is missing"),
        ("from,to,mbps\nManila,Tokyo\n", "traffic.csv:2: a line has from, to, mbps"),
        ("from,to,mbps\nManila,Tokyo,0\n", "there is no traffic in this"),
    ],
)
def test_traffic_that_cannot_be_is_said_with_its_line(paths, tmp_path, content, says):
    (tmp_path / "traffic.csv").write_text(content)
    out, err, code = paths("kuiper-630", *CITIES, *SHORT, "--traffic", "traffic.csv")
    assert code != 0
    assert not out
    assert re.search(says, err)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--to", "any"), "--to: which gateway is best can be said only if there are some"),
        (("--to", "Dalian", "--prefer", "Sanya"), "--prefer: this chooses among gateways"),
        (("--to", "any", "--gateways", "sites/world-20.csv", "--prefer", "Sania"), "no gateway 'Sania'.*Sanya"),
        (("--to", "Dalian", "--class", "2"), "--class: this is an option of --traffic"),
        (("--to", "Dalian", "--isl-mbps", "5"), "--isl-mbps: this is an option of --traffic"),
        (("--to", "Dalian", "--traffic", "traffic/evening.csv", "--ground-mbps", "inf"), "--ground-mbps: must be a number"),
        (("--to", "Dalian", "--store", "--traffic", "traffic/evening.csv"), "--store: storage looks at no volumes"),
    ],
)
def test_options_that_do_not_go_together_are_said(paths, more, says):
    out, err, code = paths("kuiper-630", "--from", "Manila", *more, *SHORT)
    assert code != 0
    assert not out
    assert re.search(says, " ".join(err.split()))
