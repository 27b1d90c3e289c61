"""`skyedge passes --antennas`: who gets an antenna, and what the best assignment is worth."""

import csv
import io
import re

import pytest
from sgp4.exporter import export_tle

from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.time import parse_utc


@pytest.fixture
def passes(skyedge, tmp_path):
    shell = Constellation.walker(WalkerShell(24, 6, 1, 520, 97.5, "2023-01-05"))
    tle, sites = tmp_path / "shell.tle", tmp_path / "sites.csv"
    named = zip(shell.names, shell.records, strict=True)
    tle.write_text("".join("\n".join([name, *export_tle(record)]) + "\n" for name, record in named))
    sites.write_text("name,lat_deg,lon_deg,height_m\nTongchuan,34.9,108.93,978\nBeijing,39.96,116.36,50\n")

    def run(*more):
        given = ["--tle", tle, "--sites", sites, "--start", "2023-01-06", "--mask-deg", "5", "--format", "csv", *more]
        printed = skyedge("passes", *given)
        rows = [(r["satellite"], r["site"], parse_utc(r["rise"]), parse_utc(r["set"])) for r in csv_rows(printed.out)]
        return printed.code, rows, printed.err

    return run


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("policy", ["first-come", "greedy", "optimal"])
def test_the_sessions_printed_share_no_antenna_and_no_satellite(passes, policy):
    _, contacts, _ = passes()
    code, sessions, words = passes("--antennas", policy)
    assert code == 0
    assert 0 < len(sessions) <= len(contacts)
    for one in sessions:
        for other in sessions:
            if one is not other and (one[0] == other[0] or one[1] == other[1]):
                assert one[3] <= other[2] or other[3] <= one[2]
    first, greedy, optimal = (
        float(re.search(rf"{name} ([\d,.]+) GB", words.partition("at most")[2])[1])
        for name in ("first-come", "greedy", "optimal")
    )
    assert max(first, greedy) <= optimal


def test_more_antennas_carry_more_until_the_satellites_limit(passes):
    carried = []
    for antennas in ("1", "2", "12", "24"):
        _, _, words = passes("--antennas", "optimal", "--antennas-per-site", antennas)
        carried.append(float(re.search(r"([\d.]+) GB at nominal", words)[1]))
    assert carried[0] < carried[1] <= carried[2] == carried[3]


def test_a_policy_that_is_not_there_is_named(passes):
    code, _, words = passes("--antennas", "optmal")
    assert code == 2
    assert "did you mean 'optimal'?" in words
