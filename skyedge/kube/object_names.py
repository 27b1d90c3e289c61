"""What objects, labels and taints may be called, as Kubernetes' API has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from skyedge.kube.problem import Problem

LONGEST_LABEL = 63
"""Of the name of a label without its prefix, and of its value."""

LONGEST_DOMAIN = 253
"""Of the name of an object, and of the prefix of a label."""

_WORD = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def check_label_key(key: str) -> None:
    """Raise a :class:`Problem` unless this can be the name of a label, of an annotation or of a taint."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _is_domain(prefix):
        raise Problem((), f"'{prefix}' before the '/' of a label is no domain of a-z, 0-9, '-' and '.'")
    if len(name) > LONGEST_LABEL or not _WORD.fullmatch(name):
        raise Problem((), f"'{name}' is no name of a label: at most {LONGEST_LABEL} of letters, digits, '-', '_' and '.'")


def check_label_value(value: str) -> None:
    """Raise a :class:`Problem` unless this can be the value of a label or of a taint; an empty one can."""
    if len(value) > LONGEST_LABEL or (value and not _WORD.fullmatch(value)):
        raise Problem((), f"'{value}' is no value of a label: at most {LONGEST_LABEL} of letters, digits, '-', '_' and '.'")


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise a :class:`Problem` for the first of these that cannot be a label."""
    for key, value in labels.items():
        try:
            check_label_key(key)
            check_label_value(value)
        except Problem as problem:
            raise problem.below(key) from None


def check_object_name(name: str) -> None:
    """Raise a :class:`Problem` unless an object can be called this."""
    if not _is_domain(name):
        raise Problem((), f"'{name}' is no name of an object: a-z, 0-9, '-' and '.', at most {LONGEST_DOMAIN} of them")


def check_path_word(word: str) -> None:
    """Raise a :class:`Problem` unless this can stand between two slashes of a path of the API."""
    if not word or word in (".", "..") or "/" in word or "%" in word:
        raise Problem((), f"'{word}' cannot stand in a path of the API")


def _is_domain(text: str) -> bool:
    return len(text) <= LONGEST_DOMAIN and _DOMAIN.fullmatch(text) is not None
