"""Reading a file of conformance cases; README.md beside this describes its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyedge.errors import InputError, nearest

TIERS = ("core", "advanced")


@dataclass(frozen=True)
class Case:
    """One fact: what an operation must answer to an input."""

    id: str
    kind: str
    tier: str
    input: Mapping[str, Any]
    expected: Mapping[str, Any]
    description: str = ""


def read_cases(path: Path) -> list[Case]:
    """The cases of a file.

    Raises:
        InputError: if there is no such file, or it is not JSON, or not of the schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = nearest(path.name, [p.name for p in path.parent.glob("*.json")]) if path.parent.is_dir() else None
        raise InputError("there is no such file", where=path, nearest=near) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"this cannot be read as text ({error})", where=path) from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"this is not JSON ({error.msg})", where=f"{path}:{error.lineno}") from None
    if not isinstance(content, dict) or not isinstance(content.get("cases"), list):
        raise InputError("a file of cases is an object with a list 'cases'", where=path)
    cases = [_case(given, f"{path}: cases[{number}]") for number, given in enumerate(content["cases"])]
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InputError(f"the case '{case.id}' is there twice", where=path)
        seen.add(case.id)
    return cases


def _case(given: Any, where: str) -> Case:
    if not isinstance(given, dict):
        raise InputError("a case is an object", where=where)
    for field, kind, word in (
        ("id", str, "a word"),
        ("kind", str, "a word"),
        ("tier", str, "a word"),
        ("input", dict, "an object"),
        ("expected", dict, "an object"),
    ):
        if not isinstance(given.get(field), kind):
            raise InputError(f"a case has a field '{field}', {word}", where=where, nearest=nearest(field, given))
    if given["tier"] not in TIERS:
        right = nearest(given["tier"], TIERS)
        raise InputError(f"a case is core or advanced, not '{given['tier']}'", where=f"{where}.tier", nearest=right)
    text = given.get("description")
    return Case(
        given["id"], given["kind"], given["tier"], given["input"], given["expected"], text if isinstance(text, str) else ""
    )
