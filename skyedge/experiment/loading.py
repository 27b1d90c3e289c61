"""From YAML to an :class:`Experiment`: inheritance, overrides, and errors that name the line.

A mistake is answered with ``file:line: path: what is wrong (did you mean …?)`` and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from skyedge.earth.tile_folder import TileFolder, find_folder
from skyedge.errors import InputError, nearest
from skyedge.experiment.inputs import content_digest, place_beside
from skyedge.experiment.metrics import METRICS
from skyedge.experiment.spec import Arm, Baselines, Claim, Experiment
from skyedge.resources import find
from skyedge.yaml_files import Marks, parse_value, read_marked

Model = TypeVar("Model", bound=BaseModel)

OF_AN_ARM = ("time", "space", "imagery", "models", "pipeline", "terrestrial", "cloud", "layers", "faults")
"""What an arm may set; the rest belongs to the experiment as a whole."""


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
    content, marks, named = read_file(path, overrides, seeds=seeds)
    experiment = _sealed(validated(Experiment, content, marks), marks)
    _check_names(experiment, marks, named)
    for name in experiment.arms:
        arm, place = resolve_arm(experiment, name, marks), marks.get(("arms", name))
        if arm.imagery.folder != experiment.imagery.folder:
            raise InputError(f"arm {name} cannot see another folder than the others", where=place)
        # An arm changes what is done with a scene and never the scene, or arms could not be compared.
        for what in ("time", "imagery", "space.constellation"):
            if attrgetter(what)(arm) != attrgetter(what)(experiment):
                raise InputError(f"arm {name} cannot set {what}: all arms see the same scenes", where=place)
    return experiment.model_copy(update={"arms": chosen_arms(experiment.arms, arms)}) if arms else experiment


def read_file(
    path: str | Path, overrides: Sequence[str] = (), *, seeds: str | None = None
) -> tuple[dict[str, Any], Marks, Path]:
    """What a file says after ``extends`` and ``overrides``, where each key stands, and the file that was found.

    Raises:
        InputError: if it is not there or cannot be read, or an override is none.
    """
    named = Path(path) if Path(path).suffix else Path(f"{path}.yaml")
    named = find(named, kind="experiments")
    content, marks = _read(named, ())
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"'{override}' should be KEY=VALUE", where="--set")
        put(content, key.split("."), parse_value(value, f"--set {key}"), f"--set {key}")
        _mark_anew(marks, tuple(key.split(".")), f"--set {key}")
    if seeds is not None:
        content["seeds"] = seeds
        _mark_anew(marks, ("seeds",), "--seeds")
    return content, marks, named


def chosen_arms(arms: Mapping[str, Arm], names: Sequence[str]) -> dict[str, Arm]:
    """The arms of those names, in that order.

    Raises:
        InputError: if there is none of a name, or a name is there twice.
    """
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"arm '{name}' is there twice", where="--arms")
        if name not in arms:
            raise InputError(f"there is no arm '{name}'", where="--arms", nearest=nearest(name, arms))
    return {name: arms[name] for name in names}


def resolve_arm(experiment: Experiment, name: str, marks: Marks | None = None) -> Experiment:
    """The experiment as one arm runs it: its overrides applied, no other arm left."""
    content = experiment.model_dump(mode="json")
    arm_marks: Marks = dict(marks or {})
    for key, value in experiment.arms[name].set.items():
        parts = key.split(".")
        place = (marks or {}).get(("arms", name, "set", key))
        if parts[0] in Experiment.model_fields and parts[0] not in OF_AN_ARM and key != "runtime.transfer_burst":
            raise InputError(f"arm {name} cannot set '{key}', which holds for all arms", where=place)
        put(content, parts, value, place or f"arms.{name}.set")
        if place:
            arm_marks[tuple(parts)] = place
    content["arms"] = {name: content["arms"][name]}
    return validated(Experiment, content, arm_marks)


def value_at(experiment: Experiment, key: str) -> Any:
    """What an experiment holds at a dotted key, ``faults.0.duration`` for a place in a list; None if nothing."""
    inner: Any = experiment.model_dump(mode="json")
    for part in key.split("."):
        if isinstance(inner, list):
            inner = inner[int(part)] if part.isdecimal() and int(part) < len(inner) else None
        else:
            inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


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
    # A layer that is not asked for decides nothing.
    content["layers"] = {key: value for key, value in content["layers"].items() if value is not None}
    return content


def digest(content: Any) -> str:
    """A short name for content of JSON types."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_yaml(experiment: BaseModel) -> str:
    """An experiment, or a study, with all defaults written out."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, width=110)


def _read(path: Path, chain: tuple[Path, ...]) -> tuple[dict[str, Any], Marks]:
    """Content and marks of a file, laid over those of the file that it extends."""
    if path in chain:
        raise InputError("this file extends itself", where=path)
    content, marks = read_marked(path)
    if not isinstance(content, dict):
        raise InputError("an experiment is a mapping of keys to values", where=path)
    # Files are looked for beside the file that names them, also where another file extends that one.
    place_beside(content, path.parent)
    base_name = content.pop("extends", None)
    if base_name is None:
        return content, marks
    base, base_marks = _read(find(str(base_name), kind="experiments", beside=path.parent), (*chain, path))
    return _laid_over(base, content), {**base_marks, **marks}


def _mark_anew(marks: Marks, key: tuple[str | int, ...], place: str) -> None:
    """What stood below ``key`` in a file stands there no more."""
    for below in [path for path in marks if path[: len(key)] == key]:
        del marks[below]
    marks[key] = place


def _laid_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; a key set to null is taken away, so an heir can drop an arm.

    A mapping of another ``name`` is another thing (a miner with parameters of its own) and takes the whole place.
    """
    if "name" in top and top["name"] != base.get("name", top["name"]):
        base = {}
    merged = dict(base)
    for key, value in top.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _laid_over(merged[key], value)
        else:
            merged[key] = value
    return merged


