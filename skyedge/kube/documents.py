"""Files of manifests, cut into documents, each of which can say where in its file a path stands.

What a document holds is handed on as JSON, whatever it was written in, so that everything after this has one form to read
and msgspec can do it.  Lines are looked up only for the sentence that needs one.  YAML is read as people write it (see
:mod:`skyedge.yaml_files` for the same care with a file of one document): a key given twice and an anchor that holds itself
are mistakes, and a date is a word, as in the Kubernetes API.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import msgspec
import yaml

from skyedge.errors import InputError
from skyedge.kube.problem import Path, Problem, dotted
from skyedge.yaml_files import CarefulLoader, not_yaml

STANDARD_INPUT = "-"
MOST_VALUES = 200_000_000
"""A document whose anchors unfold to more values than this is not what anyone meant."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_IN_QUOTES = re.compile(r'[\s{\[]*"')
"""Brackets and then a quote: so begins JSON, and YAML hardly ever."""


@dataclass(frozen=True, eq=False)
class Document:
    """One document of a file.

    Attributes:
        file: its name, for sentences.
        number: from 1, within the file.
        content: what it holds, as JSON.
    """

    file: str
    number: int
    content: bytes
    first_line: int = 1
    node: yaml.Node | None = field(default=None, repr=False)

    def place(self, path: Path = ()) -> str:
        """``file:line (document n): path``."""
        line = _yaml_line(self.node, path) if self.node else _json_line(self.content, path) + self.first_line - 1
        words = dotted(path)
        return f"{self.file}:{line} (document {self.number}){': ' + words if words else ''}"

    def error(self, problem: Problem) -> InputError:
        """``problem``, with the place where it is."""
        return InputError(problem.message, where=self.place(problem.path), nearest=problem.nearest)


