"""Who gets an antenna?  The question, the shape of an answer, and the answer of whoever comes first.

A site has so many antennas, a satellite talks to one site at a time, and an antenna that changes over to another
satellite slews and acquires before a byte flows.  A session is a part of a contact during which it has an antenna; it
lasts at least a minimum.  Slewing counts into the session, which holds both of its ends from the first moment on: this
errs on the side of caution where an antenna could have turned before the rise.

Better answers than first come, first served are in :mod:`skyedge.layers.contacts.greedy` and
:mod:`skyedge.layers.contacts.optimal`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.contacts.overlaps import Ints, Rows
from skyedge.layers.contacts.worth import Worth
from skyedge.space.contacts import ContactTable
from skyedge.space.plan import MINIMUM_SESSION_S, assign_antennas
from skyedge.time import SECOND


@dataclass(frozen=True, eq=False)
class AntennaContest:
    """Contacts that want antennas; columns of one length unless said otherwise.

    Args:
        satellite: number of each contact's satellite.
        site: number of each contact's site.
        rise_us: when each contact begins.
        set_us: when it ends, later than it begins.
        antennas: of each site, (sites,).
        worth: what each contact gains with time.
        setup_us: slewing and acquisition at the beginning of every session, during which nothing is gained.
        minimum_us: no session is shorter.
    """

    satellite: Rows
    site: Rows
    rise_us: Ints
    set_us: Ints
    antennas: Ints
    worth: Worth
    setup_us: int = 0
    minimum_us: int = round(MINIMUM_SESSION_S * SECOND)

    def __post_init__(self) -> None:
        if len(self.rise_us) and (self.set_us <= self.rise_us).any():
            raise InputError(f"contact {int(np.argmax(self.set_us <= self.rise_us))} ends before it has begun")
        if (self.antennas < 0).any() or self.setup_us < 0 or self.minimum_us < 0:
            raise InputError("antennas, the time to set up and the shortest session cannot be negative")
        if len(self.worth.offsets) != len(self.rise_us) + 1:
            raise InputError(f"{len(self.worth.offsets) - 1} curves of worth do not fit {len(self.rise_us)} contacts")

    def __len__(self) -> int:
        return len(self.rise_us)

    @property
    def shortest_us(self) -> int:
        """A session that is no longer than what its beginning takes would gain nothing."""
        return max(self.minimum_us, self.setup_us, 1)

    def take(self, rows: Rows) -> AntennaContest:
        """The contest between some of the contacts."""
        columns = {name: getattr(self, name)[rows] for name in ("satellite", "site", "rise_us", "set_us")}
        return replace(self, **columns, worth=self.worth.take(rows))

    def session_worth(self, contact: Rows, begin_us: Ints, end_us: Ints) -> NDArray[np.float64]:
        """What sessions are worth, (sessions,): nothing is gained while they are set up."""
        flows = np.minimum(begin_us + self.setup_us, end_us)
        return self.worth.at(contact, end_us) - self.worth.at(contact, flows)

    def whole_worth(self) -> NDArray[np.float64]:
        """What each contact would be worth if it had an antenna from rise to set, (contacts,)."""
        return self.session_worth(np.arange(len(self)), self.rise_us, self.set_us)

    def canonical_order(self) -> Rows:
        """Rows by (rise, set, satellite, site): whatever the order of the input, deciders see the contacts in this one."""
        return np.lexsort((self.site, self.satellite, self.set_us, self.rise_us))


@dataclass(frozen=True, eq=False)
class Assignment:
    """Sessions in order of (begin, contact): which contact has an antenna from when to when; columns of one length."""

    contact: Rows
    begin_us: Ints
    end_us: Ints
    worth: NDArray[np.float64]

    @classmethod
    def of(cls, contest: AntennaContest, contact: Rows, begin_us: Ints, end_us: Ints) -> Assignment:
        """Sessions put in order, with their worth in ``contest``."""
        order = np.lexsort((contact, begin_us))
        contact, begin, end = contact[order], begin_us[order], end_us[order]
        return cls(contact, begin, end, contest.session_worth(contact, begin, end))

    def __len__(self) -> int:
        return len(self.contact)

    @property
    def total(self) -> float:
        """What all sessions together are worth."""
        return float(self.worth.sum())

    @property
    def contacts_used(self) -> int:
        """How many contacts have an antenna for some time."""
        return len(np.unique(self.contact))


def first_come(contest: AntennaContest) -> Assignment:
    """First come, first served, as :func:`skyedge.space.plan.assign_antennas` does it: a session is never cut short."""
    order = contest.canonical_order()
    table = ContactTable(
        contest.satellite[order],
        contest.site[order],
        contest.rise_us[order],
        contest.rise_us[order],
        contest.set_us[order],
        np.zeros(len(order)),
    )
    satellites = int(contest.satellite.max()) + 1 if len(contest) else 0
    rows, begins = assign_antennas(
        table, satellites, len(contest.antennas), contest.antennas, minimum_us=contest.shortest_us
    )
    return Assignment.of(contest, order[rows], begins, contest.set_us[order[rows]])
