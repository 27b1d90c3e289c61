"""Files that a command writes: whole or not at all, and what cannot be written is said before the work.

A link is followed, and what it names is replaced.  A device or a pipe, such as ``/dev/stdout``, is written into as it is:
it has no old content to keep, and a file in its place would break it for everybody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from skyedge.errors import InputError
from skyedge.resources import check_folder, is_stream
from skyedge.runtime.stopping import StopSignals


def check_files(files: Mapping[str, Path | None]) -> None:
    """Check that every file, by the option that names it, can be written; its folder must be there.

    Raises:
        InputError: with the option, for the first that cannot, or for two options that name one file.
    """
    named: dict[Path, str] = {}
    for option, path in files.items():
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{path} is a folder; a file is wanted", where=option)
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"{path} cannot be written: permission denied", where=option)
        if is_stream(path):
            continue
        target = _target(path, option)
        folder = target.parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}", where=option)
        check_folder(folder, where=option)
        first = named.setdefault(target, option)
        if first != option:
            raise InputError(f"{first} and {option} name the same file", where=path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` at the end, and is gone if there is none.

    SIGTERM, which would leave it behind, stops the work as Ctrl-C does.

    Raises:
        InputError: if it cannot be written.
    """
    if is_stream(path):
        with _said(path):
            yield path
        return
    target = _target(path, path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    with StopSignals():
        try:
            with _said(path):
                yield partial
                os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files; none takes its place before all are written.

    Raises:
        InputError: if one cannot be written.
    """
    with ExitStack() as stack:
        for path, content in contents.items():
            stack.enter_context(whole_file(path)).write_bytes(content)


def _target(path: Path, where: object) -> Path:
    """The file that ``path`` names in the end."""
    try:
        return path.resolve()
    except RuntimeError:
        raise InputError(f"{path} is a link that leads back to itself", where=where) from None


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What the system refuses, in one sentence."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror or error}", where=path) from None
