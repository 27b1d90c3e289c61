"""`skyedge schedule`: one cycle of the batch scheduler over manifests.  Useful alone, to anyone with a cluster's files."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifests, read_manifests, scheduler_configurations
from skyedge.kube.documents import STANDARD_INPUT
from skyedge.layers.scheduler import Configuration, Decision, Snapshot, schedule
from skyedge.layers.scheduler.objects import GroupPhase, PodPhase
from skyedge.layers.scheduler.reading import read_cluster, read_configuration
from skyedge.layers.scheduler.shared_state import Sharding, schedule_shared
from skyedge.resources import find, find_all
from skyedge.time import SECOND, parse_utc

MOST_ROWS = 40
"""A table on a terminal shows so many rows of a sort; JSON and YAML show all."""


def schedule_command(
    files: Sequence[str],
    *,
    configuration_file: str | None,
    explain: bool,
    form: str,
    strict: bool,
    at: str | None,
    schedulers: int,
    sharding: str,
) -> None:
    """Read manifests, run one cycle and print what was decided."""
    if sharding not in get_args(Sharding):
        raise InputError(
            f"there is no sharding '{sharding}'", where="--sharding", nearest=nearest(sharding, get_args(Sharding))
        )
    if [*files, configuration_file].count(STANDARD_INPUT) > 1:
        raise InputError("standard input can be read only once")
    with _no_garbage():
        manifests = read_manifests(find_all(files, kind="experiments", but=(STANDARD_INPUT,)), strict=strict)
        if not manifests.by_type:
            raise InputError("there is no manifest for the scheduler in this", where=", ".join(files))
        configuration = _configuration(manifests, configuration_file)
        reading = read_cluster(manifests, now_s=_at(at))
        if strict and reading.warnings:
            raise InputError(f"{reading.warnings[0]} (strict)")
        warnings = [*manifests.warnings(), *reading.warnings]
        result = _decided(reading.snapshot, configuration, warnings, explain, schedulers, sharding)
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    elif form == "yaml":
        dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        yaml.dump(result, sys.stdout, Dumper=dumper, sort_keys=False, allow_unicode=True)
    else:
        _print(result)


def _decided(
    snapshot: Snapshot, configuration: Configuration, warnings: list[str], explain: bool, schedulers: int, sharding: str
) -> dict[str, Any]:
    """What one scheduler decides, or several that share the cluster."""
    if schedulers == 1:
        return as_mapping(schedule(snapshot, configuration, explain=explain), warnings)
    shared = schedule_shared(snapshot, configuration, schedulers, sharding=sharding, explain=explain)  # type: ignore[arg-type]
    counts = {"schedulers": schedulers, "rounds": shared.rounds, "commits": shared.commits, "conflicts": shared.conflicts}
    return {**as_mapping(shared.decision, warnings), "shared": counts}


def check_mode(
    files: Sequence[str], trace: Path | None, of_trace: Mapping[str, object], of_files: Mapping[str, object]
) -> None:
    """Check that either files or a trace were given, and no option that means nothing to what was given."""
    if trace is not None and files:
        raise InputError("give either files of manifests or --trace, not both")
    if trace is None and not files:
        raise InputError("files of manifests are needed, or --trace DIR")
    lonely = [
        option
        for option, value in (of_trace if trace is None else of_files).items()
        if value is not None and value is not False
    ]
    if lonely and trace is None:
        raise InputError("this is an option of --trace, and no trace was given", where=lonely[0])
    if lonely:
        raise InputError("this is an option for files of manifests, and means nothing to a trace", where=lonely[0])


def as_mapping(decision: Decision, warnings: Sequence[str]) -> dict[str, Any]:
    """All of a decision by name, in the order of (age, name): what ``-o json`` prints.

    ``summary`` counts; ``binds`` and ``pipelined`` are lists of pod and node (and ``devices`` where a pod shares GPUs),
    ``evicted`` and ``waiting`` of pods, ``groups`` of pod groups with their phase before and after the cycle.  Of the
    groups, ``never`` says why one can never run as it stands.  ``why`` is there if explanations were asked for.
    """
    snapshot = decision.snapshot
    pods, groups = snapshot.pods, snapshot.groups
    why = decision.explanations
    decided = np.zeros(len(pods), np.bool_)
    decided[decision.bound_pods] = decided[decision.pipelined_pods] = True
    waiting = np.flatnonzero((pods.phase == PodPhase.PENDING) & ~decided)
    holding = np.isin(pods.phase, (PodPhase.BOUND, PodPhase.RUNNING, PodPhase.SUCCEEDED))
    holding[decision.evicted_pods] = False
    holding[decision.bound_pods] = True
    placed = np.bincount(pods.group[holding], minlength=len(groups)).tolist()

    def of_pod(row: int, **more: Any) -> dict[str, Any]:
        name = pods.names[row]
        return {"pod": name, **more} | ({"why": why.pods[name]} if why and name in why.pods else {})

    def of_group(row: int) -> dict[str, Any]:
        name = groups.names[row]
        said = {
            "group": name,
            "queue": snapshot.queues.names[groups.queue[row]],
            "phase_before": GroupPhase(groups.phase[row]).name.capitalize(),
            "phase": GroupPhase(decision.group_phase[row]).name.capitalize(),
            "min_member": int(groups.min_member[row]),
            "placed": placed[row],
        }
        if name in decision.impossible:
            said["never"] = decision.impossible[name]
        if why and name in why.groups:
            said["why"] = why.groups[name]
        return said

    def placements(rows: np.ndarray, nodes: np.ndarray) -> Iterator[dict[str, Any]]:
        for row, node in zip(rows.tolist(), nodes.tolist(), strict=True):
            devices = {"devices": decision.devices[row]} if decision.devices.get(row) else {}
            yield of_pod(row, node=snapshot.nodes.names[node], **devices)

    return {
        "summary": {
            "nodes": len(snapshot.nodes),
            "pods": len(pods),
            "bound": len(decision.bound_pods),
            "pipelined": len(decision.pipelined_pods),
            "evicted": len(decision.evicted_pods),
            "waiting": len(waiting),
            "groups": len(groups),
            "never": len(decision.impossible),
        },
        "binds": list(placements(decision.bound_pods, decision.bound_nodes)),
        "pipelined": list(placements(decision.pipelined_pods, decision.pipelined_nodes)),
        "evicted": [of_pod(row) for row in decision.evicted_pods.tolist()],
        "waiting": [of_pod(row) for row in waiting.tolist()],
        "groups": [of_group(row) for row in range(len(groups))],
        "warnings": list(warnings),
    }


def _found(file: str) -> str:
    """A file as it stands, or the one of that name in experiments/."""
    return file if file == STANDARD_INPUT or Path(file).exists() else str(find(file, kind="experiments"))


def _configuration(manifests: Manifests, file: str | None) -> Configuration:
    """The configuration of ``file``, or else the one among the manifests, or else Volcano's default."""
    if file is None:
        return read_configuration(manifests)
    there = read_manifests([_found(file)])
    if not scheduler_configurations(there):
        raise InputError("there is no scheduler configuration in this", where=file)
    return read_configuration(there)


