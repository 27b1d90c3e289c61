"""MLflow at the rim: one parent run an experiment, one child run an (arm, seed), written by one process in batches.

MLflow is imported when it is needed and not before (it costs seconds), and its first use of a new sqlite file makes some
sixty tables; without waiting for the disk at each of them that takes a second in place of six.
"""

from __future__ import annotations

import math
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from skyedge.errors import InputError
from skyedge.experiment.loading import as_yaml, digest, resolve_arm
from skyedge.experiment.metrics import RunMetrics
from skyedge.experiment.outcome import Outcome
from skyedge.experiment.spec import Experiment
from skyedge.experiment.study import Study
from skyedge.experiment.study_loading import parameters_of
from skyedge.experiment.study_outcome import StudyOutcome
from skyedge.experiment.study_subject import Findings

BATCH = 900
PARAMETERS_AT_ONCE = 100  # MLflow takes no more


def store_uri(folder: Path) -> str:
    """The store of a folder of runs."""
    return f"sqlite:///{(folder / 'mlflow.db').resolve()}"


def check_store(folder: Path) -> None:
    """Check, in no time, that the store of a folder of runs is one, if there is any.

    Raises:
        InputError: if not.
    """
    path = folder / "mlflow.db"
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            store.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise InputError(f"this is no MLflow store: {error}", where=path) from None


def open_client(uri: str) -> Any:
    """An MLflow client on ``uri``.

    Raises:
        InputError: if the store cannot be opened.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import logging

    _write_sqlite_ahead()
    from mlflow.tracking import MlflowClient

    # Importing MLflow sets its loggers; only after that can they be told to be quiet.
    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)

    def opened(at: str) -> Any:
        client = MlflowClient(tracking_uri=at, registry_uri=at)
        client.search_experiments(max_results=1)
        return client

    path = Path(uri.removeprefix("sqlite:///"))
    # A store that lacks tables, as after a full disk, is never opened again: so it is made whole or not at all.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with store_at(uri):
        if not path.exists():
            try:
                with closing(sqlite3.connect(partial)) as store:
                    # Where this fails MLflow would try again for two minutes.
                    store.execute("PRAGMA journal_mode=WAL")
                    opened(f"sqlite:///{partial}")
                    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if not path.exists():  # nobody else was quicker
                    os.replace(partial, path)
            finally:
                for end in ("", "-wal", "-shm"):
                    partial.with_name(f"{partial.name}{end}").unlink(missing_ok=True)
        return opened(uri)


@contextmanager
def store_at(uri: str) -> Iterator[None]:
    """While it is entered, what the store at ``uri`` refuses becomes one sentence.

    Raises:
        InputError: if the store cannot be read or written, as on a disk that is full.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (MlflowException, DBAPIError, sqlite3.Error, OSError) as error:
        # What the database itself said, without the statement that it said it of.
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise InputError(f"this MLflow store is out of order: {str(reason).splitlines()[0]}", where=uri) from None


def log_outcome(
    client: Any,
    experiment: Experiment,
    outcome: Outcome,
    metrics: Mapping[str, Sequence[RunMetrics]],
    artifacts: Sequence[Path],
    artifact_root: Path,
) -> str:
    """Write everything; returns the id of the parent run.  A stopped experiment is marked as killed."""
    figures = {f"{arm}/{metric}": estimate.mean for arm, table in outcome.arms.items() for metric, estimate in table.items()}
    # The arms have runs of their own, and the whole file is an artifact.
    settings = _flat(experiment.model_dump(mode="json", exclude={"arms", "claims", "metadata"}))
    parent_id = _log_parent(client, experiment, outcome, figures, settings, artifacts, artifact_root)
    for arm, runs in metrics.items():
        resolved = _flat(resolve_arm(experiment, arm).pipeline.model_dump(mode="json"), "pipeline.")
        relative = outcome.arms[arm]
        for number, (seed, run) in enumerate(zip(outcome.seeds, runs, strict=True)):
            figures = {metric: estimate.per_seed[number] for metric, estimate in relative.items()}
            log_child(client, parent_id, outcome.digest, arm, seed, {**run.figures, **figures}, resolved)
    client.set_terminated(parent_id, _status(outcome))
    return parent_id


