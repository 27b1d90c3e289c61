"""Runs the models that nodes ask for, in padded batches of one fixed size, and never twice on the same pictures.

A model's answer depends on its weights and on the pictures, not on which arm or seed asked.  So answers are kept in
tables, one row a scene, under a key of content: (digest of the model, digest of the pictures, view).  The first
question about a (model, view) fills its whole table, since batches must be full to be quick and padded alike to be
bit-identical; later questions, of other arms, are look-ups.  The *virtual* cost of inference is the asking node's
affair.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Model(Protocol):
    """What the executor needs of a model; :class:`skyedge.learning.zoo.Model` is one."""

    @property
    def digest(self) -> str:
        """Identifies weights and architecture."""
        ...

    def logits(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One row of logits a tile, float32 (tiles, classes), whatever the batch."""
        ...


class PredictionTables:
    """Answers from tables that are already filled; travels to other machines as plain arrays."""

    def __init__(self, tables: Mapping[tuple[str, str], NDArray[np.float32]]) -> None:
        self._tables = dict(tables)

    def logits(self, model: str, view: str, scenes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Rows of the table of (model, view), float32 (scenes, classes)."""
        return self._tables[model, view][scenes]


class ModelExecutor:
    """Fills prediction tables on demand.

    Args:
        models: the models by the names that nodes use.
        pictures: makes the pictures of a view, uint8 (scenes, height, width, 3).
        pictures_digest: identifies the scenes; with a view it identifies the pictures.
        folder: where tables are kept between runs; None keeps them in memory only.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        pictures: Callable[[str], NDArray[np.uint8]],
        pictures_digest: str,
        folder: Path | None = None,
    ) -> None:
        self._models = dict(models)
        self._pictures = pictures
        self._pictures_digest = pictures_digest
        self._folder = folder
        self._tables: dict[tuple[str, str], NDArray[np.float32]] = {}
        self.seconds = 0.0
        """CPU seconds spent in models so far."""

    def logits(self, model: str, view: str, scenes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Rows of the table of (model, view), float32 (scenes, classes)."""
        return self.table(model, view)[scenes]

    def table(self, model: str, view: str) -> NDArray[np.float32]:
        """The answers of ``model`` to every picture of ``view``, float32 (all scenes, classes)."""
        if (model, view) not in self._tables:
            self._tables[model, view] = self._load_or_fill(model, view)
        return self._tables[model, view]

    def frozen(self) -> PredictionTables:
        """The tables filled so far, without models or pictures."""
        return PredictionTables(self._tables)

    def _load_or_fill(self, model: str, view: str) -> NDArray[np.float32]:
        path = self._path(model, view)
        if path is not None and (kept := load_whole(path)) is not None:
            return kept
        began = time.process_time()
        table = self._models[model].logits(self._pictures(view))
        self.seconds += time.process_time() - began
        if path is not None:
            with suppress(OSError):  # a full disk, say: the table saves time and decides nothing
                save_atomically(path, table)
        return table

    def _path(self, model: str, view: str) -> Path | None:
        if self._folder is None:
            return None
        key = f"{self._models[model].digest}\x1f{self._pictures_digest}\x1f{view}"
        return self._folder / f"predictions-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"


def load_whole(path: Path) -> NDArray[np.float32] | None:
    """The table kept at ``path``; None where there is none, or only a part of one after a crash."""
    try:
        table: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return table


def save_atomically(path: Path, array: NDArray[np.generic]) -> None:
    """Write ``array`` so that a reader, or a second writer, never meets half a file.

    Raises:
        OSError: if it cannot be written; no part of it stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            np.save(stream, array)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
