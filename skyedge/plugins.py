"""A user's own classes, by import path: found, named when they are not, and told apart when their code changes."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from typing import Any

from skyedge.errors import InputError, nearest


def is_import_path(name: str) -> bool:
    """Does ``name`` mean a class of the user's, as ``package.module:Class``?"""
    return ":" in name


def load_class(path: str, *, where: object = None) -> type[Any]:
    """The class at an import path ``package.module:Class``.

    Raises:
        InputError: if the module or the class is not there.
    """
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a user's own module does when it is imported
        reason = str(error) or type(error).__name__
        raise InputError(f"cannot import '{module_name}': {reason}", where=where) from None
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        names = [name for name in dir(module) if isinstance(getattr(module, name), type)]
        raise InputError(f"{module_name} has no class '{class_name}'", where=where, nearest=nearest(class_name, names))
    return found


def source_digest(path: str, *, where: object = None) -> str:
    """Identifies the code of the class at an import path: the files of the top-level package that it lives in.

    A class may lean on its neighbours, so all of its package counts.  Of an installed package the file of the module is
    enough: nobody edits those, and they are large.
    """
    load_class(path, where=where)
    module_name = path.partition(":")[0]
    top, module = sys.modules[module_name.partition(".")[0]], sys.modules[module_name]
    files = [Path(str(module.__file__))] if module.__file__ else []
    for folder in getattr(top, "__path__", ()):
        if "site-packages" not in Path(folder).parts:
            files += Path(folder).rglob("*.py")
    whole = hashlib.sha256()
    for file in sorted({file.resolve() for file in files}):
        whole.update(file.name.encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]
