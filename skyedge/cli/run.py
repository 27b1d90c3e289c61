"""`skyedge run` and `skyedge report` of an experiment: from the file to the table, the store and the report."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from skyedge.cli.results import check_outputs, enter_ray, name_results, progress_of, until_stopped, wide_console
from skyedge.cli.stopped import log_below, log_fragments
from skyedge.earth.scenes import SceneTable
from skyedge.errors import InputError, RunStopped
from skyedge.experiment.loading import canonical, digest, load_experiment, resolve_arm
from skyedge.experiment.metrics import RunMetrics, measure
from skyedge.experiment.outcome import Outcome, conclude, equal_bytes_table, terminal_tables
from skyedge.experiment.preflight import check_experiment
from skyedge.experiment.records import RunRecord
from skyedge.experiment.report import write_report
from skyedge.experiment.run import prepare, record_path, run_experiment
from skyedge.experiment.spec import Experiment
from skyedge.runtime.stopping import StopSignals
from skyedge.time import parse_duration

Results = dict[tuple[str, int], tuple[RunRecord, RunMetrics]]


def run_command(
    name: str,
    overrides: list[str],
    *,
    seeds: str | None,
    arms: list[str],
    address: str | None,
    json_path: Path | None,
    resume: bool,
    output: Path,
) -> None:
    """Run, print, log, report.

    Raises:
        RunStopped: after Ctrl-C, when what was finished has been logged.
    """
    console = wide_console()
    with StopSignals() as signals:
        results: Results = {}
        experiment = load_experiment(name, overrides, seeds=seeds, arms=arms)
        check_outputs(output, json_path)

        def fly() -> None:
            _fly(experiment, results, signals, console, address=address, resume=resume, output=output)

        stopped = until_stopped(fly, results, signals, console)
        _finish(experiment, results, output, json_path, console, stopped=stopped)


def _fly(
    experiment: Experiment,
    results: Results,
    signals: StopSignals,
    console: Console,
    *,
    address: str | None,
    resume: bool,
    output: Path,
) -> None:
    """Run every arm with every seed into ``results``, which keeps what was finished if this is stopped."""
    # Whatever is wrong with the input is said before Ray is started and before anything is written.
    sky = check_experiment(experiment)
    for warning in sky.constellation.stale(sky.start)[:1]:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True, highlight=False)
    total = len(experiment.seeds) * len(experiment.arms)
    with ExitStack() as stack:
        ray, cores = None, experiment.runtime.workers or len(os.sched_getaffinity(0))
        if experiment.runtime.hosting != "in-process":
            ray = enter_ray(stack, address, cores, signals, console)
        output.mkdir(parents=True, exist_ok=True)
        runs = stack.enter_context(closing(run_experiment(experiment, output, resume=resume, ray=ray, workers=cores)))
        for record, scenes in progress_of(runs, total, lambda run: f"{run[0].arm}, seed {run[0].seed}", console):
            if scenes is None:
                scenes = _scenes(experiment, record.arm, record.seed, output)
            with signals.held():
                metrics = _measure(experiment, record, scenes)
                results[record.arm, record.seed] = (record, metrics)
        signals.close()


def report_command(name: str, overrides: list[str], *, seeds: str | None, output: Path) -> None:
    """Write the report from the records of a finished run."""
    experiment = load_experiment(name, overrides, seeds=seeds)
    results: Results = {}
    for seed in experiment.seeds:
        for arm in experiment.arms:
            path = record_path(experiment, output, arm, seed)
            if not path.exists():
                raise InputError(f"arm {arm}, seed {seed} has not been run; 'skyedge run {name}' runs it", where=output)
            record = RunRecord.load(path)
            results[arm, seed] = (record, _measure(experiment, record, _scenes(experiment, arm, seed, output)))
    complete = _by_arm(experiment, results)
    outcome = conclude(experiment, {arm: [m for _, m in runs] for arm, runs in complete.items()})
    Console().print(f"report  {_write_report(experiment, outcome, results, output)}", soft_wrap=True)


def _measure(experiment: Experiment, record: RunRecord, scenes: SceneTable) -> RunMetrics:
    resolved = resolve_arm(experiment, record.arm)
    deadline = parse_duration(resolved.pipeline.deadline)
    end = record.start_us + parse_duration(resolved.time.duration)
    longest = max(parse_duration(resolve_arm(experiment, arm).pipeline.deadline) for arm in experiment.arms)
    return measure(record, scenes, deadline, end, longest_deadline_us=longest)


def _scenes(experiment: Experiment, arm: str, seed: int, output: Path) -> SceneTable:
    """What an arm photographed: an arm may have a camera or a sky of its own."""
    return prepare(resolve_arm(experiment, arm), seed, output / "cache").world.scenes


def _by_arm(experiment: Experiment, results: Results) -> dict[str, list[tuple[RunRecord, RunMetrics]]]:
    """Results of the seeds that every arm finished, in the order of the file."""
    whole = [seed for seed in experiment.seeds if all((arm, seed) in results for arm in experiment.arms)]
    return {arm: [results[arm, seed] for seed in whole] for arm in experiment.arms} if whole else {}


def _finish(
    experiment: Experiment, results: Results, output: Path, json_path: Path | None, console: Console, *, stopped: bool
) -> None:
    complete = _by_arm(experiment, results)
    if not complete:
        parent = log_fragments(experiment, {key: run for key, (_, run) in results.items()}, output)
        kept = "1 run is" if len(results) == 1 else f"{len(results)} runs are"
        raise RunStopped(
            f"stopped before all arms had finished a seed; {kept} kept and logged below MLflow run {parent}, "
            "--resume goes on from there"
        )
    metrics = {arm: [run for _, run in runs] for arm, runs in complete.items()}
    finished = experiment.model_copy(update={"seeds": tuple(r.seed for r, _ in next(iter(complete.values())))})
    outcome = conclude(finished, metrics, stopped=stopped)
    # Files first, as whoever reads the table may have gone; and the table too if they cannot be written.
    try:
        report = _write_report(finished, outcome, results, output)
        outcome_path = report.parent / "outcome.json"
        for path in [outcome_path] if json_path is None else [outcome_path, json_path]:
            outcome.write_json(path)
    finally:
        _print(outcome, console)
    from skyedge.experiment.tracking import log_outcome, open_client, store_at, store_uri

    uri = store_uri(output)
    with console.status("logging to MLflow"), store_at(uri):
        client = open_client(uri)
        run_id = log_outcome(client, finished, outcome, metrics, [report, outcome_path], output / "mlflow-artifacts")
        log_below(client, run_id, finished, {key: run for key, (_, run) in results.items() if key[1] not in outcome.seeds})
    name_results(report, uri, run_id, console)
    if stopped:
        raise RunStopped(f"stopped with {len(results)} runs finished and kept; --resume goes on from there")


def _print(outcome: Outcome, console: Console) -> None:
    for table in terminal_tables(outcome, console.width):
        console.print(table)
    if len(outcome.equal_bytes) > 1:
        console.print(equal_bytes_table(outcome))
    for claim in outcome.claims:
        colour = {"met": "green", "not met": "red"}.get(claim.verdict, "yellow")
        console.print(f"[{colour}]{claim.verdict:>10}[/]  {escape(claim.name)}", soft_wrap=True, highlight=False)
        for line in claim.lines():
            console.print(f"            {line}", soft_wrap=True, highlight=False, style="dim", markup=False)


def _write_report(experiment: Experiment, outcome: Outcome, results: Results, output: Path) -> Path:
    seed = outcome.seeds[0]
    prepared = prepare(experiment, seed, output / "cache")
    records: dict[str, RunRecord] = {arm: results[arm, seed][0] for arm in experiment.arms}
    folder = output / f"{experiment.metadata.name}-{digest(canonical(experiment))[:8]}"
    path = folder / "report.html"
    everything: dict[str, Any] = {"experiment": experiment, "outcome": outcome, "world": prepared.world}
    write_report(path, records=records, executor=prepared.executor, **everything)
    return path
