"""Where the data folders are, in a checkout and in an installed wheel alike.

``experiments/``, ``models/``, ``orbit/`` and ``cluster/`` are what a user edits, so they sit at the top of the
repository.  In a wheel they travel as ``skyedge/_data/<folder>``.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from skyedge.errors import InputError

FOLDERS = ("experiments", "models", "orbit", "cluster")

NEAR = 0.7
"""How much the names of two files, without their endings, have to be alike for one of them to be meant by the other."""


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
    wanted = Path(os.path.expanduser(path))  # which leaves ~nobody as it is where there is no such user
    relative = Path(*wanted.parts[1:]) if wanted.parts[:1] == (kind,) else wanted
    candidates = [wanted]
    if not wanted.is_absolute():
        if beside is not None:
            candidates.append(beside / wanted)
        candidates.append(folder(kind) / relative)
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    if wanted.is_symlink():
        raise InputError(f"'{path}' is a link that leads nowhere")
    if wanted.is_absolute():
        raise InputError(f"there is no file '{path}'", nearest=_near(wanted, candidates))
    near = _near(wanted, candidates)
    if near is None or wanted.name == str(wanted):  # named without its folder?
        same = sorted(folder(kind).rglob(glob.escape(wanted.name)))
        near = str(same[0].relative_to(folder(kind))) if same else near
    named_it = "" if beside is None else f" nor in {beside}, where it is named,"
    raise InputError(f"there is no file '{path}', neither here{named_it} nor {_in_ours(kind)}", nearest=near)


def find_all(paths: Iterable[str], *, kind: str, but: Collection[str] = ()) -> list[str]:
    """The files that a user means by ``paths``, in their order; a pattern such as ``manifests/mesh/*.yaml`` is sorted.

    A shell leaves a pattern as it is if nothing here meets it; then what meets it in the data folder ``kind`` is meant.

    Args:
        paths: files and patterns; what is there is named as it was named.
        kind: the data folder; see :func:`find`.
        but: names that are no files, and stay as they are.

    Raises:
        InputError: if a file is nowhere, or nothing meets a pattern.
    """
    found: list[str] = []
    for path in paths:
        if path in but or Path(path).exists():
            found.append(path)
        elif glob.has_magic(path):
            found += _meeting(path, kind)
        else:
            found.append(str(find(path, kind=kind)))
    return found


def _meeting(pattern: str, kind: str) -> Sequence[str]:
    """Files that meet a pattern: here, or else in the data folder.

    Raises:
        InputError: if there are none.
    """
    found = [glob.glob(os.path.expanduser(pattern))]
    if not Path(pattern).is_absolute():
        ours = folder(kind)
        found.append([str(ours / name) for name in glob.glob(pattern.removeprefix(f"{kind}/"), root_dir=ours)])
    for names in found:
        if files := sorted(name for name in names if Path(name).is_file()):
            return files
    raise InputError(f"no file meets the pattern '{pattern}', neither here nor {_in_ours(kind)}")


def _near(wanted: Path, candidates: Iterable[Path]) -> str | None:
    """What stands where one of the candidates would, and is called much like it; in the folder that was given."""
    shelves = [candidate.parent for candidate in candidates if candidate.parent.is_dir()]
    stems = {entry.stem: entry.name for shelf in shelves for entry in sorted(shelf.iterdir(), reverse=True)}
    matches = difflib.get_close_matches(wanted.stem, stems, n=1, cutoff=NEAR)
    return str(wanted.with_name(stems[matches[0]])) if matches else None


def _in_ours(kind: str) -> str:
    return f"in skyedge's {kind}/"


def is_stream(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, which is written into and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_folder(path: Path, *, where: object) -> None:
    """Check that files can be written into ``path``, which need not exist yet.

    Raises:
        InputError: if they cannot.
    """
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path} is a link that leads nowhere", where=where)
    if not there.is_dir():
        so = "" if there == path else f", so nothing can be written into {path}"
        raise InputError(f"{there} is no folder{so}", where=where)
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written into {there}: permission denied", where=where)
