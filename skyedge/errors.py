"""The one exception tree, and the sentence that each exception carries to the user.

A user should never meet a traceback for something that a user did.  Whatever is wrong with an input is raised
as an :class:`InputError` with three parts: *where* (file, line or dotted path), *what* (one sentence) and,
if a word was misspelt, the *nearest right word*.  The command line prints ``str(error)`` and exits with
``error.exit_code``; nothing else in the program calls ``exit``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class SkyedgeError(Exception):
    """Base of every error that skyedge raises on purpose."""

    exit_code = 1


class InputError(SkyedgeError):
    """Something the user gave is wrong: a file, a value, an address.

    Args:
        message: one sentence, without a full stop, saying what was wrong.
        where: file, ``file:line`` or dotted path of the offending place.
        nearest: the right word nearest to the wrong one, if there is one.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: object = None, nearest: str | None = None) -> None:
        self.message = message
        self.where = None if where is None else str(where)
        self.nearest = nearest
        super().__init__(message, self.where, nearest)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" (did you mean '{self.nearest}'?)" if self.nearest else ""
        return f"{place}{self.message}{hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors travel between Ray actors.
        return _rebuild_input_error, (type(self), self.message, self.where, self.nearest)


class RayUnavailable(InputError):
    """No Ray cluster at the given address, or one that cannot hold what was asked of it."""


class LedgerImbalance(SkyedgeError):
    """Bytes were offered to a link that were neither delivered, waiting, expired nor lost: a bug, never noise."""


class CausalityError(SkyedgeError):
    """A node tried to act in its own past or to reach another node sooner than it had declared."""


class RunStopped(SkyedgeError):
    """The user stopped the run; what was finished is kept."""

    exit_code = 130


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The entry of ``words`` most like ``word``, or None if none is close."""
    matches = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return matches[0] if matches else None


def _rebuild_input_error(cls: type[InputError], message: str, where: str | None, nearest_word: str | None) -> InputError:
    return cls(message, where=where, nearest=nearest_word)
