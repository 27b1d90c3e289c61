"""Where the data folders are, in a checkout and in an installed wheel alike.

``experiments/``, ``models/``, ``orbit/`` and ``cluster/`` are what a user edits, so they sit at the top of the
repository.  In a wheel they travel as ``skyedge/_data/<folder>``.
"""

from __future__ import annotations

import os
from pathlib import Path

from skyedge.errors import InputError, nearest

FOLDERS = ("experiments", "models", "orbit", "cluster")


def folder(kind: str) -> Path:
    """The data folder called ``kind``, one of :data:`FOLDERS`.

    Raises:
        InputError: if the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data" / kind, package.parent / kind):
        if candidate.is_dir():
            return candidate
    raise InputError(f"the data folder '{kind}' is missing from this installation", where=package)


def find(path: str | Path, *, kind: str, beside: Path | None = None) -> Path:
    """The file or folder that a user means by ``path``.

    Looked for as it stands, then beside the file that names it, then in the data folder ``kind`` (a leading
    ``kind/`` may be given or left out).

    Raises:
        InputError: if it is nowhere, with the nearest name that is there.
    """
    wanted = Path(path).expanduser()
    relative = Path(*wanted.parts[1:]) if wanted.parts[:1] == (kind,) else wanted
    candidates = [wanted]
    if not wanted.is_absolute():
        if beside is not None:
            candidates.append(beside / wanted)
        candidates.append(folder(kind) / relative)
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    shelf = candidates[-1].parent
    names = [entry.name for entry in shelf.iterdir()] if shelf.is_dir() else []
    hint = nearest(wanted.name, names)
    if hint is None and not wanted.is_absolute():
        # Named without its folder?
        hint = next((str(entry.relative_to(folder(kind))) for entry in sorted(folder(kind).rglob(wanted.name))), None)
    raise InputError(f"there is no file '{path}'", where=shelf, nearest=hint)


def check_folder(path: Path, *, where: object) -> None:
    """Check that files can be written into ``path``, which need not exist yet.

    Raises:
        InputError: if they cannot.
    """
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        so = "" if there == path else f", so nothing can be written into {path}"
        raise InputError(f"{there} is no folder{so}", where=where)
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written into {there}: permission denied", where=where)
