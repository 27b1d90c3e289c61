"""RE2's regular expressions, which proxies use: what they have, what they mean, and that none takes for ever.

The engine is RE2 itself.  Python's own differs in what decides where a request goes (``\\z``, ``[[:alpha:]]``, flags in the
middle, ASCII ``\\d``), has what RE2 refuses, and a pattern such as ``(a+)+b`` can keep it busy for hours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import re2

QUIET = re2.Options()
QUIET.log_errors = False


class NotRe2(ValueError):
    """What is no regular expression of RE2; ``str`` of it is a clause about the pattern."""


class Match(Protocol):
    """Where an expression was found, and what its groups took."""

    def start(self) -> int:
        """Of the whole."""

    def end(self) -> int:
        """Of the whole."""

    def group(self, number: int) -> str | None:
        """What a group took, 0 the whole; None if it took no part."""


class Expression(Protocol):
    """A regular expression that has been read."""

    @property
    def groups(self) -> int:
        """How many there are."""

    def fullmatch(self, text: str) -> Match | None:
        """The match of all of a text."""

    def search(self, text: str, pos: int) -> Match | None:
        """The first match from a place on."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Expression:
    """A regular expression.

    Raises:
        NotRe2: if it is none.
    """
    try:
        expression: Expression = re2.compile(pattern, QUIET)
    except UnicodeEncodeError:
        raise NotRe2("has a letter that is none") from None
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
        raise NotRe2(f"is not a regular expression of RE2, which proxies use ({_short(said)})") from None
    return expression


def _short(said: str) -> str:
    """RE2 ends its sentence with the rest of the pattern, however long that is."""
    return said if len(said) <= 80 else f"{said[:80]}…"
