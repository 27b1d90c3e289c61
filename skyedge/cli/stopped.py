"""What a stopped `skyedge run` leaves in the MLflow store: every finished run, below a parent that is marked as stopped.

A table needs seeds that every arm has finished.  A single run of one arm with one seed is worth keeping without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skyedge.experiment.loading import canonical, digest
from skyedge.experiment.metrics import RunMetrics
from skyedge.experiment.outcome import Outcome
from skyedge.experiment.spec import Experiment

Finished = Mapping[tuple[str, int], RunMetrics]
"""Metrics by arm and seed."""


def log_fragments(experiment: Experiment, finished: Finished, output: Path) -> str:
    """Log runs of which no table can be made; returns the id of their parent run."""
    from skyedge.experiment.tracking import log_outcome, open_client, store_at, store_uri

    uri = store_uri(output)
    client = open_client(uri)
    nothing = Outcome(experiment.metadata.name, digest(canonical(experiment)), (), True, {}, {}, {}, ())
    with store_at(uri):
        parent_id = log_outcome(client, experiment, nothing, {}, [], output / "mlflow-artifacts")
        log_below(client, parent_id, experiment, finished)
    return parent_id


def log_below(client: Any, parent_id: str, experiment: Experiment, finished: Finished) -> None:
    """Log each run as a child of ``parent_id``, which has been logged."""
    from skyedge.experiment.tracking import log_child

    whole = digest(canonical(experiment))
    for (arm, seed), run in finished.items():
        log_child(client, parent_id, whole, arm, seed, run.figures)
