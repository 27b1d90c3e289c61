"""From YAML to an :class:`Experiment`: inheritance, overrides, and errors that name the line.

A mistake is answered with ``file:line: path: what is wrong (did you mean …?)`` and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from skyedge.earth.tile_folder import TileFolder, find_folder
from skyedge.errors import InputError, nearest
from skyedge.experiment.inputs import content_digest, place_beside
from skyedge.experiment.spec import Experiment
from skyedge.resources import find

Marks = dict[tuple[str | int, ...], str]
"""Where each key of a file stands, as ``file:line``."""


def load_experiment(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    seeds: str | None = None,
    arms: Sequence[str] = (),
) -> Experiment:
    """The experiment in ``path`` after ``extends`` and ``overrides`` (``a.b=value``), with some seeds and arms only.

    Raises:
        InputError: for anything that is wrong with the file or the overrides.
    """
    named = Path(path) if Path(path).suffix else Path(f"{path}.yaml")
    content, marks = _read(find(named, kind="experiments"), ())
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"'{override}' should be KEY=VALUE", where="--set")
        try:
            _put(content, key.split("."), yaml.safe_load(value))
        except yaml.YAMLError:
            raise InputError(f"'{value}' is not a value", where=f"--set {key}") from None
        marks[tuple(key.split("."))] = f"--set {key}"
    if seeds is not None:
        content["seeds"] = seeds
        marks["seeds",] = "--seeds"
    experiment = _sealed(_validate(content, marks), marks)
    for name in experiment.arms:
        if resolve_arm(experiment, name, marks).imagery.folder != experiment.imagery.folder:
            raise InputError(f"arm {name} cannot see another folder than the others", where=marks.get(("arms", name)))
    if arms:
        for name in arms:
            if name not in experiment.arms:
                raise InputError(f"there is no arm '{name}'", where="--arms", nearest=nearest(name, experiment.arms))
        experiment = experiment.model_copy(update={"arms": {name: experiment.arms[name] for name in arms}})
    return experiment


def resolve_arm(experiment: Experiment, name: str, marks: Marks | None = None) -> Experiment:
    """The experiment as one arm runs it: its overrides applied, no other arm left."""
    content = experiment.model_dump(mode="json")
    arm_marks: Marks = dict(marks or {})
    for key, value in experiment.arms[name].set.items():
        parts = key.split(".")
        _put(content, parts, value)
        place = (marks or {}).get(("arms", name, "set", key))
        if place:
            arm_marks[tuple(parts)] = place
    content["arms"] = {name: content["arms"][name]}
    return _validate(content, arm_marks)


def canonical(experiment: Experiment) -> dict[str, Any]:
    """What decides the results: everything but how the run is carried out."""
    content = experiment.model_dump(mode="json")
    del content["runtime"]["hosting"], content["runtime"]["hosts"], content["runtime"]["workers"]
    del content["runtime"]["checkpoint_every_windows"]
    # What a folder of tiles holds decides the results, and not where it lies.
    if content["imagery"]["folder_digest"] is not None:
        content["imagery"]["folder"] = None
    content["imagery"] = {key: value for key, value in content["imagery"].items() if value is not None}
    # The same holds for all other files.
    content["inputs"] = content_digest(experiment)
    content["space"] = {key: None if isinstance(value, str) else value for key, value in content["space"].items()}
    del content["models"]
    return content


def digest(content: Any) -> str:
    """A short name for content of JSON types."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_yaml(experiment: Experiment) -> str:
    """The experiment with all defaults written out."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, width=110)


def _read(path: Path, chain: tuple[Path, ...]) -> tuple[dict[str, Any], Marks]:
    """Content and marks of a file, laid over those of the file that it extends."""
    if path in chain:
        raise InputError("this file extends itself", where=path)
    try:
        text = path.read_text()
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise InputError(str(problem), where=f"{path}:{mark.line + 1}" if mark else path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None
    if not isinstance(content, dict):
        raise InputError("an experiment is a mapping of keys to values", where=path)
    marks: Marks = {}
    _mark(node, (), path, marks)
    # Files are looked for beside the file that names them, also where another file extends that one.
    place_beside(content, path.parent)
    base_name = content.pop("extends", None)
    if base_name is None:
        return content, marks
    base, base_marks = _read(find(str(base_name), kind="experiments", beside=path.parent), (*chain, path))
    return _laid_over(base, content), {**base_marks, **marks}


def _laid_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; a key set to null is taken away, so an heir can drop an arm."""
    merged = dict(base)
    for key, value in top.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _laid_over(merged[key], value)
        else:
            merged[key] = value
    return merged


def _mark(node: yaml.Node | None, path: tuple[str | int, ...], file: Path, marks: Marks) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, str(key.value))
            marks[place] = f"{file}:{key.start_mark.line + 1}"
            _mark(value, place, file, marks)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            marks[(*path, number)] = f"{file}:{value.start_mark.line + 1}"
            _mark(value, (*path, number), file, marks)


def _sealed(experiment: Experiment, marks: Marks) -> Experiment:
    """The experiment with its folder of tiles found and its content named, so that no other is taken for it later."""
    imagery = experiment.imagery
    if imagery.folder is None:
        return experiment
    path = find_folder(imagery.folder, kind="experiments", where=marks.get(("imagery", "folder"), "imagery.folder"))
    content = imagery.folder_digest or TileFolder.open(path).digest
    sealed = imagery.model_copy(update={"folder": str(path), "folder_digest": content})
    return experiment.model_copy(update={"imagery": sealed})


def _put(content: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    inner: Any = content
    for key in keys[:-1]:
        step = inner.get(key) if isinstance(inner, dict) else None
        if not isinstance(step, dict):
            step = {}
            inner[key] = step
        inner = step
    inner[keys[-1]] = value


def _validate(content: Mapping[str, Any], marks: Marks) -> Experiment:
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        raise _sentence(error, marks) from None


def _sentence(error: ValidationError, marks: Marks) -> InputError:
    """The first error in the order of the file, as one sentence."""
    found = []
    for detail in error.errors():
        path = tuple(part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        place = next((marks[path[:n]] for n in range(len(path), 0, -1) if path[:n] in marks), None)
        line = int(place.rpartition(":")[2]) if place and place.rpartition(":")[2].isdigit() else 0
        found.append((line, path, place, detail))
    _, path, place, detail = min(found, key=lambda item: item[0])
    hint = None
    dotted = ".".join(str(part) for part in path)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = f"unknown key '{path[-1]}'"
        hint = nearest(str(path[-1]), _keys_at(path[:-1]))
    elif detail["type"] == "literal_error":
        hint = nearest(str(detail["input"]), str(detail["ctx"]["expected"]).split("'")[1::2])
        message = f"'{detail['input']}' should be {detail['ctx']['expected']}"
    elif detail["type"] == "missing":
        message = "this key is missing"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InputError(f"{dotted}: {message}{more}", where=place, nearest=hint)


def _keys_at(path: Sequence[str | int]) -> list[str]:
    """The keys that the spec knows at a place."""
    model: Any = Experiment
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if part not in model.model_fields:
                return []
            model = model.model_fields[str(part)].annotation
        candidates = [model, *get_args(model)]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