def _sealed(experiment: Experiment, marks: Marks) -> Experiment:
    """The experiment with its folder of tiles found and its content named, so that no other is taken for it later."""
    imagery = experiment.imagery
    if imagery.folder is None:
        if imagery.folder_digest is not None:
            place = marks.get(("imagery", "folder_digest"), "imagery.folder_digest")
            raise InputError("there is no imagery.folder whose content this could be", where=place)
        return experiment
    path = find_folder(imagery.folder, kind="experiments", where=marks.get(("imagery", "folder"), "imagery.folder"))
    content = imagery.folder_digest or TileFolder.open(path).digest
    sealed = imagery.model_copy(update={"folder": str(path), "folder_digest": content})
    return experiment.model_copy(update={"imagery": sealed})


def put(content: dict[str, Any], keys: Sequence[str], value: Any, where: object) -> None:
    """Put ``value`` into nested mappings at ``keys``; what lies on the way and is not there yet is made.

    Raises:
        InputError: if something that is no mapping lies on the way; ``where`` is the place that asked for it.
    """
    inner = content
    for depth, key in enumerate(keys[:-1], start=1):
        step = inner.get(key)
        if step is None:
            step = inner[key] = {}
        if not isinstance(step, dict):
            above = ".".join(keys[:depth])
            what = "a list" if isinstance(step, list | tuple) else f"'{step}'"
            raise InputError(f"{above} is {what}: it has no '{keys[depth]}' and can only be set as a whole", where=where)
        inner = step
    inner[keys[-1]] = value


def _check_names(experiment: Experiment, marks: Marks, file: Path) -> None:
    """Check that roles and claims name arms and figures that there are."""
    for role, field in Baselines.model_fields.items():
        name = getattr(experiment.baselines, role)
        # An arm that is not there under its usual name is a comparison that is not wanted.
        if name not in experiment.arms and name != field.default:
            place = marks.get(("baselines", role), f"baselines.{role}")
            raise InputError(f"there is no arm '{name}'", where=place, nearest=nearest(name, experiment.arms))
    for number, claim in enumerate(experiment.claims):
        for arm_number, arm in enumerate(claim.arms):
            place = marks.get(("claims", number, "arms", arm_number), "")
            # An heir may drop an arm of which an inherited claim speaks.
            if arm not in experiment.arms and place.startswith(f"{file}:"):
                raise InputError(f"there is no arm '{arm}'", where=place, nearest=nearest(arm, experiment.arms))
        for part_number, part in enumerate(claim.parts):
            if part.metric not in METRICS:
                key = ("claims", number, "parts", part_number, "metric")
                place = marks.get(key, ".".join(map(str, key)))
                raise InputError(f"no arm measures '{part.metric}'", where=place, nearest=nearest(part.metric, METRICS))
        _check_constants(experiment, claim, number, marks)


