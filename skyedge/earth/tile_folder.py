"""A user's own imagery: a folder of labelled tiles, one folder a class.

``PATH/<class>/*.png`` (the layout of EuroSAT and of torchvision's ImageFolder) is dealt to train, calibrate and
evaluate by a hash of each tile's name, in the shares of the Earth's blocks and for ever: no seed can move a tile.  Tiles
that were cut from one picture look alike, and a hash would deal neighbours to different splits; whoever has such tiles
splits them himself, as ``PATH/train|calibrate|evaluate/<class>/*.png``.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from skyedge.earth.blocks import SPLIT_NAMES, split_by_hash
from skyedge.errors import InputError
from skyedge.resources import find

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
MAXIMUM_CLASSES = 127
"""Labels are kept in eight bits."""
_OTHER_SPLIT_NAMES = {"test", "testing", "val", "valid", "validation"}
_EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"}


@dataclass(frozen=True, eq=False)
class TileFolder:
    """What a folder holds; its pictures are read when they are asked for."""

    path: Path
    classes: tuple[str, ...]  # names in alphabetical order; a label is a place in it
    files: tuple[Path, ...]
    label: NDArray[np.int8]  # (files,)
    split: NDArray[np.int8]  # (files,)
    digest: str  # of all names and bytes, so that other content is never taken for this

    @classmethod
    def open(cls, path: Path) -> TileFolder:
        """Look through the folder at ``path``.

        Raises:
            InputError: if it is not there, or not a folder of classes with pictures of each in every split.
        """
        if not path.is_dir():
            raise InputError("there is no such folder of tiles", where=path)
        found: list[tuple[Path, str, int]] = []  # file, class, split
        folders = _folders(path)
        if folders and {folder.name for folder in folders} <= set(SPLIT_NAMES):
            for split, name in enumerate(SPLIT_NAMES):
                if not (path / name).is_dir():
                    raise InputError(f"this folder is split, but '{name}' is missing", where=path)
                found += [(file, folder.name, split) for folder in _folders(path / name) for file in _pictures(folder)]
        else:
            _refuse_other_splits(path, [folder.name for folder in folders])
            for folder in folders:
                found += [
                    (file, folder.name, split_by_hash(f"tile {folder.name}/{file.name}")) for file in _pictures(folder)
                ]
        classes = sorted({name for _, name, _ in found})
        _check_classes(path, classes)
        number = {name: label for label, name in enumerate(classes)}
        label = np.array([number[name] for _, name, _ in found], np.int8)
        split_of = np.array([split for *_, split in found], np.int8)
        _check_every_split(path, classes, label, split_of)
        files = tuple(file for file, *_ in found)
        return cls(path, tuple(classes), files, label, split_of, _digest(path, files))

    def rows_of(self, split: int) -> NDArray[np.intp]:
        """Which of :attr:`files` belong to a split."""
        return np.flatnonzero(self.split == split)

    def tiles(self, size_px: int) -> NDArray[np.uint8]:
        """All pictures, cut square about their middle and resized, uint8 (files, size, size, 3); kept in memory.

        Raises:
            InputError: for a file that is not a picture of eight bits a sample.
        """
        return _tiles(self, size_px)


@lru_cache(maxsize=2)
def open_sealed(path: Path, digest: str) -> TileFolder:
    """The folder at ``path``, which must still hold what had this ``digest``.

    Raises:
        InputError: if it does not, or if there is something wrong with it.
    """
    folder = TileFolder.open(path)
    if folder.digest != digest:
        raise InputError(f"the content of this folder is {folder.digest} and not {digest}, as asked for", where=path)
    return folder


def find_folder(name: str, *, kind: str, where: object, beside: Path | None = None) -> Path:
    """The folder that a file calls ``name``; see :func:`skyedge.resources.find`.

    Raises:
        InputError: if it is nowhere.
    """
    try:
        return find(name, kind=kind, beside=beside)
    except InputError as error:
        raise InputError(f"there is no folder '{name}'", where=where, nearest=error.nearest) from None


def read_tile(file: Path, size_px: int) -> NDArray[np.uint8]:
    """The picture in ``file``, uint8 (size, size, 3).

    Raises:
        InputError: if it cannot be read, or is not a picture that has a meaning in RGB of eight bits.
    """
    try:
        with Image.open(file) as image:
            if image.mode not in _EIGHT_BITS:
                raise InputError(f"a picture of mode {image.mode} is not RGB of eight bits a sample", where=file)
            # A palette with transparency has to become RGBA first.
            plain = image.convert("RGBA") if "transparency" in image.info else image
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = plain.convert("RGB").crop((left, top, left + side, top + side))
            return np.asarray(square.resize((size_px, size_px), Image.Resampling.BILINEAR), np.uint8)
    except UnidentifiedImageError:
        raise InputError("this file is not a picture", where=file) from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read this picture: {reason}", where=file) from None


@lru_cache(maxsize=2)
def _tiles(folder: TileFolder, size_px: int) -> NDArray[np.uint8]:
    tiles = np.empty((len(folder.files), size_px, size_px, 3), np.uint8)
    for row, file in enumerate(folder.files):
        tiles[row] = read_tile(file, size_px)
    return tiles


def _visible(path: Path) -> list[Path]:
    """What is in a folder, in order, less what systems and archivers leave there (.DS_Store, __MACOSX, Thumbs.db)."""
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise InputError(f"cannot read this folder: {error.strerror}", where=path) from None
    return [entry for entry in entries if not entry.name.startswith((".", "__")) and entry.name != "Thumbs.db"]


def _folders(path: Path) -> list[Path]:
    """The folders within a folder; files beside them (a licence, a table) are nobody's tiles."""
    return [entry for entry in _visible(path) if entry.is_dir()]