def read_file(path: str | FilePath) -> tuple[str, bytes]:
    """Name and content of a file, or of standard input if it is called ``-``.

    Raises:
        InputError: if it cannot be read.
    """
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("it is closed, and nothing can be read from it", where="standard input")
        return "standard input", sys.stdin.buffer.read()
    try:
        return str(path), FilePath(path).read_bytes()
    except IsADirectoryError:
        raise InputError("this is a folder; a file of manifests is wanted", where=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None


def documents(file: str, data: bytes) -> list[Document]:
    """The documents in ``data``, JSON (one value, or several one after another) or YAML; empty ones are left out.

    Raises:
        InputError: if it is neither, with its line.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    looks_like_json = data.lstrip()[:1] in (b"{", b"[")
    if looks_like_json:
        try:
            msgspec.json.decode(data, type=msgspec.Raw)
            return [Document(file, 1, data)]
        except RecursionError:
            raise InputError("this is nested too deeply", where=file) from None
        except msgspec.DecodeError:
            pass
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=file) from None
    if not looks_like_json and not (file.endswith(".json") and text.strip()):
        return list(_yaml_documents(file, text))
    try:
        return list(_one_after_another(file, text))
    except json.JSONDecodeError as error:
        if file.endswith(".json"):
            raise not_json(file, error) from None
        try:
            return list(_yaml_documents(file, text))  # which is written in brackets, too
        except InputError as other:
            # The first key tells what it was meant to be; and who reads on for longer knows better.
            line = (other.where or "").removeprefix(f"{file}:").partition(" ")[0]
            as_yaml = not _IN_QUOTES.match(text) or (line.isdecimal() and int(line) > error.lineno)
            raise (other if as_yaml else not_json(file, error)) from None
    except RecursionError:
        raise InputError("this is nested too deeply", where=file) from None
    except ValueError as error:
        raise InputError(f"this is not JSON: {error}", where=file) from None


def not_json(file: str, error: json.JSONDecodeError, first_line: int = 1) -> InputError:
    """What is said of a text in JSON where its reader stopped; ``first_line`` is the line where the text begins."""
    end = len(error.doc.rstrip())
    if error.pos >= end or error.msg.startswith("Unterminated string"):  # a line break would have ended that sooner
        line = error.doc.count("\n", 0, end) + first_line
        return InputError("this is not JSON: it breaks off here", where=f"{file}:{line}")
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    return InputError(
        f"this is not JSON: {reason[:1].lower()}{reason[1:]}, at column {error.colno}",
        where=f"{file}:{error.lineno + first_line - 1}",
    )


def _one_after_another(file: str, text: str) -> Iterator[Document]:
    """JSON values with white space between them.

    Raises:
        json.JSONDecodeError: with the place in ``text``, if it is not that.
    """
    decode, number, line, position = json.JSONDecoder().raw_decode, 0, 1, 0
    while position < len(text):
        if text[position].isspace():
            line += text[position] == "\n"
            position += 1
            continue
        _, end = decode(text, position)
        number += 1
        yield Document(file, number, text[position:end].encode(), line)
        line += text.count("\n", position, end)
        position = end


def _yaml_documents(file: str, text: str) -> Iterator[Document]:
    try:
        for number, node in enumerate(yaml.compose_all(text, Loader=_Loader), 1):
            value, _ = _Values(file, number).of(node)
            if value is not None:
                yield Document(file, number, msgspec.json.encode(value), node=node)
    except yaml.YAMLError as error:
        raise not_yaml(file, text, error) from None
    except RecursionError:
        raise InputError("this is nested too deeply", where=file) from None


class _Values:
    """Plain values of a composed document."""

    def __init__(self, file: str, number: int) -> None:
        self._file = file
        self._number = number
        self._constructor = CarefulLoader("")
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def of(self, node: yaml.Node) -> tuple[Any, int]:
        """The value of ``node``, and how many values are in it."""
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise InputError("this anchor holds itself", where=self._at(node))
        self._open.add(id(node))
        value: Any
        if isinstance(node, yaml.MappingNode):
            value, count = self._mapping(node)
        elif isinstance(node, yaml.SequenceNode):
            inner = [self.of(item) for item in node.value]
            value, count = [item for item, _ in inner], 1 + sum(size for _, size in inner)
        else:
            value, count = self._scalar(node), 1
        if count > MOST_VALUES:
            raise InputError("the anchors of this document unfold to far too much", where=self._at(node))
        self._open.discard(id(node))
        self._done[id(node)] = value, count
        return value, count

    def _mapping(self, node: yaml.MappingNode) -> tuple[dict[str, Any], int]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InputError("a key should be a word", where=self._at(key))
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise InputError(f"the key '{key.value}' stands in line {seen[key.value]} already", where=self._at(key))
            seen[key.value] = key.start_mark.line + 1
        self._constructor.flatten_mapping(node)
        inner = {key.value: self.of(value) for key, value in node.value}
        return {key: value for key, (value, _) in inner.items()}, 1 + sum(size for _, size in inner.values())

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        value = self._constructor.construct_object(node)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{value} is not a finite number", where=self._at(node))
        if not isinstance(value, str | int | float | None):
            raise InputError(f"a manifest has no values of the type {node.tag}", where=self._at(node))
        return value

    def _at(self, node: yaml.Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1} (document {self._number})"


def _yaml_line(node: yaml.Node, path: Path) -> int:
    """Line of the key (or list item) at ``path``, or of the nearest thing around it that is there."""
    line = node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            key, node = next(((k, v) for k, v in node.value if k.value == step), (None, node))
            if key is None:
                break
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _json_line(content: bytes, path: Path) -> int:
    """The same for a text in JSON."""
    text = content.decode("utf-8", errors="replace")
    position = line_at = _skip_space(text, 0)
    for step in path:
        found = _member(text, position, step)
        if found is None:
            break
        line_at, position = found
    return text.count("\n", 0, line_at) + 1


def _member(text: str, position: int, step: str | int) -> tuple[int, int] | None:
    """Where the key (or item) ``step`` of the value at ``position`` starts, and where its value does."""
    decode = json.JSONDecoder().raw_decode
    bracket, position = text[position], _skip_space(text, position + 1)
    if bracket not in "{[":
        return None
    number = 0
    while text[position] not in "]}":
        start, name = position, number
        if bracket == "{":
            name, position = decode(text, position)
            position = _skip_space(text, _skip_space(text, position) + 1)
        if name == step:
            return start, position
        _, position = decode(text, position)
        position = _skip_space(text, position)
        if text[position] == ",":
            position = _skip_space(text, position + 1)
        number += 1
    return None


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position
