"""`skyedge doctor`: is everything here that a run needs?"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from rich.console import Console

from skyedge.errors import SkyedgeError

PACKAGES = ("torch", "ray", "mlflow", "numpy", "scipy", "pandas", "sgp4", "msgspec", "pydantic", "sklearn", "grpc")
MODELS = ("flight-small", "flight-small-archive", "cloud-filter", "edge-medium", "ground-large")


def doctor_command(output: Path) -> None:
    """Check and print; raises SkyedgeError at the end if something is wrong."""
    console = Console()
    checks: dict[str, Callable[[], str]] = {
        "packages": _packages,
        "the Earth's maps": _earth,
        "models": _models,
        "experiments": _experiments,
        "MLflow store": lambda: _store(output),
        "a local Ray": _ray,
    }
    failures = 0
    for name, check in checks.items():
        try:
            console.print(f"[green]ok[/]    {name}: {check()}", highlight=False, soft_wrap=True)
        except (SkyedgeError, ImportError) as error:
            failures += 1
            console.print(f"[red]wrong[/] {name}: {error}", highlight=False, soft_wrap=True)
    if failures:
        raise SkyedgeError(f"{failures} of {len(checks)} checks failed")


def _packages() -> str:
    for name in PACKAGES:
        importlib.import_module(name)
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "ray", "mlflow", "numpy"))


def _earth() -> str:
    from skyedge.earth import Earth

    return str(Earth.load().data)


def _models() -> str:
    from skyedge.learning.zoo import load_model

    loaded = [load_model(name) for name in MODELS]
    return ", ".join(f"{model.name} ({model.parameters:,} parameters)" for model in loaded)


def _experiments() -> str:
    from skyedge.experiment.loading import load_experiment
    from skyedge.experiment.study_loading import is_study, load_study
    from skyedge.resources import folder

    files = sorted(folder("experiments").glob("*.yaml"))
    for path in files:
        if is_study(path):
            load_study(path)
        else:
            load_experiment(path)
    return ", ".join(path.stem for path in files)


def _store(output: Path) -> str:
    from skyedge.experiment.tracking import open_client, store_uri

    if not (output / "mlflow.db").exists():
        return f"none yet in {output}; the first run makes it"
    open_client(store_uri(output))
    return store_uri(output)


def _ray() -> str:
    from skyedge.runtime.ray_cluster import cluster

    with cluster(None, 1) as ray:
        return f"started with {int(ray.cluster_resources()['CPU'])} core and stopped"