def _at(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_utc(text) / SECOND
    except InputError as error:
        raise InputError(error.message, where="--at") from None


@contextmanager
def _no_garbage() -> Iterator[None]:
    """A hundred thousand pods are a million objects that stay: looking through them for garbage doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _print(result: dict[str, Any]) -> None:
    console, warn = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=max(console.width, 180))
    for sentence in result["warnings"]:
        warn.print(f"warning: {sentence}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    titles = {"binds": "bound", "pipelined": "pipelined: reserved on what is being released", "evicted": "evicted"}
    for key, title in (titles | {"waiting": "waiting"}).items():
        _print_rows(console, title, result[key], ("pod", "node", "devices", "why"))
    _print_rows(console, "pod groups", result["groups"], ("group", "queue", "phase", "placed", "min_member", "why"))
    for group in result["groups"]:
        if "never" in group:
            sentence = f"{group['group']} can never run as it stands: {group['never']}"
            console.print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)
    counts = result["summary"]
    if "shared" in result:
        shared = result["shared"]
        tries = f"{sum(shared['commits']):,} jobs committed, {sum(shared['conflicts']):,} conflicts"
        console.print(
            f"{shared['schedulers']} schedulers, {shared['rounds']} rounds: {tries}", highlight=False, soft_wrap=True
        )
    words = ", ".join(f"{counts[key]:,} {key}" for key in ("bound", "pipelined", "evicted", "waiting"))
    console.print(f"{counts['pods']:,} pods on {counts['nodes']:,} nodes: {words}", highlight=False, soft_wrap=True)


def _print_rows(console: Console, title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        return
    shown = rows[:MOST_ROWS]
    columns = [column for column in columns if any(column in row for row in shown)]
    table = Table(title=f"{len(rows):,} {title}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in shown:
        table.add_row(*[_cell(row, column) for column in columns])
    console.print(table)
    if len(rows) > len(shown):
        console.print(f"… and {len(rows) - len(shown):,} more; -o json prints all", highlight=False, soft_wrap=True)


def _cell(row: dict[str, Any], column: str) -> Text:
    value = row.get(column, "")
    if column == "phase" and row["phase_before"] != value:
        return Text(f"{row['phase_before']} → {value}")
    return Text(", ".join(map(str, value)) if isinstance(value, list) else str(value))
