"""`skyedge show-config`."""

from __future__ import annotations

import json

from skyedge.errors import InputError, nearest
from skyedge.experiment.loading import as_yaml, load_experiment, resolve_arm
from skyedge.experiment.spec import Experiment


def show_config_command(name: str | None, overrides: list[str], *, arm: str | None, schema: bool) -> None:
    """Print the schema, or an experiment as YAML."""
    if schema:
        print(json.dumps(Experiment.model_json_schema(), indent=2))
        return
    if name is None:
        raise InputError("an experiment file is needed (or --schema)")
    experiment = load_experiment(name, overrides)
    if arm is not None:
        if arm not in experiment.arms:
            raise InputError(f"there is no arm '{arm}'", where=name, nearest=nearest(arm, experiment.arms))
        experiment = resolve_arm(experiment, arm)
    print(as_yaml(experiment), end="")
