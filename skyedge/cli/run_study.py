"""`skyedge run` and `skyedge report` of a study: the same options, table, store and report as an experiment has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from skyedge.cli.results import check_outputs, enter_ray, name_results, progress_of, until_stopped, wide_console
from skyedge.errors import InputError, RunStopped
from skyedge.experiment.study import Study
from skyedge.experiment.study_flips import Flip
from skyedge.experiment.study_loading import load_study
from skyedge.experiment.study_outcome import StudyOutcome, conclude_study, study_tables
from skyedge.experiment.study_report import write_study_report
from skyedge.experiment.study_run import find_flips, kept_findings, run_study
from skyedge.experiment.study_subject import Findings
from skyedge.runtime.stopping import StopSignals

Finished = dict[tuple[str, int], Findings]
Flips = dict[str, list[Flip]]


def run_study_command(
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
        finished: Finished = {}
        flips: Flips = {}
        study = load_study(name, overrides, seeds=seeds, arms=arms)
        check_outputs(output, json_path)

        def run() -> None:
            _run(study, finished, flips, signals, console, address=address, resume=resume, output=output)

        stopped = until_stopped(run, finished, signals, console)
        _finish(study, finished, flips, output, json_path, console, stopped=stopped)


def report_study_command(name: str, overrides: list[str], *, seeds: str | None, output: Path) -> None:
    """Write the report from the findings that a run has kept."""
    study = load_study(name, overrides, seeds=seeds)
    finished: Finished = {}
    for seed in study.seeds:
        for arm in study.arms:
            found = kept_findings(study, output, arm, seed)
            if found is None:
                raise InputError(f"arm {arm}, seed {seed} has not been run; 'skyedge run {name}' runs it", where=output)
            finished[arm, seed] = found
    outcome = conclude_study(study, _by_arm(study, finished))
    flips: Flips = {}
    for claim, flip in find_flips(study, _verdicts(outcome), output, resume=True):
        flips.setdefault(claim, []).append(flip)
    report = _write_report(study, outcome.with_flips(flips), finished, output)
    Console().print(f"report  {report}", soft_wrap=True)


def _run(
    study: Study,
    finished: Finished,
    flips: Flips,
    signals: StopSignals,
    console: Console,
    *,
    address: str | None,
    resume: bool,
    output: Path,
) -> None:
    """Run every arm with every seed, then look where the claims flip; what was finished is kept if this is stopped."""
    cores = study.runtime.workers or len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        ray = None
        if study.runtime.hosting != "in-process" or address is not None:
            ray = enter_ray(stack, address, cores, signals, console)
        output.mkdir(parents=True, exist_ok=True)
        runs = stack.enter_context(closing(run_study(study, output, resume=resume, ray=ray, workers=cores)))
        total = len(study.seeds) * len(study.arms)
        for arm, seed, findings in progress_of(runs, total, lambda run: f"{run[0]}, seed {run[1]}", console):
            finished[arm, seed] = findings
        verdicts = _verdicts(conclude_study(study, _by_arm(study, finished)))
        total = sum(len(claim.constants) for claim in study.claims if verdicts[claim.name] != "not tested")
        found = stack.enter_context(closing(find_flips(study, verdicts, output, resume=resume, ray=ray, workers=cores)))
        for claim, flip in progress_of(found, total, lambda pair: f"where it flips: {pair[1].key}", console):
            flips.setdefault(claim, []).append(flip)
        signals.close()


def _verdicts(outcome: StudyOutcome) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in outcome.claims}


def _whole_seeds(study: Study, finished: Finished) -> list[int]:
    return [seed for seed in study.seeds if all((arm, seed) in finished for arm in study.arms)]


def _by_arm(study: Study, finished: Finished) -> dict[str, list[dict[str, float]]]:
    """Figures of the seeds that every arm finished, in the order of the file."""
    return {arm: [dict(finished[arm, seed].figures) for seed in _whole_seeds(study, finished)] for arm in study.arms}


def _finish(
    study: Study,
    finished: Finished,
    flips: Flips,
    output: Path,
    json_path: Path | None,
    console: Console,
    *,
    stopped: bool,
) -> None:
    whole = _whole_seeds(study, finished)
    done = study.model_copy(update={"seeds": tuple(whole), "arms": study.arms if whole else {}})
    outcome = conclude_study(done, _by_arm(done, finished), stopped=stopped).with_flips(_in_order(study, flips))
    artifacts: list[Path] = []
    if whole:
        # Files first, as whoever reads the table may have gone; and the table too if they cannot be written.
        try:
            report = _write_report(done, outcome, finished, output)
            outcome_path = report.parent / "outcome.json"
            for path in [outcome_path] if json_path is None else [outcome_path, json_path]:
                outcome.write_json(path)
        finally:
            _print(outcome, console)
        artifacts = [report, outcome_path]
    from skyedge.experiment.tracking import log_study, open_client, store_at, store_uri

    uri = store_uri(output)
    with console.status("logging to MLflow"), store_at(uri):
        run_id = log_study(open_client(uri), study, outcome, finished, artifacts, output / "mlflow-artifacts")
    if not whole:
        kept = "1 run is" if len(finished) == 1 else f"{len(finished)} runs are"
        raise RunStopped(
            f"stopped before all arms had finished a seed; {kept} kept and logged below MLflow run {run_id}, "
            "--resume goes on from there"
        )
    name_results(report, uri, run_id, console)
    if stopped:
        raise RunStopped(f"stopped with {len(finished)} runs finished and kept; --resume goes on from there")


def _in_order(study: Study, flips: Flips) -> Flips:
    """Flips in the order of the file, in whichever order they were found."""
    order = {claim.name: [constant.key for constant in claim.constants] for claim in study.claims}
    return {name: sorted(found, key=lambda flip: order[name].index(flip.key)) for name, found in flips.items()}


def _print(outcome: StudyOutcome, console: Console) -> None:
    for table in study_tables(outcome, console.width):
        console.print(table)
    for claim in outcome.claims:
        colour = {"met": "green", "not met": "red"}.get(claim.verdict, "yellow")
        verdict = f"[{colour}]{claim.verdict:>10}[/]  ({claim.evidence}) {escape(claim.name)}"
        console.print(verdict, soft_wrap=True, highlight=False)
        notes: Iterable[str] = (claim.sentence(), *(flip.words() for flip in claim.flips))
        for note in notes:
            console.print(f"            {note}", soft_wrap=True, highlight=False, style="dim", markup=False)


def _write_report(study: Study, outcome: StudyOutcome, finished: Finished, output: Path) -> Path:
    path = output / f"{study.metadata.name}-{outcome.digest[:8]}" / "report.html"
    write_study_report(path, study, outcome, {arm: finished[arm, outcome.seeds[0]] for arm in study.arms})
    return path
