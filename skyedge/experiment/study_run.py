"""Running a study: every (arm, seed) is a job, and so is every search for the value at which a claim flips.

A job is a function of the study and some names, so it runs in this process or in a Ray worker alike.  Findings are kept
in ``records/`` under a digest of all that decides them, the code of the subject among it, for ``--resume``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from skyedge.errors import InputError
from skyedge.experiment import studies
from skyedge.experiment.kept_files import keep
from skyedge.experiment.loading import digest
from skyedge.experiment.study import Study
from skyedge.experiment.study_flips import Flip, find_flip, read_flip
from skyedge.experiment.study_loading import parameters_of, run_digest, study_digest
from skyedge.experiment.study_subject import Findings, Listing, Series
from skyedge.runtime.run_pool import Job, run_here, run_on_ray

Finding = tuple[str, int, Findings]
"""Arm, seed and what was found."""

Result = TypeVar("Result")


def run_arm(study: Study, arm: str, seed: int) -> Findings:
    """Run one arm with one seed.

    Raises:
        InputError: if the parameters ask for what cannot be, or the subject breaks its promise of figures.
    """
    subject = studies.subject(study.study)
    try:
        findings = subject().run(parameters_of(study, arm), seed)
    except InputError as error:
        place = f"arm {arm}, seed {seed}" if error.where is None else error.where
        raise InputError(error.message, where=place, nearest=error.nearest) from None
    if set(findings.figures) != set(subject.metrics):
        wrong = ", ".join(sorted(set(findings.figures) ^ set(subject.metrics)))
        raise InputError(f"the figures of a run are not the metrics of {subject.__name__}: {wrong}", where=study.study)
    figures = {name: float(findings.figures[name]) for name in subject.metrics}
    endless = next((name for name, value in figures.items() if math.isinf(value)), None)
    if endless is not None:
        raise InputError(f"'{endless}' of a run is not finite", where=f"arm {arm}, seed {seed}")
    return Findings(figures, findings.series, findings.listings)


def run_study(
    study: Study, folder: Path, *, resume: bool, ray: Any = None, workers: int = 1
) -> Generator[Finding, None, None]:
    """Run all arms with all seeds; findings as they come, kept in ``folder``.

    ``resume`` takes what an earlier run has kept instead of running it again.
    """
    jobs = []
    for seed in study.seeds:
        for arm in study.arms:
            path = _kept_path(folder, run_digest(study, arm, seed))
            if resume and path.exists():
                yield arm, seed, _read(path, _findings)
            else:
                jobs.append(Job(seed, (study, arm, seed), f"arm {arm}, seed {seed}"))
    with closing(_results(run_arm, jobs, ray, workers)) as results:
        for job, findings in results:
            _, arm, seed = job.arguments
            keep(_kept_path(folder, run_digest(study, arm, seed)), json.dumps(_plain(findings)).encode())
            yield arm, seed, findings


def find_flips(
    study: Study, verdicts: dict[str, str], folder: Path, *, resume: bool, ray: Any = None, workers: int = 1
) -> Generator[tuple[str, Flip], None, None]:
    """For each constant of each modelled claim, where its verdict flips; pairs of claim and flip as they are found.

    Args:
        study: with the seeds and arms that gave the verdicts.
        verdicts: by name of the claim; one that was not tested has none that could flip.
        folder: where results are kept.
        resume: take what an earlier run has kept.
        ray: the module, joined to a cluster; None to search here.
        workers: at most this many searches at once on Ray.
    """
    whole = study_digest(study)
    jobs = []
    for number, claim in enumerate(study.claims):
        for place, constant in enumerate(claim.constants):
            if verdicts[claim.name] == "not tested":
                continue
            path = _kept_path(folder, digest([whole, "flip", number, place]))
            if resume and path.exists():
                yield claim.name, _read(path, read_flip)
            else:
                name = f"claim {claim.name}, {constant.key}"
                jobs.append(Job(place, (study, number, place, verdicts[claim.name], run_arm), name))
    with closing(_results(find_flip, jobs, ray, workers)) as results:
        for job, flip in results:
            _, number, place, *_ = job.arguments
            keep(_kept_path(folder, digest([whole, "flip", number, place])), json.dumps(asdict(flip)).encode())
            yield study.claims[number].name, flip


def _results(
    function: Callable[..., Result], jobs: list[Job], ray: Any, workers: int
) -> Generator[tuple[Job, Result], None, None]:
    return run_here(function, jobs) if ray is None else run_on_ray(ray, function, jobs, workers)


def kept_findings(study: Study, folder: Path, arm: str, seed: int) -> Findings | None:
    """What an earlier run has kept, if it has."""
    path = _kept_path(folder, run_digest(study, arm, seed))
    return _read(path, _findings) if path.exists() else None


def _kept_path(folder: Path, name: str) -> Path:
    return folder / "records" / f"{name}.json"


def _plain(findings: Findings) -> dict[str, Any]:
    series = {
        name: {**asdict(one), "x": np.asarray(one.x, float).tolist(), "y": np.asarray(one.y, float).tolist()}
        for name, one in findings.series.items()
    }
    listings = {name: [list(one.headings), [list(row) for row in one.rows]] for name, one in findings.listings.items()}
    return {"figures": dict(findings.figures), "series": series, "listings": listings}


def _read(path: Path, parse: Callable[[Any], Result]) -> Result:
    """What was kept in ``path``.

    Raises:
        InputError: if it is damaged.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError("this record is damaged; without it the run is done again", where=path) from None


def _findings(content: Any) -> Findings:
    series = {name: Series(**one) for name, one in content["series"].items()}
    listings = {name: Listing(headings, rows) for name, (headings, rows) in content["listings"].items()}
    return Findings(content["figures"], series, listings)
