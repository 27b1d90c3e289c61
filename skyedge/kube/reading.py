"""From files to typed objects, each of which knows where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw

from skyedge.errors import InputError, nearest
from skyedge.kube.cluster import ConfigMap
from skyedge.kube.documents import Document, documents, read_file
from skyedge.kube.parts import NotModelled, ShapeReader, mapping, sequence
from skyedge.kube.problem import Path, Problem
from skyedge.kube.registry import SCHEDULING, Kind, Registry
from skyedge.kube.shape import Shape, shown
from skyedge.kube.volcano import SchedulerConfiguration

Object = TypeVar("Object", bound=Shape)

CONFIGURATION_FILE = "volcano-scheduler.conf"
"""The key of a ConfigMap under which Volcano looks for its configuration."""


@dataclass(slots=True, eq=False)
class Manifest(Generic[Object]):
    """An object and where it was written."""

    object: Object
    document: Document
    path: Path
    whole: Mapping[str, Raw] | None = None
    """All that was written, of a kind that is handed on or kept whole (see :class:`~skyedge.kube.registry.Kind`)."""

    def plain(self) -> dict[str, Any]:
        """All that was written, as plain data of the caller's own; nothing, of a kind that is not kept whole.

        Raises:
            InputError: if a number is too large for one.
        """
        plain = {}
        for key, text in (self.whole or {}).items():
            try:
                plain[key] = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                raise self.error((key,), f"this is not what it looks like: {error}") from None
        return plain

    def place(self, *path: str | int) -> str:
        """``file:line (document n): path``."""
        return self.document.place((*self.path, *path))

    def error(self, path: Path, message: str, nearest: str | None = None) -> InputError:
        """An error about what stands at ``path``."""
        return InputError(message, where=self.place(*path), nearest=nearest)


@dataclass(eq=False)
class Manifests:
    """All that was read, by type, in the order of the files."""

    by_type: dict[type[Shape], list[Manifest[Any]]] = field(default_factory=dict)
    unmodelled: dict[tuple[str, str], str] = field(default_factory=dict)
    """(kind, path) of each field that the API knows and skyedge does not model, to the file where it stands first."""
    passed_over: dict[str, str] = field(default_factory=dict)
    """Kinds that Kubernetes has and this reader was not given, to the file where they stand first."""

    def of(self, kind: type[Object]) -> list[Manifest[Object]]:
        """All manifests of one type."""
        return self.by_type.get(kind, [])

    def warnings(self) -> list[str]:
        """A sentence for each kind of which fields, or all, are passed over."""
        by_kind: dict[str, list[str]] = {}
        files: dict[str, str] = {}
        for (kind, path), file in self.unmodelled.items():
            by_kind.setdefault(kind, []).append(path)
            files.setdefault(kind, file)
        fields_said = [
            f"{files[kind]}: {kind}: the API knows these fields and skyedge does not model them: {', '.join(sorted(paths))}"
            for kind, paths in by_kind.items()
        ]
        return fields_said + [f"{file}: {kind}: this kind has no part in this" for kind, file in self.passed_over.items()]


def read_manifests(
    files: Iterable[str | FilePath], *, kinds: Iterable[Kind] = SCHEDULING, strict: bool = False
) -> Manifests:
    """The objects in ``files``; ``-`` is standard input.

    Args:
        kinds: what is read; other kinds of Kubernetes are passed over.
        strict: whether a field that is not modelled, or a kind that is passed over, is an error.

    Raises:
        InputError: with file, line, document and path of what is wrong.
    """
    reader = Reader(kinds, strict=strict)
    for path in files:
        reader.read(*read_file(path))
    return reader.manifests


def parse_manifests(
    data: bytes | str, *, file: str = "manifest", kinds: Iterable[Kind] = SCHEDULING, strict: bool = False
) -> Manifests:
    """The objects in a text, which sentences call ``file``; see :func:`read_manifests`."""
    reader = Reader(kinds, strict=strict)
    reader.read(file, data.encode() if isinstance(data, str) else data)
    return reader.manifests


class Reader:
    """Reads documents one after another into :class:`Manifests`."""

    def __init__(self, kinds: Iterable[Kind] = SCHEDULING, *, strict: bool = False) -> None:
        self.manifests = Manifests()
        self._registry = Registry(kinds)
        self._strict = strict
        self._file = ""
        self._readers: dict[Kind, ShapeReader] = {}
        self._identified: dict[tuple[bytes, bytes], Kind | None] = {}

    def read(self, file: str, data: bytes) -> None:
        """Read all documents of a file.

        Raises:
            InputError: with the place of what is wrong.
        """
        self._file = file
        for document in documents(file, data):
            try:
                self._document(document)
            except Problem as problem:
                raise document.error(problem) from None
            except RecursionError:
                raise InputError("this is nested too deeply", where=file) from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(f"this is not what it looks like: {error}", where=document.place()) from None

    def _document(self, document: Document) -> None:
        if document.content.lstrip()[:1] == b"[":
            self._items(document, (), sequence(document.content), {})
            return
        given = mapping(document.content)
        kind = bytes(given.get("kind", b""))
        if not kind.endswith(b'List"'):
            self._object(document, (), given)
            return
        for key in given:
            if key not in ("apiVersion", "kind", "metadata", "items"):
                raise Problem((key,), f"a list has no '{key}'", nearest(key, ("metadata", "items")))
        if "items" not in given:
            raise Problem((), "a list needs 'items'")
        if bytes(given["items"]) == b"null":
            return
        # The API itself says what a list is of, and not what each of its items is.
        inherited = {}
        if kind != b'"List"' and "apiVersion" in given:
            inherited = {"apiVersion": given["apiVersion"], "kind": Raw(kind.removesuffix(b'List"') + b'"')}
        try:
            items = sequence(given["items"])
        except Problem as problem:
            raise problem.below("items") from None
        self._items(document, ("items",), items, inherited)

    def _items(self, document: Document, path: Path, items: list[Raw], inherited: dict[str, Raw]) -> None:
        for number, raw in enumerate(items):
            try:
                given = inherited | mapping(raw) if inherited else mapping(raw)
                if "items" in given and bytes(given.get("kind", b"")).endswith(b'List"'):
                    raise Problem(("kind",), "a list within a list is not read; put its items into the outer one")
                self._object(document, (*path, number), given)
            except Problem as problem:
                raise problem.below(*path, number) from None

    def _object(self, document: Document, path: Path, given: dict[str, Raw]) -> None:
        kind = self._kind(given)
        if kind is None:
            return
        reader = self._readers.get(kind)
        if reader is None:
            reader = self._readers[kind] = ShapeReader(kind.type, f"the kind {kind.name}", "", self._noting(kind))
        made = reader.read_fields(given)
        if not kind.bare_keys and not made.metadata.name:  # type: ignore[attr-defined]
            raise Problem(("metadata",), "'name' is missing")
        whole = given if kind.handed_on or kind.kept_whole else None
        self.manifests.by_type.setdefault(kind.type, []).append(Manifest(made, document, path, whole))

    def _kind(self, given: dict[str, Raw]) -> Kind | None:
        """What a manifest is; None if it is passed over."""
        words = (bytes(given.get("apiVersion", b"")), bytes(given.get("kind", b"")))
        if words in self._identified:
            return self._identified[words]
        if words == (b"", b""):
            bare = self._registry.bare(given)
            if bare is None:
                raise Problem((), "a manifest needs apiVersion and kind")
            return bare
        api_version, name = (self._word(key, word) for key, word in zip(("apiVersion", "kind"), words, strict=True))
        kind = self._identified[words] = self._registry.find(api_version, name)
        if kind is None:
            if self._strict:
                raise Problem(("kind",), f"the kind {name} has no part in this (strict)")
            self.manifests.passed_over.setdefault(name, self._file)
        return kind

    @staticmethod
    def _word(key: str, text: bytes) -> str:
        said = msgspec.json.decode(text) if text else None
        if not said:
            raise Problem((), f"a manifest needs '{key}'")
        if not isinstance(said, str):
            raise Problem((key,), f"this should be a word, not {shown(said)}")
        return said

    def _noting(self, kind: Kind) -> NotModelled:
        noted = self.manifests.unmodelled

        def note(place: str, name: str) -> None:
            if kind.handed_on:
                return
            if self._strict:
                raise Problem((name,), "the API knows this field and skyedge does not model it (strict)")
            noted.setdefault((kind.name, f"{place}.{name}" if place else name), self._file)

        return note


def scheduler_configurations(manifests: Manifests) -> list[tuple[dict[str, Any], str]]:
    """The scheduler configurations in ``manifests``, bare or in a ConfigMap: pairs of a mapping and its place.

    Raises:
        InputError: for a ConfigMap whose file is no such mapping.
    """
    found = [(manifest.object.mapping(), manifest.place()) for manifest in manifests.of(SchedulerConfiguration)]
    for holder in manifests.of(ConfigMap):
        text = holder.object.data.get(CONFIGURATION_FILE)
        if text is None:
            continue
        place = holder.place("data", CONFIGURATION_FILE)
        inner = parse_manifests(text, file=place)
        configurations = inner.of(SchedulerConfiguration)
        if len(configurations) != 1:
            raise InputError("this should hold one scheduler configuration, with 'actions' and 'tiers'", where=place)
        found.append((configurations[0].object.mapping(), place))
    return found
