"""`skyedge route`: where a service mesh sends requests, and what becomes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyedge.cli.route_figures import as_mapping
from skyedge.cli.route_requests import MOST_REQUESTS, requests_of
from skyedge.cli.route_rollout import rolled_out, rollout_sentence
from skyedge.cli.route_upgrade import ProxyUpgrade, upgrade_sentence, upgrades_compared
from skyedge.cli.route_ways import summary_of_ways, with_lines_down
from skyedge.cli.route_world import world_of
from skyedge.cli.route_zones import OPTION as WITHOUT_ZONE
from skyedge.cli.route_zones import without_control_plane, zone_losses_compared, zones_sentence
from skyedge.cli.whole_files import check_files, write_all
from skyedge.errors import InputError, nearest
from skyedge.kube import MESH, read_manifests
from skyedge.kube.documents import STANDARD_INPUT
from skyedge.kube.istio_values import seconds
from skyedge.kube.problem import Problem
from skyedge.layers.mesh.reading import MeshReading, read_mesh
from skyedge.layers.mesh.telemetry import as_dot, as_mermaid, exposition, topology, traces
from skyedge.layers.mesh.traffic import Network, Traffic, simulate
from skyedge.resources import find, find_all
from skyedge.wording import counted

MOST_ROWS = 40
"""A table on a terminal shows so many rows of a sort; JSON and YAML show all."""

TOPOLOGY_FORMS = {".dot": as_dot, ".mmd": as_mermaid}

SUMMARY = (
    ("answered", "answered"),
    ("failed", "failed"),
    ("denied", "denied"),
    ("rate_limited", "rate-limited"),
    ("circuit_breaks", "circuit breaks"),
    ("faults", "faults put in"),
    ("no_route", "without a route"),
    ("retries", "retries"),
    ("ejections", "ejections"),
    ("further_requests", "further requests by endpoints and mirrors"),
)

RUNS = "run(s) of the same requests"
TRIALS: Mapping[str, tuple[Mapping[str, str], Callable[[dict[str, Any]], str]]] = {
    "rollout": ({"intervals": "interval(s)"}, rollout_sentence),
    "upgrade": ({"runs": RUNS, "nodes": "node(s)"}, upgrade_sentence),
    "control_plane": ({"runs": RUNS}, zones_sentence),
}
"""What is printed of each thing that happens to a mesh: tables with their titles, and the sentence at the end."""


def route_command(
    files: Sequence[str],
    *,
    requests: str,
    explain: bool,
    source: str | None,
    form: str,
    strict: bool,
    seed: int,
    rate_per_s: float,
    delays: Sequence[str],
    down: Sequence[str],
    outputs: Mapping[str, Path | None],
    rollout: str | None = None,
    upgrade: ProxyUpgrade | None = None,
    without_zones: Sequence[str] = (),
) -> None:
    """Read manifests, send requests through the mesh and print what became of them.

    Args:
        down: edge nodes whose sites have no line.
        rollout: the name of a canary that they meet.
        upgrade: of the proxies of nodes, that they meet.
        without_zones: that the control plane loses meanwhile.
        outputs: files for ``traces``, ``metrics`` and ``topology``; None for those that are not wanted.
    """
    if [*files, requests].count(STANDARD_INPUT) > 1:
        raise InputError("standard input can be read only once")
    trials = {"--rollout": rollout is not None, "--upgrade-proxies": upgrade is not None, WITHOUT_ZONE: bool(without_zones)}
    _check_one(trials, explain=explain)
    _check_outputs(outputs)
    manifests = read_manifests(find_all(files, kind="experiments", but=(STANDARD_INPUT,)), kinds=MESH, strict=strict)
    if not manifests.by_type:
        raise InputError("there is no manifest for the mesh in this", where=", ".join(files))
    reading = read_mesh(manifests)
    if strict and reading.warnings:
        raise InputError(f"{reading.warnings[0]} (strict)")
    reading = with_lines_down(reading, manifests, down)
    network = Network(between_us=_delays(delays, reading), reach=reading.reach)
    requests = _requests(requests)
    if rollout is not None:
        result, traffic = rolled_out(
            manifests, reading, rollout, requests, source=source, seed=seed, rate_per_s=rate_per_s, network=network
        )
    else:
        world = world_of(manifests, reading, network)
        asking = without_control_plane(reading) if without_zones else reading
        asked = requests_of(requests, asking, source, seed, rate_per_s)
        if upgrade is not None:
            result, traffic = upgrades_compared(manifests, reading, world, asked, upgrade, seed)
        elif without_zones:
            result, traffic = zone_losses_compared(reading, world, asked, without_zones, seed)
        else:
            traffic = simulate(world.mesh, [one.timed for one in asked], world.behaviours, seed, controls=world.controls)
            result = as_mapping(reading, asked, traffic, explain=explain)
    if strict and result["warnings"]:
        raise InputError(f"{result['warnings'][0]} (strict)")
    result["warnings"] = [*manifests.warnings(), *reading.warnings, *result["warnings"]]
    _write(outputs, traffic)
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    elif form == "yaml":
        dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        yaml.dump(result, sys.stdout, Dumper=dumper, sort_keys=False, allow_unicode=True)
    else:
        _print(result)


def _check_one(trials: Mapping[str, bool], *, explain: bool) -> None:
    """One thing at a time happens to the mesh, and then single requests are not explained."""
    wanted = [option for option, is_wanted in trials.items() if is_wanted]
    if len(wanted) > 1:
        raise InputError(
            f"{wanted[0]} and {wanted[1]} are two trials: one at a time, so that what comes of it has one cause"
        )
    if wanted and explain:
        raise InputError(f"--explain is about single requests; {wanted[0]} says what came of them together")


def _found(file: str) -> str:
    """A file as it stands, or the one of that name in experiments/."""
    return file if file == STANDARD_INPUT or Path(file).exists() else str(find(file, kind="experiments"))


def _delays(said: Sequence[str], reading: MeshReading) -> dict[tuple[str, str], int]:
    """``svalbard,frankfurt=15ms``: one way, between regions."""
    regions = sorted({one.locality.region for one in (*reading.endpoints,)} | {w.locality.region for w in reading.workloads})
    found = {}
    for text in said:
        pair, mark, length = text.partition("=")
        names = [name.strip() for name in pair.split(",")]
        if not mark or len(names) != 2:
            raise InputError(f"a delay is written like REGION,REGION=15ms, not '{text}'", where="--delay")
        for name in names:
            if name not in regions:
                raise InputError(f"there is no region '{name}'", where="--delay", nearest=nearest(name, regions))
        if names[0] == names[1]:
            raise InputError(f"a delay is between two regions, and '{text}' names one", where="--delay")
        if (names[0], names[1]) in found:
            raise InputError(f"there is a delay from '{names[0]}' to '{names[1]}' already", where="--delay")
        try:
            found[names[0], names[1]] = round(seconds(length.strip()) * 1e6)
        except Problem as problem:
            raise InputError(problem.message, where="--delay", nearest=problem.nearest) from None
    return found


def _check_outputs(outputs: Mapping[str, Path | None]) -> None:
    """Say before the work that its result could not be written."""
    check_files({f"--{name}": path for name, path in outputs.items()})
    topology_file = outputs.get("topology")
    if topology_file is not None and topology_file.suffix not in TOPOLOGY_FORMS:
        forms = " or ".join(TOPOLOGY_FORMS)
        raise InputError(f"the topology is written as {forms}, not '{topology_file.suffix}'", where="--topology")


def _write(outputs: Mapping[str, Path | None], traffic: Traffic) -> None:
    calls, contents = traffic.calls, dict[Path, bytes]()
    for name, path in outputs.items():
        if path is None:
            continue
        if name == "traces":
            contents[path] = msgspec.json.format(msgspec.json.encode(traces(calls)), indent=1)
        elif name == "metrics":
            contents[path] = exposition(calls).encode()
        else:
            contents[path] = TOPOLOGY_FORMS[path.suffix](topology(calls)).encode()
    write_all(contents)


def _requests(text: str) -> str:
    """How many requests to make up, or the file that holds them."""
    if text.isdecimal():
        return text
    near = None
    if not Path(text).is_dir():
        try:
            return _found(text)
        except InputError as error:
            near = error.nearest
    words = f"'{text}' is neither a number from 1 to {MOST_REQUESTS:,} nor a file that is there"
    raise InputError(words, where="--requests", nearest=near)


def _print(result: dict[str, Any]) -> None:
    console, warn = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=max(console.width, 180))
    for warning in result["warnings"]:
        warn.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    for trial, (tables, sentence) in TRIALS.items():
        if trial in result:
            for key, title in tables.items():
                _print_rows(console, title, result[key])
            console.print(sentence(result), highlight=False, soft_wrap=True)
            return
    split = result["split"]
    no_flags = all(request["flags"] == "-" for request in result["requests"][:MOST_ROWS])
    _print_rows(console, "request(s)", result["requests"], skipped=("why", "ways", *(["flags"] if no_flags else [])))
    for number, request in enumerate(result["requests"][:MOST_ROWS], 1):
        if "why" in request:
            head = f"request {number}: {request['method']} {request['host']}{request['path']} from {request['from']}"
            console.print(head, style="bold", highlight=False, markup=False, soft_wrap=True)
            for line in request["why"]:
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    _print_rows(console, "destination(s)", split["destinations"])
    _print_rows(console, "way(s) between localities", split["localities"])
    _print_rows(console, "endpoint(s)", split["endpoints"])
    _print_rows(console, "ejection(s)", result["ejections"])
    _print_rows(console, "service(s): time from request to answer", result["latency"])
    _print_rows(console, "class(es) of service", result["classes"])
    console.print(_summary_line(result["summary"], result["failed_by_flags"]), highlight=False, soft_wrap=True)
    if "between_networks" in result and (line := summary_of_ways(result["between_networks"])):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _summary_line(counts: Mapping[str, int], failed_by_flags: Mapping[str, int]) -> str:
    """``9 requests: 4 answered, 5 failed (3 UH, 2 UT)``."""
    words = []
    for key, title in SUMMARY:
        if counts[key] or key in ("answered", "failed"):
            sorts = [f"{count:,} {'without a flag' if flags == '-' else flags}" for flags, count in failed_by_flags.items()]
            split = f" ({', '.join(sorts)})" if key == "failed" and len(sorts) > 1 else ""
            words.append(f"{counts[key]:,} {title}{split}")
    return f"{counted(counts['requests'], 'request(s)')}: {', '.join(words)}"


def _print_rows(console: Console, title: str, rows: Sequence[dict[str, Any]], skipped: Sequence[str] = ()) -> None:
    if not rows:
        return
    shown = rows[:MOST_ROWS]
    columns = [column for column in rows[0] if column not in skipped and any(row[column] != "" for row in shown)]
    table = Table(title=counted(len(rows), title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in shown:
        table.add_row(*[Text(_cell(row[column], column)) for column in columns])
    console.print(table)
    if len(rows) > len(shown):
        console.print(f"… and {len(rows) - len(shown):,} more; -o json prints all", highlight=False, soft_wrap=True)


def _cell(value: Any, column: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.endswith("share"):
        return f"{value:.1%}"
    return f"{value:.2f}" if column.endswith("ms") else str(value)
