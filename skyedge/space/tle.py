"""Two-line element sets: read strictly, since a wrong column is a wrong orbit and not an error further on.

The columns are those of the format's public description (e.g. Vallado 2013, section 2.4.2).  SGP4's own reader takes
whatever a column holds for a number.
"""

from __future__ import annotations

import re
from pathlib import Path

from sgp4.api import Satrec

from skyedge.errors import InputError

_LENGTH = 69
_NUMBER = r" *[-+]?\d*\.?\d+ *"
_POWER = r" *[-+]?\d{1,5}[-+ ]\d *| *"  # 28098-4 is 0.28098e-4
_WHOLE = r" *\d+ *"
_FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "1": (
        ("satellite number", 2, 7, r" *[0-9A-HJ-NP-Z]?\d+ *"),
        ("epoch", 18, 32, r"[ \d]\d[ \d]{3}(\.\d*)? *"),
        ("first derivative of the mean motion", 33, 43, _NUMBER),
        ("second derivative of the mean motion", 44, 52, _POWER),
        ("drag term", 53, 61, _POWER),
    ),
    "2": (
        ("satellite number", 2, 7, r" *[0-9A-HJ-NP-Z]?\d+ *"),
        ("inclination", 8, 16, _NUMBER),
        ("right ascension of the node", 17, 25, _NUMBER),
        ("eccentricity", 26, 33, _WHOLE),
        ("argument of perigee", 34, 42, _NUMBER),
        ("mean anomaly", 43, 51, _NUMBER),
        ("mean motion", 52, 63, _NUMBER),
    ),
}


def parse_tle(text: str, path: Path) -> list[tuple[str, Satrec]]:
    """Names and records of two- or three-line element sets; lines that begin with # are passed over.

    What follows the checksum after a blank, as in the verification cases of SGP4, is not part of the set.

    Raises:
        InputError: with file and line, for a line that is not what it should be.
    """
    sets: list[tuple[str, Satrec]] = []
    title, first, first_at = "", "", ""
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line, where = raw.rstrip(), f"{path}:{number}"
        if not line or line.startswith("#"):
            continue
        if first:
            if not line.startswith("2 "):
                raise InputError("line 2 of an element set should follow here", where=where)
            check_tle_line(line, where)
            if line[2:7] != first[2:7]:
                raise InputError(f"line 2 is of satellite {line[2:7]}, line 1 of {first[2:7]}", where=where)
            sets.append((title or line[2:7].strip(), _record(first, line[:_LENGTH], where)))
            title, first = "", ""
        elif line.startswith("1 "):
            check_tle_line(line, where)
            first, first_at = line[:_LENGTH], where
        elif re.match(r"2 [ \w]{5} ", line) and len(line) >= _LENGTH - 1:
            raise InputError("line 2 of an element set has no line 1 before it", where=where)
        else:
            title = line.removeprefix("0 ").strip()
    if first:
        raise InputError("this element set has no line 2", where=first_at)
    return sets


def check_tle_line(line: str, where: str) -> None:
    """Check length, checksum (the sum of the digits, a minus counting as one, modulo ten) and columns of a TLE line."""
    if not line.isascii():
        raise InputError("a line of an element set is plain ASCII", where=where)
    if len(line) < _LENGTH or line[_LENGTH : _LENGTH + 1].strip():
        raise InputError(f"a line of an element set has {_LENGTH} characters, this one {len(line)}", where=where)
    total = sum(int(c) if c.isdigit() else c == "-" for c in line[: _LENGTH - 1]) % 10
    checksum = line[_LENGTH - 1]
    if not checksum.isdigit() or int(checksum) != total:
        raise InputError(f"the checksum is {checksum} but the line adds up to {total}", where=where)
    for name, begin, end, pattern in _FIELDS[line[0]]:
        if not re.fullmatch(pattern, line[begin:end]):
            raise InputError(f"the {name} (columns {begin + 1} to {end}) is '{line[begin:end]}'", where=where)


def _record(first: str, second: str, where: str) -> Satrec:
    inclination_deg, revolutions_a_day = float(second[8:16]), float(second[52:63])
    if not 0 <= inclination_deg <= 180:
        raise InputError(f"the inclination is {inclination_deg:g}, not between 0 and 180", where=where)
    if not 0 < revolutions_a_day <= 20:
        raise InputError(f"the mean motion is {revolutions_a_day:g} revolutions a day, not between 0 and 20", where=where)
    try:
        return Satrec.twoline2rv(first, second)
    except ValueError as error:
        raise InputError(f"SGP4 cannot read this element set: {error}", where=where) from None
