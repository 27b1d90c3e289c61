"""The subjects that come with skyedge: a file here *is* a study.

``elastic_burst.py`` holds the class ``ElasticBurst`` and is called ``elastic-burst`` in a file.  A user's own subject is
named by its import path, ``package.module:Class``, and needs no entry anywhere.
"""

from __future__ import annotations

import pkgutil
from typing import cast

from skyedge.errors import InputError, nearest
from skyedge.experiment.study_subject import Metric, Subject
from skyedge.plugins import is_import_path, load_class
from skyedge.profiles import Part


def names() -> list[str]:
    """The built-in studies."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def import_path(name: str, *, where: object = None) -> str:
    """Where the class of a study lives, as ``package.module:Class``.

    Raises:
        InputError: if there is no study of that name.
    """
    if is_import_path(name):
        return name
    if name not in names():
        hint = nearest(name.replace("_", "-"), names())
        raise InputError(
            f"there is no study '{name}'; one of your own is named package.module:Class", where=where, nearest=hint
        )
    module = name.replace("-", "_")
    return f"{__name__}.{module}:{''.join(word.capitalize() for word in name.split('-'))}"


def subject(name: str, *, where: object = None) -> type[Subject]:
    """The class of a study, checked to be one.

    Raises:
        InputError: if there is none of that name, or what is there lacks a part.
    """
    found = load_class(import_path(name, where=where), where=where)
    parameters, metrics = getattr(found, "Parameters", None), getattr(found, "metrics", None)
    missing = None
    if not (isinstance(parameters, type) and issubclass(parameters, Part)):
        missing = "a class 'Parameters' made of skyedge.profiles.Part"
    elif not (isinstance(metrics, dict) and metrics and all(isinstance(metric, Metric) for metric in metrics.values())):
        missing = "a dict 'metrics' of names to Metric"
    elif not callable(getattr(found, "run", None)):
        missing = "a method run(parameters, seed)"
    if missing is not None:
        raise InputError(f"{found.__name__} is no subject of a study: it lacks {missing}", where=where)
    return cast("type[Subject]", found)
