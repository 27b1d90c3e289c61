"""Reading the parts of a manifest, each distinct text once.

Pods of a gang differ in their names and in little else; pods that a cluster has printed differ in the name of a volume
too.  So every part of an object, down to the single container, is kept by its text: a text that was seen before gives the
same frozen object again, already checked, and what is not modelled is never decoded.  That makes the hundred-thousandth
pod of a file cheap, and whatever is computed of a part can be kept by its identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol, get_args, get_origin

import msgspec
from msgspec import Raw

from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import ANYTHING, Shape, decode_hook, explain, fields, right_word, shown

SAYS_NOTHING = frozenset({b"{}", b"[]", b"null", b'""', b"false"})
"""An unmodelled field with one of these values need not be mentioned."""

MOST_KEPT = 1 << 16
"""So many texts of a part are kept; where more are distinct, keeping them does not pay."""

FEW_FIELDS = 8
"""So many fields are listed for somebody who wrote one that is like none of them."""

NotModelled = Callable[[str, str], None]
"""Is told the place (``spec.containers[]``) and the name of a field that is not modelled."""

_FIELDS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_ITEMS: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])


class PartReader(Protocol):
    """Reads one part of a kind, at one place in it."""

    def read(self, text: bytes) -> Any:
        """What ``text``, in JSON, says.

        Raises:
            Problem: with the path of what is wrong, seen from this part.
        """
        ...


def part_reader(kind: Any, what: str, place: str, not_modelled: NotModelled) -> PartReader:
    """The reader of ``kind`` at ``place`` of an object that sentences call ``what``."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if isinstance(kind, type) and issubclass(kind, Shape):
        return ShapeReader(kind, what, place, not_modelled)
    if get_origin(inner) is tuple and isinstance(get_args(inner)[0], type) and issubclass(get_args(inner)[0], Shape):
        least = next((limit.min_length or 0 for limit in get_args(kind)[1:] if limit is not ...), 0)
        return ListReader(ShapeReader(get_args(inner)[0], what, f"{place}[]", not_modelled), least)
    if get_origin(inner) is dict and isinstance(get_args(inner)[1], type) and issubclass(get_args(inner)[1], Shape):
        return TableReader(ShapeReader(get_args(inner)[1], what, f"{place}.*", not_modelled))
    return LeafReader(kind)


class ShapeReader:
    """Reads a mapping with fields of its own."""

    def __init__(self, cls: type[Shape], what: str, place: str, not_modelled: NotModelled) -> None:
        self._make: Callable[..., Shape] = cls
        self._cls, self._what, self._place, self._not_modelled = cls, what, place, not_modelled
        self._parts = {
            name: (field.attribute, part_reader(field.kind, what, f"{place}.{name}" if place else name, not_modelled).read)
            for name, field in fields(cls).items()
        }
        self._required = frozenset(field.attribute for field in fields(cls).values() if field.required)
        self._unmodelled = frozenset(cls.unmodelled.split())
        self._bookkeeping = dict(_only_with(word) for word in cls.bookkeeping.split())
        self._checks = cls.check is not Shape.check
        self._keeps = cls is not Metadata  # no two objects have the same
        self._known: dict[bytes, Shape] = {}

    def read(self, text: bytes) -> Shape:
        """See :class:`PartReader`."""
        known = self._known.get(text)
        if known is not None:
            return known
        made = self.read_fields(mapping(text))
        if self._keeps and len(self._known) < MOST_KEPT:
            self._known[text] = made
        return made

    def read_fields(self, given: dict[str, Raw]) -> Shape:
        """The same for a mapping whose keys have been read."""
        read: dict[str, Any] = {}
        for name, raw in given.items():
            text = bytes(raw)
            part = self._parts.get(name)
            if part is None:
                self._other_field(name, text)
            elif text != b"null":
                attribute, read_part = part
                try:
                    read[attribute] = read_part(text)
                except Problem as problem:
                    raise problem.below(name) from None
        if not self._required <= read.keys():
            missing = next(
                name for name, field in fields(self._cls).items() if field.required and field.attribute not in read
            )
            raise Problem((), f"'{missing}' is missing")
        made = self._make(**read)
        if self._checks:
            made.check()
        return made

    def _other_field(self, name: str, text: bytes) -> None:
        if not {name, ANYTHING} & self._unmodelled and name not in self._bookkeeping:
            known = [*self._parts, *sorted(self._unmodelled | self._bookkeeping.keys())]
            right = right_word(name, known)
            there = f"; there are {', '.join(known)}" if right is None and 1 < len(known) <= FEW_FIELDS else ""
            raise Problem((name,), f"{self._what} has no field '{name}' here{there}", right)
        if text not in SAYS_NOTHING and self._bookkeeping.get(name, b"") not in (None, text):
            self._not_modelled(self._place, name)


class ListReader:
    """Reads a list of mappings."""

    def __init__(self, item: ShapeReader, least: int) -> None:
        self._read_item = item.read
        self._least = least

    def read(self, text: bytes) -> tuple[Shape, ...]:
        """See :class:`PartReader`."""
        items = sequence(text)
        if len(items) < self._least:
            raise Problem((), "this should not be empty")
        made: list[Shape] = []
        for raw in items:
            try:
                made.append(self._read_item(bytes(raw)))
            except Problem as problem:
                raise problem.below(len(made)) from None
        return tuple(made)


class TableReader:
    """Reads mappings by names that the user chose."""

    def __init__(self, item: ShapeReader) -> None:
        self._read_item = item.read

    def read(self, text: bytes) -> dict[str, Shape]:
        """See :class:`PartReader`."""
        made: dict[str, Shape] = {}
        for name, raw in mapping(text).items():
            try:
                made[name] = self._read_item(bytes(raw))
            except Problem as problem:
                raise problem.below(name) from None
        return made


class LeafReader:
    """Reads a word, a number, or a collection of such."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind, dec_hook=decode_hook).decode
        self._known: dict[bytes, Any] = {}
        if kind is str:
            self.read = self._decoded  # type: ignore[method-assign]  # as quick as looking it up

    def read(self, text: bytes) -> Any:
        """See :class:`PartReader`."""
        try:
            return self._known[text]
        except KeyError:
            value = self._decoded(text)
            if len(self._known) < MOST_KEPT:
                self._known[text] = value
            return value

    def _decoded(self, text: bytes) -> Any:
        try:
            return self._decode(text)
        except msgspec.ValidationError as error:
            explain(self._kind, msgspec.json.decode(text))
            raise Problem((), str(error)) from None


def _only_with(word: str) -> tuple[str, bytes | None]:
    """A field of ``bookkeeping``, and the only text with which it is that; None: with any."""
    name, only, value = word.partition("=")
    return name, msgspec.json.encode(value) if only else None


def mapping(text: bytes | Raw) -> dict[str, Raw]:
    """The fields of a mapping, unread.

    Raises:
        Problem: if it is none.
    """
    try:
        return _FIELDS.decode(text)
    except msgspec.ValidationError:
        raise Problem((), f"this should be a mapping, not {shown(msgspec.json.decode(text))}") from None


def sequence(text: bytes | Raw) -> list[Raw]:
    """The items of a list, unread.

    Raises:
        Problem: if it is none.
    """
    try:
        return _ITEMS.decode(text)
    except msgspec.ValidationError:
        raise Problem((), f"this should be a list, not {shown(msgspec.json.decode(text))}") from None
