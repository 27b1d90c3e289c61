"""YAML as users write it: read with care for what the library lets pass.

A key that is given twice would silently mean its second value; a date that no calendar has, and an anchor that holds
itself, would end in a traceback; anchors of anchors of anchors unfold to more than any memory holds; what is not a finite
number is no figure of anything.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from skyedge.errors import InputError

Marks = dict[tuple[str | int, ...], str]
"""Where each key of a file stands, as ``file:line``."""

MOST_BYTES = 4_000_000
"""What is written by hand is smaller, and a file as large as this takes half a minute to read."""
MOST_VALUES = 100_000
"""No such file has as many values, those counted that its anchors unfold to."""
LONGEST_SHOWN = 100
"""A sentence repeats no word that has more characters."""


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CarefulLoader(_Loader):  # type: ignore[misc]
    """Loads what is safe, quickly, and knows the place of a value that is not what its tag, or its look, says."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of ``node``.

        Raises:
            yaml.YAMLError: with its place, whatever is wrong.
        """
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, LookupError, AttributeError) as error:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            if len(node.value) > LONGEST_SHOWN:
                reason = f"{len(node.value):,} characters are too many for the type {kind}"
            else:
                why = f": {error}" if kind == "timestamp" and isinstance(error, ValueError) else ""
                reason = f"'{node.value}' is no {kind}{why}"
            words = f"a value is not what it looks like: {reason}"
            raise yaml.constructor.ConstructorError(problem=words, problem_mark=node.start_mark) from None


def read_marked(path: Path) -> tuple[Any, Marks]:
    """What a YAML file holds, and the line of each key.

    Raises:
        InputError: if it cannot be read or is not YAML, with its line.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(f"more than {MOST_BYTES // 1_000_000} MB are not what anyone writes by hand", where=path)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None
    marks: Marks = {}
    try:
        _mark(yaml.compose(text, Loader=CarefulLoader), (), path, marks, ())
        content = yaml.load(text, Loader=CarefulLoader)
    except yaml.YAMLError as error:
        raise not_yaml(str(path), text, error) from None
    except RecursionError:
        raise InputError("this is nested too deeply", where=path) from None
    check_finite(content, (), marks)
    return content, marks


def not_yaml(file: str, text: str, error: yaml.YAMLError) -> InputError:
    """What is said of a text in which the reader of YAML stopped."""
    mark = getattr(error, "problem_mark", None)
    message = str(getattr(error, "problem", None) or "this is not YAML")
    if mark is None:
        strange = yaml.reader.Reader.NON_PRINTABLE.search(text)
        if strange is None:
            return InputError(message, where=file)
        line_number = text.count("\n", 0, strange.start()) + 1
        return InputError(f"YAML has no character U+{ord(strange[0]):04X}", where=f"{file}:{line_number}")
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
        _mark(yaml.compose(text, Loader=CarefulLoader), (), where, {}, ())
        value = yaml.load(text, Loader=CarefulLoader)
    except (yaml.YAMLError, RecursionError):
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
    node: yaml.Node | None, path: tuple[str | int, ...], file: object, marks: Marks, around: tuple[yaml.Node, ...]
) -> None:
    if len(marks) > MOST_VALUES:
        raise InputError(f"this unfolds to more than {MOST_VALUES:,} values, which nobody meant", where=file)
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