def _pictures(folder: Path) -> list[Path]:
    files = _visible(folder)
    for file in files:
        if file.is_dir():
            raise InputError("a folder within the folder of a class has no meaning here", where=file)
        if file.suffix.lower() not in SUFFIXES:
            raise InputError(f"this is not a picture ({', '.join(SUFFIXES)})", where=file)
    if not files:
        raise InputError("this class has no pictures", where=folder)
    return files


def _refuse_other_splits(path: Path, names: Sequence[str]) -> None:
    odd = sorted(name for name in names if name.lower() in _OTHER_SPLIT_NAMES)
    if odd and "train" in names:
        raise InputError(f"a split is called {', '.join(SPLIT_NAMES)} here, and not '{odd[0]}'", where=path)


def _check_classes(path: Path, classes: Sequence[str]) -> None:
    if not classes:
        raise InputError("this folder is empty: a folder a class with its pictures is wanted", where=path)
    if len(classes) == 1:
        raise InputError(f"there is one class only, '{classes[0]}', so there is nothing to tell apart", where=path)
    if len(classes) > MAXIMUM_CLASSES:
        raise InputError(f"there are {len(classes)} classes, and {MAXIMUM_CLASSES} at most can be told apart", where=path)


def _check_every_split(path: Path, classes: Sequence[str], label: NDArray[np.int8], split: NDArray[np.int8]) -> None:
    for number, name in enumerate(SPLIT_NAMES):
        count = np.bincount(label[split == number], minlength=len(classes))
        if not count.all():
            lacking = int(count.argmin())
            every = np.count_nonzero(label == lacking)
            raise InputError(f"of the {every} pictures of class '{classes[lacking]}' none is for '{name}'", where=path)


def _digest(path: Path, files: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read this picture: {error.strerror}", where=file) from None
        whole.update(f"{file.relative_to(path).as_posix()}\x1f{len(content)}\x1f".encode())
        whole.update(content)
    return f"tiles-{whole.hexdigest()[:16]}"
