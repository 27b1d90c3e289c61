"""From YAML to a :class:`Study`: the same inheritance, overrides and sentences as an experiment has.

``parameters`` is checked by the model of the study's own subject, for the file and again as each arm sets it, before
anything runs; so is every end of every constant's range.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from skyedge import __version__
from skyedge.errors import InputError, nearest
from skyedge.experiment import studies
from skyedge.experiment.loading import chosen_arms, digest, put, read_file, validated
from skyedge.experiment.study import RELATIVE, Constant, Study
from skyedge.experiment.study_subject import Metric, Subject
from skyedge.plugins import source_digest
from skyedge.profiles import Part
from skyedge.yaml_files import Marks

KINDS = ("Experiment", "Study")


def is_study(path: str | Path, overrides: Sequence[str] = ()) -> bool:
    """Does a file hold a study, and not an experiment?

    Raises:
        InputError: if it cannot be read, or is neither.
    """
    content, marks, named = read_file(path, overrides)
    kind = content.get("kind")
    if kind not in KINDS:
        message = "kind: this key is missing" if kind is None else f"kind: '{kind}' should be 'Experiment' or 'Study'"
        raise InputError(message, where=marks.get(("kind",), str(named)), nearest=nearest(str(kind), KINDS))
    return bool(kind == "Study")


def load_study(
    path: str | Path, overrides: Sequence[str] = (), *, seeds: str | None = None, arms: Sequence[str] = ()
) -> Study:
    """The study in ``path`` after ``extends`` and ``overrides``, with some seeds and arms only, and every default of its
    parameters written out.

    Raises:
        InputError: for anything that is wrong with the file or the overrides.
    """
    content, marks, file = read_file(path, overrides, seeds=seeds)
    _place_beside(content, marks)
    study = validated(Study, content, marks)
    subject = studies.subject(study.study, where=marks.get(("study",)))
    content_with_defaults = _over_defaults(subject.Parameters, study.parameters)
    parameters = validated(subject.Parameters, content_with_defaults, marks, at=("parameters",))
    study = study.model_copy(update={"parameters": parameters.model_dump(mode="json")})
    for arm in study.arms:
        parameters_of(study, arm, marks)
    _check_names(study, subject, marks, file)
    _check_constants(study, marks)
    return study.model_copy(update={"arms": chosen_arms(study.arms, arms)}) if arms else study


def parameters_of(study: Study, arm: str, marks: Marks | None = None) -> Part:
    """The parameters as one arm sets them.

    Raises:
        InputError: if it sets something else, or something that cannot be.
    """
    content = {"parameters": copy.deepcopy(study.parameters)}
    arm_marks: Marks = dict(marks or {})
    for key, value in study.arms[arm].set.items():
        place = arm_marks.get(("arms", arm, "set", key), f"arms.{arm}.set")
        first, *rest = key.split(".")
        if first != "parameters" or not rest:
            hint = f"parameters.{key}" if first in study.parameters else None
            raise InputError(f"arm {arm} cannot set '{key}', only parameters.…", where=place, nearest=hint)
        put(content, (first, *rest), value, place)
        arm_marks[(first, *rest)] = place
    subject = studies.subject(study.study)
    return validated(subject.Parameters, content["parameters"], arm_marks, at=("parameters",))


def resolve_study(study: Study, arm: str) -> Study:
    """The study as one arm runs it: its overrides applied, no other arm left."""
    content = parameters_of(study, arm).model_dump(mode="json")
    return study.model_copy(update={"parameters": content, "arms": {arm: study.arms[arm]}})


def with_value(study: Study, key: str, value: float) -> Study:
    """The study with another value for a constant, all else as it was."""
    content = {"parameters": copy.deepcopy(study.parameters)}
    put(content, key.split("."), value, key)
    return study.model_copy(update=content)


def value_of(study: Study, key: str) -> Any:
    """What the parameters hold at a dotted key that starts with ``parameters``; None if nothing."""
    inner: Any = {"parameters": study.parameters}
    for part in key.split("."):
        inner = inner.get(part) if isinstance(inner, Mapping) else None
    return inner


def metrics_of(study: Study) -> dict[str, Metric]:
    """Every figure that the table and the claims may speak of: the subject's own and those against the baseline."""
    metrics = dict(studies.subject(study.study).metrics)
    for name, metric in list(metrics.items()):
        heading, base = metric.heading, study.baseline
        metrics |= {
            f"{name}_difference": Metric(f"{heading}, less that of {base}", metric.unit, metric.better),
            f"{name}_ratio": Metric(f"{heading} over that of {base}", "", metric.better),
            f"{name}_gain": Metric(f"{heading}, gain over {base}", "%", metric.better),
            f"{name}_reduction": Metric(f"{heading}, less than {base}", "%", "less" if metric.better == "more" else "more"),
        }
    return metrics


def columns_of(study: Study) -> dict[str, Metric]:
    """The figures of the table, in order."""
    known = metrics_of(study)
    return {name: known[name] for name in study.columns or studies.subject(study.study).metrics}


def run_digest(study: Study, arm: str, seed: int) -> str:
    """Identifies a run by all that decides it: two runs with one digest give the same findings."""
    parameters = parameters_of(study, arm)
    return digest([__version__, _code(study), _files(study, parameters), parameters.model_dump(mode="json"), seed])


