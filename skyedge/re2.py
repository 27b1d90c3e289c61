"""RE2's regular expressions, which proxies use, run by Python's engine.

The two differ in small things that decide where a request goes: ``\\z``, ``[[:alpha:]]``, ``(?<name>…)``, ``\\Q…\\E`` and
flags in the middle are RE2's alone, ``\\d`` and ``\\w`` mean ASCII in it, and what looks ahead, behind or back it has not
at all, as it never goes back in a text.  So a pattern is read once, part by part, and written down as Python has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

MOST_REPEATS = 1000
POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}

_FOREIGN_GROUP = re.compile(r"\(\?(?:=|!|<=|<!|>|\(|#|P=|P>)")
_NAME = re.compile(r"\(\?P?<(\w+)>")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?)([:)])")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_WIDE_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_LAST_CODE = 0x10FFFF


class NotRe2(ValueError):
    """What is no regular expression of RE2; ``str`` of it is a clause about the pattern."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of RE2, to be run by Python's engine.

    Raises:
        NotRe2: if it is none, or one of the few that cannot be run here.
    """
    try:
        return re.compile(_Reader(pattern).read(), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise NotRe2(f"is not a regular expression ({error})") from None


@dataclass
class _Group:
    """A group that is open: flags that have been switched on in its midst, which hold until its end."""

    flags: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0
        self._parts: list[str] = []
        self._groups = [_Group()]

    def read(self) -> str:
        readers = {"\\": self._escape, "[": self._class, "(": self._open, ")": self._close, "|": self._or}
        while self._at < len(self._pattern):
            letter = self._pattern[self._at]
            if letter in "*+?{":
                self._repeat()
            else:
                readers.get(letter, self._letter)()
        if len(self._groups) == 1:
            self._parts.append(")" * len(self._groups[0].flags))
        return "".join(self._parts)

    def _take(self, length: int, written: str | None = None) -> None:
        self._parts.append(self._pattern[self._at : self._at + length] if written is None else written)
        self._at += length

    def _letter(self) -> None:
        self._take(1)

    def _found(self, form: re.Pattern[str]) -> re.Match[str] | None:
        return form.match(self._pattern, self._at)

    def _escape(self) -> None:
        if self._pattern.startswith(r"\Q", self._at):
            text, end, _ = self._pattern[self._at + 2 :].partition(r"\E")
            self._take(2 + len(text) + len(end), re.escape(text))
        elif self._pattern.startswith(r"\z", self._at):
            self._take(2, r"\Z")
        else:
            self._letter_escape()

    def _letter_escape(self) -> None:
        letter = self._pattern[self._at + 1 : self._at + 2]
        wide = self._found(_WIDE_HEX)
        if wide is not None and int(wide[1], 16) <= _LAST_CODE:
            self._take(len(wide[0]), rf"\U{int(wide[1], 16):08x}")
        elif letter in ("p", "P"):
            raise NotRe2(f"has '\\{letter}', a class of Unicode, which is not modelled")
        elif letter in "123456789CZEG" and letter:
            raise NotRe2(f"has '\\{letter}', which RE2 has not")
        else:
            self._take(2)

    def _class(self) -> None:
        self._take(2 if self._pattern.startswith("[^", self._at) else 1)
        if self._pattern.startswith("]", self._at):
            self._take(1, r"\]")
        while self._at < len(self._pattern) and self._pattern[self._at] != "]":
            posix = self._found(_POSIX_CLASS)
            letter = self._pattern[self._at]
            if posix is not None:
                self._take(len(posix[0]), _posix(posix))
            elif letter == "\\":
                self._letter_escape()
            else:
                self._take(1, "\\" + letter if letter in "[&~|" else letter)
        if self._at == len(self._pattern):
            raise NotRe2("is not a regular expression (a class does not end)")
        self._take(1)

    def _open(self) -> None:
        foreign, flags, name = self._found(_FOREIGN_GROUP), self._found(_FLAGS), self._found(_NAME)
        if foreign is not None:
            raise NotRe2(f"has '{foreign[0]}', which RE2 has not")
        if flags is not None:
            for flag in sorted(set(flags[1]) - set("ims-")):
                raise NotRe2(f"has the flag '{flag}', which {'is not modelled' if flag == 'U' else 'RE2 has not'}")
        if flags is not None and flags[2] == ")":
            self._groups[-1].flags.append(f"(?{flags[1]}:")
            self._take(len(flags[0]), self._groups[-1].flags[-1])
            return
        self._groups.append(_Group())
        if name is not None:
            self._take(len(name[0]), f"(?P<{name[1]}>")
        else:
            self._take(1 if flags is None else len(flags[0]))

    def _close(self) -> None:
        if len(self._groups) > 1:
            self._parts.append(")" * len(self._groups.pop().flags))
        self._take(1)

    def _or(self) -> None:
        flags = self._groups[-1].flags
        self._take(1, ")" * len(flags) + "|" + "".join(flags))

    def _repeat(self) -> None:
        form = self._found(_REPEAT)
        if self._pattern[self._at] == "{" and form is None:
            self._take(1, r"\{")
            return
        if form is not None:
            if any(int(bound) > MOST_REPEATS for bound in form.groups() if bound):
                raise NotRe2(f"repeats more than {MOST_REPEATS} times, which RE2 does not")
            self._take(len(form[0]))
        else:
            self._take(1)
        if self._pattern.startswith("?", self._at):
            self._take(1)
        if self._pattern.startswith("+", self._at):
            raise NotRe2(f"has '{self._pattern[self._at - 1]}+', which RE2 has not")


def _posix(found: re.Match[str]) -> str:
    negated, name = found.groups()
    if name not in POSIX:
        raise NotRe2(f"has '{found[0]}', which RE2 has not")
    if not negated:
        return POSIX[name]
    inside = re.compile(f"[{POSIX[name]}]")
    return "".join(re.escape(chr(code)) for code in range(128) if not inside.match(chr(code))) + "\x80-\U0010ffff"
