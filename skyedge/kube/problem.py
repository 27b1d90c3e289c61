"""What is wrong inside a manifest: the path to it, a sentence, the nearest right word.

Whoever reads a part of a manifest knows where in that part it found something wrong; whoever holds the whole knows file,
document and line.  So a problem is raised with a path that grows on its way up, and becomes an
:class:`~skyedge.errors.InputError` only where the place is known.
"""

from __future__ import annotations

Path = tuple[str | int, ...]


class Problem(ValueError):
    """Something is wrong at ``path``, seen from where this was raised."""

    def __init__(self, path: Path, message: str, nearest: str | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.nearest = nearest

    def below(self, *steps: str | int) -> Problem:
        """The same, seen from further up."""
        return Problem((*steps, *self.path), self.message, self.nearest)


def dotted(path: Path) -> str:
    """``spec.tasks[0].replicas``."""
    words = ""
    for step in path:
        if isinstance(step, int):
            words += f"[{step}]"
        elif "." in step or "/" in step:
            words += f"['{step}']"
        else:
            words += f".{step}" if words else step
    return words
