#!/usr/bin/env python3
"""Run conformance cases through skyedge's public API: ``run.py FILE... [--json OUT]``.

Exit code 0 if all core cases pass, 1 if not, 2 if a file cannot be read as cases.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import ADAPTERS, IDLE, Answer
from cases import TIERS, Case, read_cases
from compare import matches

from skyedge.errors import InputError, SkyedgeError

NO_ADAPTER = "no adapter for this kind"


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        got: the answer, or the sentence of the error in its place.
        passes_idle: whether doing nothing would pass it too; None where doing nothing has no meaning.
    """

    case: Case
    passed: bool
    got: Any
    passes_idle: bool | None = None


def run_case(case: Case) -> Result:
    """Run one case; what goes wrong in it is its own failure."""
    adapter = ADAPTERS.get(case.kind)
    if adapter is None:
        return Result(case, False, NO_ADAPTER)
    refused, got = False, None
    try:
        got = adapter(case.input)
    except SkyedgeError as error:
        refused, got = isinstance(error, InputError), str(error)
    except Exception as error:  # a bug behind one case must not hide the others
        got = f"{type(error).__name__}: {error}"
    if case.expected.get("error") is True:
        return Result(case, refused, got)
    return Result(case, isinstance(got, dict) and matches(case.kind, case.expected, got), got, _passes_idle(case))


def _passes_idle(case: Case) -> bool | None:
    idle = IDLE.get(case.kind)
    if idle is None:
        return None
    try:
        return matches(case.kind, case.expected, idle(case.input))
    except Exception:  # the case itself has failed in the same place
        return False


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Counts by tier and by kind, failures, and how much of it needs an action at all."""
    kinds = dict.fromkeys(result.case.kind for result in results)
    counts: dict[str, Any] = {tier: _count(r for r in results if r.case.tier == tier) for tier in TIERS}
    counts["kinds"] = {kind: _count(r for r in results if r.case.kind == kind) for kind in kinds}
    counts["needing_action"] = _count(r for r in results if r.passes_idle is False)
    counts["passed_by_doing_nothing"] = _count(r for r in results if r.passes_idle)
    counts["failures"] = [
        {"id": r.case.id, "expected": dict(r.case.expected), "got": r.got} for r in results if not r.passed
    ]
    return counts


def _count(results: Any) -> dict[str, int]:
    tally = Counter(result.passed for result in results)
    return {"passed": tally[True], "total": tally[True] + tally[False]}


def table(results: Sequence[Result]) -> str:
    """Passed/total by kind and tier."""
    kinds = list(dict.fromkeys(result.case.kind for result in results))
    width = max((len(kind) for kind in kinds), default=4)
    rows = [("", *TIERS)]
    for kind in (*kinds, "all"):
        mine = [result for result in results if kind in (result.case.kind, "all")]
        cells = [_count(result for result in mine if result.case.tier == tier) for tier in TIERS]
        rows.append((kind, *[f"{cell['passed']}/{cell['total']}" if cell["total"] else "" for cell in cells]))
    return "\n".join(f"  {name:<{width}}  {core:>8}  {advanced:>8}".rstrip() for name, core, advanced in rows)


def report(name: str, results: Sequence[Result]) -> str:
    """The table of a file, what needs an action, and each failure."""
    lines = [name, table(results)]
    asked = [result for result in results if result.passes_idle is not None]
    if asked:
        kinds = " and ".join(f"{kind}s" for kind in dict.fromkeys(result.case.kind for result in asked))
        idle = sum(result.passes_idle is True for result in asked)
        acting = _count(result for result in asked if not result.passes_idle)
        lines.append(
            f"  A scheduler that does nothing passes {idle} of {len(asked)} {kinds};"
            f" of the {acting['total']} that need an action, {acting['passed']} pass here."
        )
    for result in results:
        if not result.passed:
            case = result.case
            got = result.got if isinstance(result.got, str) else json.dumps(_asked(case.expected, result.got))
            lines.append(f"  FAILED {case.id} ({case.kind}, {case.tier}): {case.description}")
            lines.append(f"    expected {json.dumps(dict(case.expected))}")
            lines.append(f"    got      {got}")
    return "\n".join(lines)


def _asked(expected: Mapping[str, Any], got: Answer) -> Answer:
    return {key: value for key, value in got.items() if key in expected} or got


def write_whole(path: Path, content: Any) -> None:
    """Write JSON, or nothing.

    Raises:
        InputError: if there is no writing there.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"this cannot be written ({error.strerror})", where=path) from None


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Run conformance cases through skyedge's public API.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="cases, see tests/conformance/README.md")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the counts and the failures there")
    options = parser.parse_args(arguments)
    try:
        by_file: dict[str, list[Case]] = {}
        for path in options.files:
            if path.name in by_file:
                raise InputError(f"two files are called '{path.name}'", where=path)
            by_file[path.name] = read_cases(path)
        results = {name: [run_case(case) for case in cases] for name, cases in by_file.items()}
        if options.json is not None:
            write_whole(options.json, {name: summary(of_file) for name, of_file in results.items()})
        _say("\n\n".join(report(name, of_file) for name, of_file in results.items()))
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    core = [result for of_file in results.values() for result in of_file if result.case.tier == "core"]
    return 0 if all(result.passed for result in core) else 1


if __name__ == "__main__":
    sys.exit(main())
