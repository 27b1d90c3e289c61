"""Files that a command writes: whole or not at all, and what cannot be written is said before the work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from skyedge.errors import InputError
from skyedge.resources import check_folder


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
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent}", where=option)
        check_folder(path.parent, where=option)
        first = named.setdefault(path.resolve(), option)
        if first != option:
            raise InputError(f"{first} and {option} name the same file", where=path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write, which takes its place at the end, and is gone if there is none."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
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
