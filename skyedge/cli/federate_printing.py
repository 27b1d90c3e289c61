"""How what a federation decided is printed: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyedge.cli.federate_failover import afterwards_words
from skyedge.wording import counted

MOST_ROWS = 40
"""A table on a terminal shows so many rows of a sort; JSON and YAML show all."""


def print_result(result: Mapping[str, Any], form: str) -> None:
    """Print a decision as ``json``, ``yaml`` or ``table``."""
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    elif form == "yaml":
        dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        yaml.dump(dict(result), sys.stdout, Dumper=dumper, sort_keys=False, allow_unicode=True)
    else:
        _print_tables(result)


def _print_tables(result: Mapping[str, Any]) -> None:
    console, warn = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=max(console.width, 180))
    for sentence in result["warnings"]:
        warn.print(f"warning: {sentence}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    _print_rows(console, "placed", result["placed"], ("resource", "clusters", "how", "group", "policy"))
    for row in result["not_placed"]:
        policy = f" ({row['policy']})" if row["policy"] else ""
        sentence = f"{row['resource']} runs nowhere{policy}: {row['reason']}"
        console.print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)
    _print_rows(console, "follower(s)", result["followers"], ("resource", "clusters", "needed_by"))
    _print_rows(console, "overridden", result["overridden"], ("cluster", "resource", "by"))
    for name, verdicts in result.get("why", {}).items():
        columns = ("cluster", "replicas", "holds_it", "score", "room", "running", "tier", "because")
        _print_rows(console, f"cluster(s) for {name}", verdicts, columns)
    _print_rows(console, "member(s)", result.get("members", ()), ("cluster", "origin", "phase"))
    of_scaled = ("resource", "autoscaler", "replicas", "wanted", "because")
    _print_rows(console, "scaled, by what is measured or by the clock", result.get("scaled", ()), of_scaled)
    of_rules = ("rule", "cluster", "resource", "enforced", "what")
    _print_rows(console, "broken rule(s)", result.get("violations", ()), of_rules)
    for row in result.get("refused", ()):
        console.print(row["words"], style="red", highlight=False, markup=False, soft_wrap=True)
    for row in result.get("stuck", ()):
        stay = counted(row["replicas"], "replica(s)")
        words = f"{row['cluster']} cannot be drained of {row['resource']} ({stay}): {row['because']}"
        console.print(words, style="red", highlight=False, markup=False, soft_wrap=True)
    _print_rows(console, "driven out by a taint", result["leaving"], ("resource", "cluster", "after_s"))
    for cluster, times in result["overcommitted"].items():
        words = ", ".join(
            f"{resource}, of which none is free" if factor is None else f"{factor:.2g} times the {resource} that is free"
            for resource, factor in times.items()
        )
        sentence = f"all workloads together ask of {cluster} {words}: each is placed by the room for it alone"
        console.print(sentence, style="yellow", highlight=False, markup=False, soft_wrap=True)
    counts = result["summary"]
    words = f"{counts['placed']:,} placed with {counted(counts['replicas'], 'replica(s)')}, {counts['not_placed']:,} not"
    over, told = counted(counts["clusters"], "cluster(s)"), counted(counts["manifests"], "manifest(s)")
    console.print(f"{over}: {words}; {told}", highlight=False)
    if "timeline" in result:
        console.print()
        _print_rows(console, "event(s)", result["timeline"], ("at", "at_s", "event", "words"))
    if "afterwards" in result:
        *lost, total = afterwards_words(result["afterwards"])
        for sentence in lost:
            console.print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)
        console.print(total, highlight=False, markup=False, soft_wrap=True)


def _print_rows(console: Console, title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        return
    shown = rows[:MOST_ROWS]
    columns = [column for column in columns if any(row.get(column) not in (None, "") for row in shown)]
    # Not the table's own title, which would be wrapped where the table is narrower.
    console.print(counted(len(rows), title), style="italic", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in shown:
        table.add_row(*[Text(_words(row.get(column, ""))) for column in columns])
    console.print(table)
    if len(rows) > len(shown):
        console.print(f"… and {len(rows) - len(shown):,} more; -o json prints all", highlight=False, soft_wrap=True)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count:,}" for name, count in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