def _check_constants(experiment: Experiment, claim: Claim, number: int, marks: Marks) -> None:
    """Check that every arm that may meet a claim has the constants that are said to decide it."""
    for name in claim.arms or experiment.arms:
        if not claim.constants or name not in experiment.arms:
            continue
        arm = resolve_arm(experiment, name, marks)
        for constant_number, constant in enumerate(claim.constants):
            value = value_at(arm, constant.key)
            if value is None or isinstance(value, dict | list):
                key = ("claims", number, "constants", constant_number, "key")
                what = "is not there" if value is None else "is no figure"
                above, _, last = constant.key.rpartition(".")
                beside = value_at(arm, above) if above else None
                hint = nearest(last, beside) if isinstance(beside, dict) and value is None else None
                raise InputError(f"{constant.key} {what} in arm {name}", where=marks.get(key, constant.key), nearest=hint)


def validated(model: type[Model], content: Mapping[str, Any], marks: Marks, *, at: tuple[str, ...] = ()) -> Model:
    """``content``, which stands at the path ``at`` of a file, as a ``model``.

    Raises:
        InputError: with the first mistake in the order of the file.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _sentence(model, error, marks, at) from None


def _sentence(model: type[BaseModel], error: ValidationError, marks: Marks, at: tuple[str, ...]) -> InputError:
    """The first error in the order of the file, as one sentence."""
    found: list[tuple[int, tuple[str | int, ...], str | None, Any]] = []
    for detail in error.errors():
        parts = [part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
        # Where a file or figures may stand, pydantic names each kind that it tried.
        kind = next((n for n, part in enumerate(parts) if str(part) in _KINDS), None)
        path = (*at, *parts[:kind])
        place = next((marks[path[:n]] for n in range(len(path), 0, -1) if path[:n] in marks), None)
        line = int(place.rpartition(":")[2]) if place and place.rpartition(":")[2].isdigit() else 0
        if not any(path == other[1] for other in found):
            found.append((line, path, place, detail if kind is None else {**detail, "type": "file_or_figures"}))
    _, path, place, detail = min(found, key=lambda item: (item[0], -len(item[1])))
    hint = None
    dotted = ".".join(str(part) for part in path)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = f"unknown key '{path[-1]}'"
        hint = nearest(str(path[-1]), _keys_at(model, path[len(at) : -1]))
    elif detail["type"] == "literal_error":
        hint = nearest(str(detail["input"]), str(detail["ctx"]["expected"]).split("'")[1::2])
        message = f"'{detail['input']}' should be {detail['ctx']['expected']}"
    elif detail["type"] in _WORDS:
        message = _WORDS[detail["type"]]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InputError(f"{dotted}: {message}{more}", where=place, nearest=hint)


_KINDS = ("str", "dict[str,any]", "list[dict[str,any]]")
_WORDS = {
    "missing": "this key is missing",
    "file_or_figures": "this should be the name of a file, or its content in place",
    "tuple_type": "this should be a list",
    "list_type": "this should be a list",
    "dict_type": "this should be a mapping of keys to values",
    "model_type": "this should be a mapping of keys to values",
    "string_type": "this should be a word or a text",
    "too_short": "at least one is needed here",
    "int_parsing": "this should be a whole number",
    "int_type": "this should be a whole number",
    "int_from_float": "this should be a whole number",
    "float_parsing": "this should be a number",
    "float_type": "this should be a number",
    "invalid_key": "a key should be a word",
}
"""What the commonest errors of pydantic are called here."""


def _keys_at(model: Any, path: Sequence[str | int]) -> list[str]:
    """The keys that a model knows at a place."""
    named_by_user = False
    for part in path:
        if named_by_user or isinstance(part, int):
            named_by_user = False
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        named_by_user = get_origin(annotation) is dict
        candidates = [annotation, *get_args(annotation)]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
