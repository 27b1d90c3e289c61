"""Files that a run keeps: each whole or not at all, and no half of one stays if the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from skyedge.errors import InputError
from skyedge.resources import is_stream


def keep(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whose folder is made if it is missing; a device or a pipe is written into as it is.

    Raises:
        InputError: if it cannot be written; then what was there before still is.
    """
    through = is_stream(path)
    partial = path if through else path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        if not through:
            os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
    finally:
        if not through:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
