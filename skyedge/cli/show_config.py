"""`skyedge show-config`."""

from __future__ import annotations

import json
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.experiment.loading import as_yaml, load_experiment, resolve_arm
from skyedge.experiment.spec import Experiment


def show_config_command(name: str | None, overrides: list[str], *, arm: str | None, schema: bool) -> None:
    """Print the schema, or an experiment as YAML."""
    if schema:
        print(json.dumps(editor_schema(), indent=2))
        return
    if name is None:
        raise InputError("an experiment file is needed (or --schema)")
    experiment = load_experiment(name, overrides)
    if arm is not None:
        if arm not in experiment.arms:
            raise InputError(f"there is no arm '{arm}'", where=name, nearest=nearest(arm, experiment.arms))
        experiment = resolve_arm(experiment, arm)
    print(as_yaml(experiment), end="")


def editor_schema() -> dict[str, Any]:
    """The JSON Schema of an experiment file as people write it.

    The spec describes a file after ``extends`` has been followed.  Before that, any key may be missing since it is
    inherited, a key may be null to drop what is inherited, and short forms (``0-4``, ``90``) have not been read yet.
    """
    schema = Experiment.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {"type": "string", "description": "The file whose keys this one overrides."}
    schema["properties"]["seeds"] = {"anyOf": [schema["properties"]["seeds"], {"type": ["string", "integer"]}]}
    whole = schema.pop("required")
    schema["anyOf"] = [{"required": ["extends"]}, {"required": whole}]
    for name, part in schema["$defs"].items():
        if name not in ("Claim", "ClaimPart", "Fault"):  # what stands in a list is written whole
            part.pop("required", None)
    for part in (schema, *schema["$defs"].values()):
        for name, value in part.get("properties", {}).items():
            if value.get("type") == "string" and name in _DURATIONS:
                value["type"] = ["string", "number"]
    schema["properties"]["arms"]["additionalProperties"] = {
        "anyOf": [schema["properties"]["arms"]["additionalProperties"], {"type": "null"}]
    }
    return schema


_DURATIONS = ("duration", "deadline", "after", "exchange_quantum", "transfer_burst")