def study_digest(study: Study) -> str:
    """Identifies a study by all that decides its results: everything but how it is carried out and described."""
    content = study.model_dump(mode="json", exclude={"runtime": True, "metadata": {"description"}})
    files = [_files(study, parameters_of(study, arm)) for arm in study.arms]
    return digest([__version__, _code(study), files, content])


def _files(study: Study, parameters: Part) -> list[str]:
    """What each file holds that a run reads."""
    files = studies.subject(study.study)().input_files(parameters)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _place_beside(content: dict[str, Any], marks: Marks) -> None:
    """Let names of files in the parameters mean those beside the file that says them, where there are any."""
    arms = content.get("arms")
    places: dict[tuple[str | int, ...], Any] = {("parameters",): content.get("parameters")}
    for name, arm in arms.items() if isinstance(arms, dict) else ():
        places["arms", name, "set"] = arm.get("set") if isinstance(arm, dict) else None
    for at, place in places.items():
        if isinstance(place, dict):
            _place_within(place, at, marks)


def _place_within(mapping: dict[str, Any], at: tuple[str | int, ...], marks: Marks) -> None:
    for key, value in mapping.items():
        if isinstance(value, dict):
            _place_within(value, (*at, key), marks)
        elif isinstance(value, str) and (Path(value).suffix or "/" in value):
            beside = Path(marks.get((*at, key), "").rpartition(":")[0]).parent / value
            if (*at, key) in marks and beside.exists():
                mapping[key] = str(beside.resolve())


def _code(study: Study) -> str:
    return _source_digest(studies.import_path(study.study))


@cache
def _source_digest(path: str) -> str:
    # The code that this process has loaded stays what it is, and reading it for every run would take longer than some runs.
    return source_digest(path)


def _over_defaults(model: type[BaseModel], content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` laid over the defaults of the parts that it names, so that a file may set one figure of a profile."""
    whole = dict(content)
    for name, field in model.model_fields.items():
        default, given = field.get_default(call_default_factory=True), content.get(name)
        if isinstance(default, BaseModel) and isinstance(given, Mapping):
            laid = {**default.model_dump(mode="json"), **given}
            whole[name] = _over_defaults(type(default), laid)
    return whole


def _check_names(study: Study, subject: type[Subject], marks: Marks, file: Path) -> None:
    """Check that the baseline, the columns and the claims name arms and figures that there are."""

    def place_of(*key: str | int) -> str:
        return marks.get(key, ".".join(map(str, key)))

    if study.baseline not in study.arms:
        hint = nearest(study.baseline, study.arms)
        raise InputError(f"there is no arm '{study.baseline}'", where=place_of("baseline"), nearest=hint)
    clash = next((name for name in subject.metrics if name.rpartition("_")[2] in RELATIVE), None)
    if clash is not None:
        raise InputError(
            f"a metric cannot be called '{clash}': that is a figure against the baseline", where=place_of("study")
        )
    known = metrics_of(study)
    named: list[tuple[str, tuple[str | int, ...]]] = [
        (name, ("columns", number)) for number, name in enumerate(study.columns)
    ]
    for number, claim in enumerate(study.claims):
        for arm_number, arm in enumerate(claim.arms):
            place = place_of("claims", number, "arms", arm_number)
            # An heir may drop an arm of which an inherited claim speaks.
            if arm not in study.arms and place.startswith(f"{file}:"):
                raise InputError(f"there is no arm '{arm}'", where=place, nearest=nearest(arm, study.arms))
        named += [(part.metric, ("claims", number, "parts", n, "metric")) for n, part in enumerate(claim.parts)]
    for name, key in named:
        if name not in known:
            raise InputError(f"no arm measures '{name}'", where=place_of(*key), nearest=nearest(name, known))


def _check_constants(study: Study, marks: Marks) -> None:
    """Check that each constant is a number of the file that its claim's arms take from there, at both ends of its range."""
    for number, claim in enumerate(study.claims):
        for constant_number, constant in enumerate(claim.constants):
            place = marks.get(("claims", number, "constants", constant_number, "key"), constant.key)
            value = value_of(study, constant.key)
            if isinstance(value, bool) or not isinstance(value, int | float):
                what = "is not there" if value is None else f"is no number but '{value}'"
                hint = nearest(constant.key, _numbers(study.parameters, "parameters"))
                raise InputError(f"{constant.key} {what}", where=place, nearest=hint)
            _check_range(study, constant, value, place)
            takers = [arm for arm in study.arms_of(claim) if constant.key not in study.arms[arm].set]
            if study.arms_of(claim) and not takers:
                raise InputError(
                    f"every arm of this claim sets {constant.key}, so the file's value decides nothing", where=place
                )


def _check_range(study: Study, constant: Constant, value: float, place: str) -> None:
    for end in (constant.low, constant.high):
        if isinstance(value, int) and end != int(end):
            raise InputError(f"{constant.key} is a whole number, and {end:g} is none", where=place)
        trial = with_value(study, constant.key, int(end) if isinstance(value, int) else end)
        try:
            for arm in trial.arms:
                parameters_of(trial, arm)
        except InputError as error:
            raise InputError(f"at {end:g}, an end of its range, {error.message}", where=place) from None


def _numbers(content: Mapping[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for key, value in content.items():
        dotted = f"{prefix}.{key}"
        found += (
            _numbers(value, dotted) if isinstance(value, Mapping) else [dotted] if isinstance(value, int | float) else []
        )
    return found
