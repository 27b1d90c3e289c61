"""Orbits are read as they were written, or one sentence says what is wrong with them."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sgp4.api import SatrecArray

from skyedge.errors import InputError
from skyedge.space.constellation import Constellation, load_elements
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import to_earth_fixed
from skyedge.time import DAY, HOUR, MINUTE, julian_date, parse_utc

# STARLINK-31, epoch 2022-09-14 (day 257), in the three ways of saying it.
LINES = (
    "1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992",
    "2 44238  52.9708 207.1413 0002043  61.5906 298.5292 15.55867420183549",
)
TLE = "STARLINK-31\n" + "\n".join(LINES) + "\n"
# The fraction 0.46316094 of a day is 11:06:57.105216.
FIELDS = {
    "OBJECT_NAME": "STARLINK-31",
    "OBJECT_ID": "2019-029D",
    "EPOCH": "2022-09-14T11:06:57.105216",
    "MEAN_MOTION": "15.55867420",
    "ECCENTRICITY": "0.0002043",
    "INCLINATION": "52.9708",
    "RA_OF_ASC_NODE": "207.1413",
    "ARG_OF_PERICENTER": "61.5906",
    "MEAN_ANOMALY": "298.5292",
    "EPHEMERIS_TYPE": "0",
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": "44238",
    "ELEMENT_SET_NO": "999",
    "REV_AT_EPOCH": "18354",
    "BSTAR": "0.0035067",
    "MEAN_MOTION_DOT": "0.00217935",
    "MEAN_MOTION_DDOT": "0",
}


def checksummed(line):
    total = sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10
    return line[:68] + str(total)


def as_csv(fields):
    return ",".join(fields) + "\n" + ",".join(str(value) for value in fields.values()) + "\n"


def as_xml(fields):
    def part(tag, keys):
        return f"<{tag}>" + "".join(f"<{key}>{fields[key]}</{key}>" for key in keys if key in fields) + f"</{tag}>"

    mean = part("meanElements", list(FIELDS)[2:9])
    parameters = part("tleParameters", list(FIELDS)[9:])
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ndm><omm id="CCSDS_OMM_VERS" version="2.0"><body><segment>'
        f"{part('metadata', list(FIELDS)[:2])}<data>{mean}{parameters}</data></segment></body></omm></ndm>"
    )


def as_json(fields):
    return json.dumps([fields])


KINDS = {"csv": as_csv, "xml": as_xml, "json": as_json}


def positions(path):
    constellation = load_elements(path)
    assert constellation.names == ("STARLINK-31",)
    start = parse_utc("2022-09-15")
    return Ephemeris.of(constellation, start, start + DAY).positions_km


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_flies_where_the_two_line_elements_fly(tmp_path, kind):
    tle, message = tmp_path / "one.tle", tmp_path / f"one.{kind}"
    tle.write_text(TLE)
    message.write_text(KINDS[kind](FIELDS))
    # A message gives the epoch to the microsecond, in which the satellite flies 8 mm.
    assert np.abs(positions(tle) - positions(message)).max() < 2e-5


def test_one_json_object_and_its_numbers_are_a_message_too(tmp_path):
    plain, typed = tmp_path / "list.json", tmp_path / "object.json"
    plain.write_text(as_json(FIELDS))
    numbers = {
        key: float(value) if key[0] != "O" and value.replace(".", "").isdigit() else value for key, value in FIELDS.items()
    }
    typed.write_text(json.dumps(numbers))
    assert np.array_equal(positions(plain), positions(typed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("MEAN_MOTION", None, "there is no MEAN_MOTION"),
        ("BSTAR", "", "there is no BSTAR"),
        ("OBJECT_NAME", None, "there is no OBJECT_NAME"),
        ("INCLINATION", "steep", "INCLINATION: 'steep' is not a number"),
        ("ECCENTRICITY", "nan", "ECCENTRICITY: nan is not between 0 and 0.999999"),
        ("ECCENTRICITY", "1.5", "ECCENTRICITY: 1.5 is not between 0 and 0.999999"),
        ("MEAN_MOTION", "0", "MEAN_MOTION: 0 is not between"),
        ("EPOCH", "yesterday", "EPOCH: 'yesterday' is not an ISO 8601 time"),
    ],
)
def test_a_wrong_field_of_a_message_is_named(tmp_path, kind, key, value, sentence):
    fields = {name: v for name, v in FIELDS.items() if name != key} | ({} if value is None else {key: value})
    path = tmp_path / f"wrong.{kind}"
    path.write_text(KINDS[kind](fields))
    with pytest.raises(InputError) as caught:
        load_elements(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b"OBJECT_NAME,EPOCH", "a.json:1: this is not JSON"),
        ("a.json", b"[1]", "message 1: a message is a JSON object"),
        ("a.json", b"[]", "there is no message in this file"),
        ("a.json", b"[" * 100_000, "this is not JSON"),
        ("a.xml", b"<ndm>", "this is not XML"),
        ("a.xml", b"<ndm/>", "there is no message in this file"),
        ("a.csv", b"", "there is no message in this file"),
        ("a.csv", b"OBJECT_NAME\nx\n", "there is no "),
        ("a.tle", b"", "there is no element set in this file"),
        ("a.tle", b"\x00\x01\x02" * 99, "there is no element set in this file"),
        ("a.tle", b"\xff\xfe\x80" * 99, "this is not a text file in UTF-8"),
        ("a.json", b"\xff\xfe", "this is not a text file in UTF-8"),
    ],
)
def test_a_file_of_something_else_gets_a_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_elements(tmp_path / name)
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("lines", "at", "sentence"),
    [
        ((LINES[0], LINES[1][:-1] + "2"), 3, "the checksum is 2 but the line adds up to 9"),
        ((LINES[0][:40], LINES[1]), 2, "a line of an element set has 69 characters, this one 40"),
        ((LINES[1], LINES[0]), 2, "line 2 of an element set has no line 1 before it"),
        ((LINES[0],), 2, "this element set has no line 2"),
        ((LINES[0], "NEXT"), 3, "line 2 of an element set should follow here"),
        ((LINES[0], checksummed(LINES[1].replace("44238", "44239"))), 3, "line 2 is of satellite 44239, line 1 of 44238"),
        (
            (LINES[0], checksummed(LINES[1].replace(" 52.9708", "     nan"))),
            3,
            "the inclination (columns 9 to 16) is '     nan'",
        ),
        ((LINES[0], checksummed(LINES[1].replace("52.9708", "192.708"))), 3, "the inclination is 192.708"),
        ((LINES[0], checksummed(LINES[1].replace("15.55867420", "00.00000000"))), 3, "the mean motion is 0"),
        ((LINES[0].replace("U", "²"), LINES[1]), 2, "plain ASCII"),
    ],
)
def test_a_wrong_line_is_answered_with_file_and_line(tmp_path, lines, at, sentence):
    path = tmp_path / "wrong.tle"
    path.write_text("\n".join(("STARLINK-31", *lines)) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_elements(path)
    assert str(caught.value).startswith(f"{path}:{at}: {sentence}") or sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{at}: ")


@st.composite
def mutations(draw):
    """A TLE text with a few edits; the checksums of some are made right again, so that the columns are put to the test."""
    text = list(TLE)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(text) - 1))
        text[place : place + draw(st.integers(0, 2))] = draw(st.text("0123456789 .-+nainf\n\tU²é\x00", max_size=3))
    lines = "".join(text).split("\n")
    if draw(st.booleans()):
        lines = [
            checksummed(line) if line[:1] in ("1", "2") and len(line) >= 68 and line.isascii() else line for line in lines
        ]
    return "\n".join(lines)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations())
def test_any_mutation_of_an_element_set_loads_or_gets_a_sentence(tmp_path, text):
    path = tmp_path / "mutated.tle"
    path.write_text(text, encoding="utf-8")
    start = parse_utc("2022-09-15")
    try:
        states = Ephemeris.of(load_elements(path), start, start + HOUR).states
        sentence = ""
    except InputError as error:
        states, sentence = np.zeros(1), str(error)
    assert np.isfinite(states).all()
    assert len(sentence.splitlines()) <= 1


def test_a_satellite_that_has_decayed_is_named(tmp_path):
    path = tmp_path / "down.tle"
    path.write_text("FALLING\n" + checksummed(LINES[0].replace("35067-2", "35067-0")) + "\n" + LINES[1] + "\n")
    start = parse_utc("2022-10-15")
    with pytest.raises(InputError, match="satellite FALLING cannot be propagated to 2022-10-15"):
        Ephemeris.of(load_elements(path), start, start + HOUR)


GOOD = {"altitude_km": 500, "inclination_deg": 97.4, "raan_deg": 0, "mean_anomaly_deg": 0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"eccentricity": 1.2}, "satellites.1.eccentricity: 1.2 is not between 0 and 0.99"),
        ({"eccentricity": 0.5}, "satellites.1.eccentricity: 0.5 at altitude_km 500 puts the perigee at -2939 km"),
        ({"altitude_km": -10}, "satellites.1.altitude_km: -10 is not between"),
        ({"altitude_km": math.nan}, "satellites.1.altitude_km: nan is not between"),
        ({"inclination_deg": "steep"}, "satellites.1.inclination_deg: 'steep' is not a number"),
        ({"inclination_deg": 181}, "satellites.1.inclination_deg: 181 is not between 0 and 180"),
        ({"mean_anomaly_deg": None}, "satellites.1.mean_anomaly_deg: 'None' is not a number"),
        ({"altitude": 500}, "did you mean 'altitude_km'?"),
    ],
)
def test_elements_out_of_range_are_named(change, sentence):
    with pytest.raises(InputError) as caught:
        Constellation.from_mapping({"epoch": "2023-01-05", "satellites": [{**GOOD, **change}]}, where="a.yaml")
    assert str(caught.value).startswith("a.yaml: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"epoch": "2023-01-05", "satellites": [{"altitude_km": 500}]}, "satellites.1 has no 'inclination_deg'"),
        ({"epoch": "2023-01-05", "satellites": [7]}, "satellites.1: this should be a mapping"),
        ({"epoch": "2023-01-05", "satellites": 7}, "satellites: this should be a list"),
        ({"epoch": "2023-01-05"}, "this constellation has no satellites"),
        ({"satellites": [GOOD]}, "these elements have no 'epoch'"),
        ({"epoch": "soon", "satellites": [GOOD]}, "epoch: 'soon' is not"),
        ({"walker": 7}, "walker: this should be a mapping"),
        ({"walker": {"total": 6}}, "walker: "),
        (
            {
                "walker": {
                    "total": "6",
                    "planes": 3,
                    "phasing": 1,
                    "altitude_km": 500,
                    "inclination_deg": 53,
                    "epoch": "2023-01-05",
                }
            },
            "walker.total: '6'",
        ),
        (
            {
                "walker": {
                    "total": 6,
                    "planes": 3,
                    "phasing": 1,
                    "altitude_km": "x",
                    "inclination_deg": 53,
                    "epoch": "2023-01-05",
                }
            },
            "walker.altitude_km: 'x'",
        ),
    ],
)
def test_a_constellation_that_cannot_be_gets_a_sentence(mapping, sentence):
    with pytest.raises(InputError) as caught:
        Constellation.from_mapping(mapping, where="a.yaml")
    assert sentence in str(caught.value)


@pytest.fixture(scope="module")
def verification(tmp_path_factory):
    """SGP4's own verification: satellites, and rows of (minutes, x, y, z, vx, vy, vz) for each.

    Some of its lines have wrong checksums, to try readers with, and all have columns of their own behind the checksum.
    """
    text = (files("sgp4") / "SGP4-VER.TLE").read_text()
    lines = [checksummed(line) if line[:2] in ("1 ", "2 ") else line for line in text.splitlines()]
    path = tmp_path_factory.mktemp("verification") / "SGP4-VER.TLE"
    path.write_text("\n".join(lines))
    constellation = Constellation.from_tle(path)
    blocks, rows = [], []
    for line in (files("sgp4") / "tcppver.out").read_text().splitlines():
        if line.endswith("xx"):
            rows = []
            blocks.append(rows)
        elif line.strip():
            rows.append([float(word) for word in line.split()[:7]])
    return constellation, [np.array(rows) for rows in blocks]


def test_sgp4s_own_verification_cases_come_out(verification):
    constellation, cases = verification
    assert len(constellation) == len(cases)
    checked = 0
    for number, rows in enumerate(cases):
        times = constellation.epochs_us()[number] + np.rint(rows[:, 0] * MINUTE).astype(np.int64)
        errors, position, velocity = SatrecArray([constellation.records[number]]).sgp4(*julian_date(times))
        fine = errors[0] == 0
        if not fine.any():
            continue  # a case that is there for its error
        checked += int(fine.sum())
        # Instants are whole microseconds, in which 12 km/s (the fastest perigee) are 12 mm.
        assert np.abs(position[0][fine] - rows[fine, 1:4]).max() < 2e-5
        assert np.abs(velocity[0][fine] - rows[fine, 4:7]).max() < 1e-6
    assert checked > 600


def test_nodes_and_what_lies_between_follow_the_verification_cases(verification):
    constellation, cases = verification
    followed = []
    for number, rows in enumerate(cases):
        one = Constellation(constellation.names[number : number + 1], constellation.records[number : number + 1])
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] <= 1440)]
        if not len(rows):
            continue
        times = constellation.epochs_us()[number] + np.rint(rows[:, 0] * MINUTE).astype(np.int64)
        start = int(one.epochs_us()[0]) - MINUTE
        try:
            ephemeris = Ephemeris.of(one, start, start + DAY)
        except InputError:
            continue  # one that comes down within the day
        if one.records[0].altp * 6378 < 130 and one.records[0].ecco < 0.01:
            continue  # skims the air all round: SGP4's drag terms bend more sharply than a quintic (5 m)
        followed.append(one.names[0])
        truth = to_earth_fixed(rows[:, 1:4], times)
        exact, _ = ephemeris.exactly_at(np.zeros(len(times), int), times)
        assert np.abs(exact - truth).max() < 2e-5
        # Two metres is what the interpolation may err by.
        assert np.linalg.norm(ephemeris.at(0, times) - truth, axis=1).max() < 2e-3, one.names
    assert len(followed) > 20
