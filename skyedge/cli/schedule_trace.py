"""`skyedge schedule --trace`: a recorded workload under several policies side by side, packed or in virtual time."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.inflation import Packing, pack_trace
from skyedge.layers.scheduler.objects import Queue
from skyedge.layers.scheduler.openb import NODE_FILES, POD_FILES, Trace, candidates, read_trace
from skyedge.layers.scheduler.policies import policy
from skyedge.layers.scheduler.replay import Job, Replay, replay
from skyedge.resources import check_folder, find

FORMATS = ("openb",)
PACKING_POLICIES = ("fgd", "bestfit", "random")
REPLAY_POLICIES = ("fgd", "bestfit", "default")
LARGEST_DEMAND = 100.0
SHOWN_PERCENTS = (80, 90, 100, 110, 120)

Figures = dict[str, Any]


def trace_command(
    directory: Path,
    *,
    format: str,
    policies: Sequence[str],
    demand: float | None,
    seed: int,
    nodes: str | None,
    pods: str | None,
    json_path: Path | None,
) -> None:
    """Run the trace of ``directory`` under each policy, print the figures side by side, and write them if asked.

    Args:
        policies: names or files of configurations; a few of each kind if there are none.
        demand: multiple of the cluster's GPUs up to which pods come and stay; with None pods come and go as recorded.
    """
    if format not in FORMATS:
        raise InputError(f"there is no trace format '{format}'", where="--format", nearest=nearest(format, FORMATS))
    if demand is not None and not 0 < demand <= LARGEST_DEMAND:
        raise InputError(f"must be more than 0 and at most {LARGEST_DEMAND:g}", where="--demand")
    names = list(dict.fromkeys(policies)) or list(REPLAY_POLICIES if demand is None else PACKING_POLICIES)
    chosen = {name: _policy(name) for name in names}
    _check_output(json_path)
    trace = read_trace(find(directory, kind="experiments"), nodes=nodes, pods=pods)
    wide = Console()
    console = wide if wide.is_terminal else Console(width=max(wide.width, 160))
    _say_what(console, trace, nodes, pods)
    if demand is None:
        jobs = _jobs(trace)
        queues = [Queue(name) for name in sorted(set(trace.queues))]
        figures = _each(chosen, lambda configuration: _replayed(trace, jobs, queues, configuration, seed))
        console.print(_replay_table(figures))
    else:
        figures = _each(chosen, lambda configuration: _packed(trace, configuration, demand, seed))
        console.print(_packing_table(figures, demand))
    console.print("decisions per second are a timing of this machine; all else is the same wherever it is run", style="dim")
    if json_path is not None:
        document = {
            "format": format,
            "nodes": trace.node_file.name,
            "pods": trace.pod_file.name,
            "seed": seed,
            "demand": demand,
            "cluster": {"nodes": len(trace.nodes), "gpus": trace.gpus, "pods": len(trace)},
            "policies": figures,
        }
        _write_whole(json_path, document)


def _policy(name: str) -> Configuration:
    try:
        return policy(name)
    except InputError as error:
        raise InputError(error.message, where=error.where or "--policy", nearest=error.nearest) from None


def _check_output(path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder; a file is wanted", where="--json")
    check_folder(path.parent, where="--json")


def _say_what(console: Console, trace: Trace, nodes: str | None, pods: str | None) -> None:
    """Which lists are used, and that there are others, if the user did not choose."""
    for path, prefix, option, said in (
        (trace.node_file, NODE_FILES, "--nodes", nodes),
        (trace.pod_file, POD_FILES, "--pods", pods),
    ):
        many = len(candidates(path.parent, prefix))
        note = f" (one of {many}; {option} takes another)" if said is None and many > 1 else ""
        console.print(f"{path.name}{note}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{len(trace.nodes):,} nodes, {trace.gpus:,} GPUs, {len(trace):,} pods", highlight=False)


def _each(chosen: dict[str, Configuration], run: Callable[[Configuration], tuple[Figures, int]]) -> dict[str, Figures]:
    """The figures of each policy, with how quick it was."""
    progress = Console(stderr=True)
    figures = {}
    for name, configuration in chosen.items():
        with progress.status(f"{name} …"):
            began_s = time.perf_counter()
            of_policy, decisions = run(configuration)
            took_s = time.perf_counter() - began_s
        timing = {"seconds": took_s, "decisions_per_second": decisions / max(took_s, 1e-9)}
        figures[name] = {**of_policy, "timing": timing}
    return figures


def _packed(trace: Trace, configuration: Configuration, demand: float, seed: int) -> tuple[Figures, int]:
    packing: Packing = pack_trace(trace, configuration, demand, seed)
    whole = packing.cluster_milli
    percents = packing.allocation_percent()
    return {
        "allocation_percent": {str(percent): round(value, 4) for percent, value in percents.items()},
        "final_allocation_percent": round(100.0 * float(packing.allocated_milli[-1]) / whole, 4),
        "fragmentation_percent": round(100.0 * packing.fragmented_milli / whole, 4),
        "fragmentation_of_unallocated_percent": round(
            100.0 * packing.fragmented_milli / max(packing.unallocated_milli, 1), 4
        ),
        "pods": len(packing.node),
        "refused": packing.refused,
    }, len(packing.node)


def _replayed(
    trace: Trace, jobs: Sequence[Job], queues: Sequence[Queue], configuration: Configuration, seed: int
) -> tuple[Figures, int]:
    outcome: Replay = replay(trace.nodes, jobs, queues, configuration, seed=seed)
    return outcome.figures(), outcome.placements


def _jobs(trace: Trace) -> list[Job]:
    unsaid = np.flatnonzero(np.isnan(trace.created_s))
    if len(unsaid):
        pod = trace.names[int(unsaid[0])]
        sentence = f"pod '{pod}' has no creation_time, so it cannot be replayed; --demand needs none"
        raise InputError(sentence, where=trace.pod_file)
    columns = (trace.names, trace.created_s.tolist(), trace.duration_s.tolist(), trace.shapes, trace.queues)
    return [Job(name, came, ran, (shape,), queue) for name, came, ran, shape, queue in zip(*columns, strict=True)]


def _packing_table(figures: dict[str, Figures], demand: float) -> Table:
    title = f"GPUs allocated, in percent of the cluster's, as demand grows to {100 * demand:g} % of them"
    percents = [percent for percent in SHOWN_PERCENTS if percent < math.floor(100 * demand)]
    columns = [*(f"at {percent} %" for percent in percents), "at the end", "fragment %", "pods", "refused", "decisions/s"]
    rows = {
        name: [
            *(f"{of['allocation_percent'][str(percent)]:.2f}" for percent in percents),
            f"{of['final_allocation_percent']:.2f}",
            f"{of['fragmentation_percent']:.2f}",
            f"{of['pods']:,}",
            f"{of['refused']:,}",
            f"{of['timing']['decisions_per_second']:,.0f}",
        ]
        for name, of in figures.items()
    }
    return _table(title, columns, rows)


REPLAY_ROWS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "allocation_percent": ("GPU allocation, mean over time %", lambda value: f"{value:.2f}"),
    "cpu_allocation_percent": ("CPU allocation, mean over time %", lambda value: f"{value:.2f}"),
    "fragmentation_percent": ("GPU fragment, mean over time %", lambda value: f"{value:.2f}"),
    "queueing_mean_s": ("queueing time, mean", lambda value: _span(value)),
    "queueing_p95_s": ("queueing time, p95", lambda value: _span(value)),
    "completion_mean_s": ("completion time, mean", lambda value: _span(value)),
    "completion_p95_s": ("completion time, p95", lambda value: _span(value)),
    "makespan_s": ("makespan", lambda value: _span(value)),
    "fairness": ("fairness between queues (Jain)", lambda value: f"{value:.3f}"),
    "jobs_per_hour": ("jobs finished an hour", lambda value: f"{value:,.1f}"),
    "finished": ("jobs finished", lambda value: f"{value:,}"),
    "never_started": ("jobs that never started", lambda value: f"{value:,}"),
    "impossible": ("… too large for the cluster", lambda value: f"{value:,}"),
    "deadlocks": ("deadlocks", lambda value: f"{value:,}"),
    "evictions": ("pods evicted", lambda value: f"{value:,}"),
}


def _replay_table(figures: dict[str, Figures]) -> Table:
    rows = {
        label: ["–" if of[key] is None else show(of[key]) for of in figures.values()]
        for key, (label, show) in REPLAY_ROWS.items()
    }
    rows["decisions/s"] = [f"{of['timing']['decisions_per_second']:,.0f}" for of in figures.values()]
    return _table("Replayed in virtual time", list(figures), rows)


def _table(title: str, columns: Sequence[str], rows: dict[str, list[str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(Text(column), justify="right")
    for name, cells in rows.items():
        table.add_row(Text(name), *cells)
    return table


def _span(seconds: float) -> str:
    """A length of time in the unit that it is read best in."""
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds:.1f} s"


def _write_whole(path: Path, document: Figures) -> None:
    """Write a JSON file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
    finally:
        partial.unlink(missing_ok=True)
    print(f"figures: {path}", file=sys.stderr)
