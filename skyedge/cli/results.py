"""What every run shares on the command line, of an experiment or a study: console, progress, Ray, where results go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from skyedge.errors import InputError, RunStopped
from skyedge.experiment.tracking import check_store
from skyedge.resources import check_folder
from skyedge.runtime.stopping import StopSignals

Result = TypeVar("Result")


class PatientConsole(Console):
    """Goes on in silence when whoever reads the output has gone: what a run finds is in files."""

    def on_broken_pipe(self) -> None:
        """Let what is printed from here on go nowhere."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wide_console() -> Console:
    """A console that does not squeeze the table when the output goes to a file."""
    console = PatientConsole()
    return console if console.is_terminal else PatientConsole(width=max(console.width, 180))


def check_outputs(output: Path, json_path: Path | None) -> None:
    """Say now, and not after hours of work, that a result could not be written.

    Raises:
        InputError: if so.
    """
    check_folder(output, where="--output")
    check_store(output)
    if json_path is not None:
        if json_path.is_dir():
            raise InputError(f"{json_path} is a folder; a file is wanted", where="--json")
        check_folder(json_path.parent, where="--json")


def until_stopped(work: Callable[[], None], finished: Sized, signals: StopSignals, console: Console) -> bool:
    """Do ``work``, which fills ``finished``; whether the user stopped it and there is something to put away.

    Raises:
        RunStopped: if the user stopped it before anything was finished.
    """
    stopped = False
    try:
        work()
    except KeyboardInterrupt:
        if not len(finished):
            raise RunStopped("stopped before a run was finished; there is nothing to keep") from None
        stopped = True
    signals.close()
    if stopped:
        console.print("stopped; putting away what is finished", style="yellow")
    return stopped


def enter_ray(stack: ExitStack, address: str | None, cores: int, signals: StopSignals, console: Console) -> Any:
    """Start Ray, or join it at ``address``, until ``stack`` is left."""
    from skyedge.runtime.ray_cluster import cluster

    with console.status("starting Ray" if address is None else f"joining Ray at {address}"), signals.held():
        # A Ray that is stopped half-way up would leave processes behind.
        ray = stack.enter_context(cluster(address, cores))
        signals.take_over()
    return ray


def progress_of(results: Iterator[Result], total: int, named: Callable[[Result], str], console: Console) -> Iterator[Result]:
    """``results`` as they come, with a bar that says which was the last."""
    columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("running", total=total)
        for result in results:
            progress.update(task, advance=1, description=named(result))
            yield result


def name_results(report: Path, uri: str, run_id: str, console: Console) -> None:
    """Say where the report and the runs are."""
    console.print(f"report  {report}", soft_wrap=True, highlight=False)
    console.print(f"MLflow  {uri}  run {run_id}", soft_wrap=True, highlight=False)
    console.print(f"        to look: mlflow ui --backend-store-uri {uri}", soft_wrap=True, highlight=False)
