"""Rules that no request ever reaches, because earlier ones take all that they could.

What is said here is sure: a rule is called hidden only if every request that meets a condition of it meets a condition of
an earlier rule, and a condition of it also if an earlier one beside it takes all.  The other way round nothing is promised:
two regular expressions are not compared unless they are plain texts with or without ``.*`` behind them, nor is one rule with
several others together.  Two things are taken for granted that HTTP promises: a path begins with a slash (but for the ``*``
of OPTIONS), and no value has a line break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skyedge.layers.mesh.http_match import EVERY_PATH, How, HttpMatch, StringMatch
from skyedge.layers.mesh.http_route import HttpRoute

ANYTHING = StringMatch(How.REGEX, ".*")
SPECIAL = frozenset(r".^$*+?{}[]()|\\")
"""What means more than itself in a regular expression."""


@dataclass(frozen=True)
class Hidden:
    """A rule, or one condition of it, that no request reaches.

    Attributes:
        route: its number.
        match: the number of the condition; None if it is all of the rule.
        by_route: the number of the earlier rule that takes the requests; of several, of the first condition.  It is the same
            rule where an earlier condition of it takes them.
        by_match: the condition of that rule; None if it has none and takes everything.
    """

    route: int
    match: int | None
    by_route: int
    by_match: int | None


def hidden(routes: Sequence[HttpRoute]) -> list[Hidden]:
    """All rules of a list that are hidden, and hidden conditions of others, in order."""
    found: list[Hidden] = []
    earlier: list[tuple[int, int | None, HttpMatch]] = []
    for number, route in enumerate(routes):
        mine = list(_conditions(route))
        takers = [_taker(earlier, match) for _, match in mine]
        taken = [taker for taker in takers if taker is not None]
        if len(taken) == len(mine):
            found.append(Hidden(number, None, *taken[0]))
        else:
            beside = [(number, at, match) for at, match in mine]
            for place, (at, match) in enumerate(mine):
                taker = takers[place] or _taker(beside[:place], match)
                if taker is not None:
                    found.append(Hidden(number, at, *taker))
        earlier += [(number, at, match) for at, match in mine]
    return found


def covers(earlier: HttpMatch, later: HttpMatch) -> bool:
    """Whether it is sure that every request which meets ``later`` meets ``earlier``."""
    return (
        _path_covers(earlier, later)
        and all(_text_covers(getattr(earlier, name), getattr(later, name)) for name in ("scheme", "method", "authority"))
        and _headers_cover(earlier, later)
        and all(_text_covers(match, later.query.get(name)) for name, match in earlier.query.items())
        and earlier.port in (0, later.port)
        and earlier.source_labels.items() <= later.source_labels.items()
        and earlier.source_namespace in ("", later.source_namespace)
        and (not earlier.gateways or (bool(later.gateways) and set(later.gateways) <= set(earlier.gateways)))
    )


def _conditions(route: HttpRoute) -> Iterator[tuple[int | None, HttpMatch]]:
    if not route.matches:
        yield None, HttpMatch()
    yield from enumerate(route.matches)


def _taker(earlier: Sequence[tuple[int, int | None, HttpMatch]], match: HttpMatch) -> tuple[int, int | None] | None:
    return next(((number, at) for number, at, before in earlier if covers(before, match)), None)


def _path_covers(earlier: HttpMatch, later: HttpMatch) -> bool:
    wide, narrow = earlier.uri, later.uri
    if wide is None or wide in EVERY_PATH or wide.how is How.PRESENT:
        return True
    if narrow is None or (later.ignore_uri_case and not earlier.ignore_uri_case):
        return False
    if earlier.ignore_uri_case and wide.how is not How.REGEX:
        # Lower case of a part is part of the lower case of the whole only in ASCII (a Greek sigma looks at its neighbours).
        if not (wide.value.isascii() and narrow.value.isascii()) or narrow.how is How.REGEX:
            return False
        wide, narrow = (StringMatch(one.how, one.value.lower()) for one in (wide, narrow))
    elif later.ignore_uri_case and wide.how is How.REGEX and narrow.how is not How.REGEX:
        return False
    return _text_covers(wide, narrow)


def _text_covers(wide: StringMatch | None, narrow: StringMatch | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    if wide.how is How.PRESENT or wide in (ANYTHING, narrow):
        return True
    wide, narrow = _plain(wide), _plain(narrow)
    if wide.how is How.PREFIX:
        return narrow.how in (How.EXACT, How.PREFIX) and narrow.value.startswith(wide.value)
    return wide.how is How.REGEX and narrow.how is How.EXACT and wide.holds(narrow.value)


def _plain(match: StringMatch) -> StringMatch:
    """A regular expression that is but a text, or one with anything behind it, as what it is."""
    text = match.value.removesuffix(".*")
    if match.how is not How.REGEX or SPECIAL & set(text):
        return match
    return StringMatch(How.EXACT if text == match.value else How.PREFIX, text)


def _headers_cover(earlier: HttpMatch, later: HttpMatch) -> bool:
    asked, forbidden = _by_name(later.headers), _by_name(later.without_headers)
    return all(
        any(_text_covers(match, narrow) for narrow in asked.get(name.lower(), ())) for name, match in earlier.headers.items()
    ) and all(
        any(_absence_covers(match, narrow) for narrow in forbidden.get(name.lower(), ()))
        or any(narrow.how is How.EXACT and not match.holds(narrow.value) for narrow in asked.get(name.lower(), ()))
        for name, match in earlier.without_headers.items()
    )


def _by_name(matches: Mapping[str, StringMatch]) -> dict[str, list[StringMatch]]:
    named: dict[str, list[StringMatch]] = {}
    for name, match in matches.items():
        named.setdefault(name.lower(), []).append(match)
    return named


def _absence_covers(wide: StringMatch, narrow: StringMatch) -> bool:
    # What the earlier rule forbids must be forbidden by the later one.  Where presence is asked for, a header that is
    # absent does not count as an empty text, so that kind is compared only with itself.
    return wide == narrow or (How.PRESENT not in (wide.how, narrow.how) and _text_covers(narrow, wide))
