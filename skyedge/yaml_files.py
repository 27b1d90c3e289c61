"""YAML as users write it: read with care for what the library lets pass.

A key that is given twice would silently mean its second value; a date that no calendar has, and an anchor that holds
itself, would end in a traceback; what is not a finite number is no figure of anything.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from skyedge.errors import InputError

Marks = dict[tuple[str | int, ...], str]
"""Where each key of a file stands, as ``file:line``."""


def read_marked(path: Path) -> tuple[Any, Marks]:
    """What a YAML file holds, and the line of each key.

    Raises:
        InputError: if it cannot be read or is not YAML, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        marks: Marks = {}
        _mark(node, (), path, marks, ())
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise not_yaml(str(path), text, error) from None
    except RecursionError:
        raise InputError("this is nested too deeply", where=path) from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"a value is not what it looks like: {error}", where=path) from None
    check_finite(content, (), marks)
    return content, marks


def not_yaml(file: str, text: str, error: yaml.YAMLError) -> InputError:
    """What is said of a text in which the reader of YAML stopped."""
    mark = getattr(error, "problem_mark", None)
    message = str(getattr(error, "problem", None) or "this is not YAML")
    if mark is None:
        return InputError(message, where=file)
    line = [*text.split("\n"), ""][mark.line]
    rest = line[mark.column :]
    indentation = line[: len(line) - len(line.lstrip())]
    if rest and "\t" in indentation + rest[0]:  # without a rest the text had ended
        message = "YAML is indented with blanks, and here is a tab"
    return InputError(message, where=f"{file}:{mark.line + 1}")


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file.

    Raises:
        InputError: if it cannot be read, is not YAML, or holds no mapping.
    """
    content, _ = read_marked(path)
    if not isinstance(content, dict):
        raise InputError("this file should hold a mapping of keys to values", where=path)
    return content


def parse_value(text: str, where: object) -> Any:
    """One value from the command line.

    Raises:
        InputError: if it is none.
    """
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(f"'{text}' is not a value", where=where) from None
    check_finite(value, (), {(): str(where)})
    return value


def check_finite(value: object, path: tuple[str | int, ...], marks: Marks) -> None:
    """Check that all numbers in ``value``, which stands at ``path``, are finite.

    Raises:
        InputError: with the place of the first that is not.
    """
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            check_finite(inner, (*path, key), marks)
    elif isinstance(value, float) and not math.isfinite(value):
        place = next((marks[path[:n]] for n in range(len(path), -1, -1) if path[:n] in marks), None)
        dotted = f"{'.'.join(map(str, path))}: " if path else ""
        raise InputError(f"{dotted}{value} is not a finite number", where=place)


def _mark(
    node: yaml.Node | None, path: tuple[str | int, ...], file: Path, marks: Marks, around: tuple[yaml.Node, ...]
) -> None:
    if any(node is outer for outer in around):
        line = node.start_mark.line + 1 if node else 1
        raise InputError("this anchor holds itself", where=f"{file}:{line}")
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and isinstance(key, yaml.ScalarNode):
                raise InputError(f"the key '{name}' stands in line {seen[name]} already", where=f"{file}:{line}")
            seen[name] = line
            place = (*path, name)
            marks[place] = f"{file}:{line}"
            _mark(value, place, file, marks, (*around, node))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            marks[(*path, number)] = f"{file}:{value.start_mark.line + 1}"
            _mark(value, (*path, number), file, marks, (*around, node))