def log_study(
    client: Any,
    study: Study,
    outcome: StudyOutcome,
    findings: Mapping[tuple[str, int], Findings],
    artifacts: Sequence[Path],
    artifact_root: Path,
) -> str:
    """Write everything; returns the id of the parent run.

    ``findings`` are all that were finished, by arm and seed; those of seeds that only some arms have finished, after a
    stop, are logged without figures against the baseline.
    """
    figures = {f"{arm}/{metric}": table[metric].mean for arm, table in outcome.arms.items() for metric in outcome.metrics}
    settings = _flat(study.model_dump(mode="json", exclude={"arms", "claims", "metadata", "columns"}))
    parent_id = _log_parent(client, study, outcome, figures, settings, artifacts, artifact_root)
    for (arm, seed), found in findings.items():
        resolved = _flat({"parameters": parameters_of(study, arm).model_dump(mode="json")})
        whole = {}
        if seed in outcome.seeds and arm in outcome.arms:
            number = outcome.seeds.index(seed)
            whole = {metric: estimate.per_seed[number] for metric, estimate in outcome.arms[arm].items()}
        log_child(client, parent_id, outcome.digest, arm, seed, {**found.figures, **whole}, resolved)
    client.set_terminated(parent_id, _status(outcome))
    return parent_id


def _log_parent(
    client: Any,
    spec: Experiment | Study,
    outcome: Outcome | StudyOutcome,
    figures: Mapping[str, float],
    settings: Mapping[str, Any],
    artifacts: Sequence[Path],
    artifact_root: Path,
) -> str:
    """Begin the parent run of an outcome and log all that is not of one arm and seed; returns its id."""
    name = spec.metadata.name
    found = client.get_experiment_by_name(name)
    location = artifact_root.resolve().as_uri()
    experiment_id = found.experiment_id if found else client.create_experiment(name, artifact_location=location)
    tags = {"skyedge.digest": outcome.digest, "skyedge.stopped": str(outcome.stopped).lower(), **_environment()}
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    parent_id = str(client.create_run(experiment_id, run_name=f"{name} {stamp}", tags=tags).info.run_id)
    _log(client, parent_id, figures, settings)
    for path in artifacts:
        client.log_artifact(parent_id, str(path))
    client.log_text(parent_id, as_yaml(spec), "experiment.yaml")
    return parent_id


def _status(outcome: Outcome | StudyOutcome) -> str:
    return "KILLED" if outcome.stopped else "FINISHED"


def log_child(
    client: Any,
    parent_id: str,
    spec_digest: str,
    arm: str,
    seed: int,
    figures: Mapping[str, float],
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Log one finished run below its parent."""
    tags = {
        "mlflow.parentRunId": parent_id,
        "arm": arm,
        "seed": str(seed),
        "skyedge.digest": digest([spec_digest, arm, seed]),
    }
    experiment_id = client.get_run(parent_id).info.experiment_id
    child = client.create_run(experiment_id, run_name=f"{arm} seed {seed}", tags=tags).info.run_id
    _log(client, child, figures, {"arm": arm, "seed": seed, **(parameters or {})})
    client.set_terminated(child, "FINISHED")


def _log(client: Any, run_id: str, figures: Mapping[str, float], parameters: Mapping[str, Any]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    rows = [Metric(_key(key), value, now, 0) for key, value in figures.items() if math.isfinite(value)]
    settings = [Param(_key(key), str(value)[:500]) for key, value in parameters.items()]
    for start in range(0, len(rows), BATCH):
        client.log_batch(run_id, metrics=rows[start : start + BATCH])
    for start in range(0, len(settings), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=settings[start : start + PARAMETERS_AT_ONCE])


def _key(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(content, dict):
        flat: dict[str, Any] = {}
        for key, value in content.items():
            flat.update(_flat(value, f"{prefix}{key}." if isinstance(value, dict) else f"{prefix}{key}"))
        return flat
    return {prefix: content}


def _environment() -> dict[str, str]:
    versions = {name: metadata.version(name) for name in ("torch", "numpy", "ray", "mlflow")}
    return {
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}",
        **{f"version.{name}": version for name, version in versions.items()},
    }


def _write_sqlite_ahead() -> None:
    """Let sqlite write ahead and not wait for the disk at each commit: a crash of the machine may lose the last runs
    of the store, never its consistency."""
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        if type(connection).__module__.startswith("sqlite3"):
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.close()
