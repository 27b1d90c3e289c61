"""`skyedge show-config`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from skyedge.errors import InputError, nearest
from skyedge.experiment import studies
from skyedge.experiment.loading import as_yaml, load_experiment, resolve_arm
from skyedge.experiment.spec import Experiment
from skyedge.experiment.study import Study
from skyedge.experiment.study_loading import is_study, load_study, resolve_study


def show_config_command(name: str | None, overrides: list[str], *, arm: str | None, schema: bool) -> None:
    """Print the schema, or an experiment or a study as YAML."""
    study = load_study(name, overrides) if name is not None and is_study(name, overrides) else None
    if schema:
        print(json.dumps(editor_schema() if study is None else study_schema(study.study), indent=2))
        return
    if name is None:
        raise InputError("an experiment file is needed (or --schema)")
    spec: Experiment | Study = load_experiment(name, overrides) if study is None else study
    if arm is not None:
        if arm not in spec.arms:
            raise InputError(f"there is no arm '{arm}'", where=name, nearest=nearest(arm, spec.arms))
        spec = resolve_study(spec, arm) if isinstance(spec, Study) else resolve_arm(spec, arm)
    print(as_yaml(spec), end="")


def editor_schema() -> dict[str, Any]:
    """The JSON Schema of an experiment file as people write it."""
    schema = _as_written(Experiment, whole=("Claim", "ClaimPart", "Fault"))
    for part in (schema, *schema["$defs"].values()):
        for name, value in part.get("properties", {}).items():
            if value.get("type") == "string" and name in _DURATIONS:
                value["type"] = ["string", "number"]
    return schema


def study_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of the file of a study as people write it, with the parameters of its subject."""
    schema = _as_written(Study, whole=("StudyClaim", "Bar", "Constant"))
    parameters = _as_written(studies.subject(name).Parameters, whole=(), of_a_file=False)
    # Two models may have parts of the same name; those of the subject are set apart.
    text = json.dumps(parameters).replace('"#/$defs/', '"#/$defs/parameters.')
    parameters = json.loads(text)
    schema["$defs"] |= {f"parameters.{part}": content for part, content in parameters.pop("$defs", {}).items()}
    schema["properties"]["parameters"] = parameters
    return schema


def _as_written(model: type[BaseModel], *, whole: tuple[str, ...], of_a_file: bool = True) -> dict[str, Any]:
    """The schema of a model before ``extends`` has been followed.

    The spec describes a file after that.  Before it, any key may be missing since it is inherited, a key may be null to
    drop what is inherited, and short forms (``0-4``, ``90``) have not been read yet.  What stands in a list, the parts
    named in ``whole``, is written whole.
    """
    schema = model.model_json_schema()
    for name, part in schema.get("$defs", {}).items():
        if name not in whole:
            part.pop("required", None)
    required = schema.pop("required", [])
    if of_a_file:
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        keys = schema["properties"]
        keys["extends"] = {"type": "string", "description": "The file whose keys this one overrides."}
        keys["seeds"] = {"anyOf": [keys["seeds"], {"type": ["string", "integer"]}]}
        keys["arms"]["additionalProperties"] = {"anyOf": [keys["arms"]["additionalProperties"], {"type": "null"}]}
        schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return schema


_DURATIONS = ("duration", "deadline", "after", "exchange_quantum", "transfer_burst")
