"""`skyedge compare`: what changed between two outcomes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skyedge.errors import InputError, nearest
from skyedge.experiment.outcome import columns_of
from skyedge.experiment.statistics import RESAMPLES, SEEDS_FOR_A_MEAN
from skyedge.streams import stream

_UNITS = {
    "percent": (", %", 100.0),
    "saved": (", %", 100.0),
    "bytes": (", MB", 1.0),
    "plain": ("", 1.0),
    "thousand": ("", 1000.0),
}


def compare_command(first: str, second: str, *, arm: str | None, output: Path, open_ui: bool = False) -> None:
    """Print B − A for each arm and figure, over the seeds that both have; ``open_ui`` shows both in MLflow."""
    a, b = read_outcome(first, output), read_outcome(second, output)
    if a.get("kind") != b.get("kind"):
        raise InputError(f"{first} and {second} are of a study and of an experiment, which have no figures in common")
    seeds = [seed for seed in a["seeds"] if seed in b["seeds"]]
    if not seeds:
        raise InputError(f"{first} and {second} have no seed in common")
    arms = [name for name in a["arms"] if name in b["arms"]]
    if arm is not None:
        if arm not in arms:
            raise InputError(f"there is no arm '{arm}' in both", where="--arm", nearest=nearest(arm, arms))
        arms = [arm]
    if not arms:
        raise InputError(f"{first} and {second} have no arm in common")
    count = f"{len(seeds)} common seed{'s' if len(seeds) > 1 else ''}"
    table = Table(
        title=f"A {escape(a['experiment'])} ({escape(first)}), B {escape(b['experiment'])} ({escape(second)}): {count}"
        f"{', mean and 95 % interval' if len(seeds) >= SEEDS_FOR_A_MEAN else ', too few for an interval'}",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("arm", "figure", "A", "B", "B − A"):
        table.add_column(heading, justify="left" if heading in ("arm", "figure") else "right")
    others = []
    columns = _columns(a, b)
    for name in arms:
        for metric, heading, factor in columns:
            values = [_values(outcome, name, metric, seeds) for outcome in (a, b)]
            if values[0] is not None and values[1] is not None:
                means = [f"{value.mean() * factor:.4g}" for value in values if value is not None]
                table.add_row(escape(name), escape(heading), *means, _difference((values[1] - values[0]) * factor))
        scored = [_values(outcome, name, "scored_scenes", seeds) for outcome in (a, b)]
        if scored[0] is not None and scored[1] is not None and not np.array_equal(*scored):
            others.append(f"{name} ({scored[0].mean():,.0f} against {scored[1].mean():,.0f})")
    console = Console()
    console.print(table)
    if others:
        warning = f"warning: A and B score other scenes, so accuracies differ for that too: {', '.join(others)}"
        console.print(warning, style="yellow", highlight=False, markup=False, soft_wrap=True)
    uri = f"sqlite:///{(output / 'mlflow.db').resolve()}"
    if not open_ui:
        sentence = f"the same in MLflow: --open, or mlflow ui --backend-store-uri {uri}"
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
        return
    from skyedge.cli.mlflow_view import comparison_path, show

    runs = [_logged_run(outcome, name, output) for outcome, name in ((a, first), (b, second))]
    show(uri, comparison_path([run.info.run_id for run in runs], [run.info.experiment_id for run in runs]), console)


def read_outcome(name: str, output: Path) -> dict[str, Any]:
    """An outcome by file, by folder of a report, or by the id or name of an MLflow run.

    Raises:
        InputError: if there is none.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "outcome.json"
    if path.is_file():
        return _read_file(path)
    if not (output / "mlflow.db").is_file():
        if Path(name).is_dir():
            raise InputError("this folder holds no outcome.json", where=name)
        raise InputError(f"there is no file '{name}', and no MLflow store to look for a run in", where=output)
    from skyedge.experiment.tracking import check_store, open_client, store_uri

    check_store(output)
    client = open_client(store_uri(output))
    experiments = client.search_experiments()
    runs = client.search_runs([e.experiment_id for e in experiments], order_by=["attributes.start_time DESC"])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    names = {e.experiment_id: e.name for e in experiments}
    for run in parents:
        if name in (run.info.run_id, run.info.run_name, names[run.info.experiment_id]):
            try:
                local = client.download_artifacts(run.info.run_id, "outcome.json")
            except Exception:  # MLflow has many names for a file that is not there
                raise InputError(f"run '{name}' was stopped too soon or has lost its outcome", where=output) from None
            return {**_read_file(Path(local)), "run_id": run.info.run_id}
    known = [run.info.run_name for run in parents] + list(names.values())
    raise InputError(f"there is no run '{name}'", where=output, nearest=nearest(name, known))


def _read_file(path: Path) -> dict[str, Any]:
    """An outcome, complete enough to be compared."""
    try:
        outcome = json.loads(path.read_text(encoding="utf-8"))
        seeds, complete = outcome["seeds"], isinstance(outcome["experiment"], str) and isinstance(outcome["digest"], str)
        complete &= isinstance(seeds, list)
        for figures in outcome["arms"].values():
            for figure in figures.values():
                complete &= len(figure["per_seed"]) == len(seeds)
                complete &= all(value is None or math.isfinite(value) for value in figure["per_seed"])
        if outcome.get("kind") == "Study":
            for metric in outcome["metrics"].values():
                complete &= isinstance(metric["heading"], str) and isinstance(metric["unit"], str)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        complete = False
    if not complete:
        raise InputError("this is not an outcome that 'skyedge run --json' wrote", where=path)
    return dict(outcome)


def _logged_run(outcome: dict[str, Any], name: str, output: Path) -> Any:
    """The parent run in MLflow that an outcome came from."""
    from skyedge.experiment.tracking import open_client, store_uri

    if not (output / "mlflow.db").is_file():
        raise InputError("there is no MLflow store here", where=output)
    client = open_client(store_uri(output))
    if "run_id" in outcome:
        return client.get_run(outcome["run_id"])
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(
        experiments,
        f"tags.`skyedge.digest` = '{outcome['digest']}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not found:
        raise InputError(f"the MLflow store holds no run of {name}", where=output)
    return found[0]


def _columns(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Figures that both may have: name, heading with its unit, and what to multiply them by."""
    if a.get("kind") != "Study":
        return [
            (metric, f"{heading}{_UNITS[style][0]}", _UNITS[style][1]) for metric, heading, style in columns_of(a["arms"])
        ]
    return [
        (
            name,
            f"{metric['heading']}{', ' if metric['unit'] else ''}{metric['unit']}",
            100.0 if metric["unit"] == "%" else 1.0,
        )
        for name, metric in a["metrics"].items()
        if name in b["metrics"]
    ]


def _values(outcome: dict[str, Any], arm: str, metric: str, seeds: list[int]) -> Any:
    figure = outcome["arms"][arm].get(metric)
    if figure is None:
        return None
    per_seed = [figure["per_seed"][outcome["seeds"].index(seed)] for seed in seeds]
    return None if None in per_seed else np.array(per_seed, float)


def _difference(values: Any) -> str:
    if len(values) < SEEDS_FOR_A_MEAN:
        return f"{values.mean():+.4g}"
    draws = stream(0, "compare", "bootstrap").integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return f"{values.mean():+.4g} [{low:+.4g}, {high:+.4g}]"
