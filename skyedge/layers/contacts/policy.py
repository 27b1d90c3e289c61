"""A policy by name, from the geometry of a fleet to a contact plan: what the experiment file and the command line ask for.

Whoever plans knows the link and not the fortune of a pass, so a contact's worth is nominal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.contacts.antennas import AntennaContest, Assignment, first_come
from skyedge.layers.contacts.greedy import greedy
from skyedge.layers.contacts.optimal import optimal
from skyedge.layers.contacts.worth import Worth
from skyedge.space.contacts import ContactTable
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.plan import nominal_curves
from skyedge.space.sites import Sites
from skyedge.time import SECOND

PolicyName = Literal["first-come", "greedy", "optimal"]
ValueName = Literal["volume", "time", "passes"]
"""What a contact is worth: the bytes that the link would carry, the seconds that it lasts, or one, whatever it is like."""


@dataclass(frozen=True)
class AntennaRules:
    """How antennas are handed out.

    Args:
        policy: who decides.
        value: what the decision makes most of.
        antennas: how many each site has.
        slew_s: how long an antenna turns at the beginning of each session, before it calls.
        time_limit_s: for the optimal policy, all pieces together.
    """

    policy: PolicyName = "first-come"
    value: ValueName = "volume"
    antennas: int = 1
    slew_s: float = 0.0
    time_limit_s: float = 10.0

    @property
    def slew_us(self) -> int:
        """In whole microseconds."""
        return round(self.slew_s * SECOND)

    def contest(self, ephemeris: Ephemeris, sites: Sites, contacts: ContactTable, link: LinkProfile) -> AntennaContest:
        """The contacts as rivals for antennas."""
        rise, set_ = contacts.rise_us, contacts.set_us
        if self.value == "volume":
            worth = Worth(*nominal_curves(ephemeris, sites, contacts, link))
        elif self.value == "time":
            worth = Worth.even(rise, set_, (set_ - rise) / SECOND)
        else:
            worth = Worth.even(rise, set_, np.ones(len(contacts)))
        return AntennaContest(
            contacts.satellite,
            contacts.site,
            rise,
            set_,
            np.full(len(sites), self.antennas, np.int64),
            worth,
            setup_us=self.slew_us + round(link.acquisition_s * SECOND),
        )

    def decide(self, contest: AntennaContest) -> Assignment:
        """The sessions.

        Raises:
            InputError: if the optimum was not found in time: what was found by then would depend on the machine.
        """
        if self.policy == "optimal":
            found = optimal(contest, time_limit_s=self.time_limit_s)
            if found.struck:
                raise InputError(
                    f"the best assignment of antennas was not found within {self.time_limit_s:g} s, and what was found by "
                    "then would not be the same on another machine: raise time_limit_s, or choose greedy",
                    where="layers.antennas",
                )
            return found.assignment
        return _SIMPLE[self.policy](contest)

    def for_plan(
        self, ephemeris: Ephemeris, sites: Sites, link: LinkProfile
    ) -> Callable[[ContactTable], tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]]:
        """What :func:`skyedge.space.plan.plan_contacts` takes as its policy."""

        def sessions(contacts: ContactTable) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
            chosen = self.decide(self.contest(ephemeris, sites, contacts, link))
            return chosen.contact, chosen.begin_us + self.slew_us, chosen.end_us

        return sessions


_SIMPLE: dict[str, Callable[[AntennaContest], Assignment]] = {"first-come": first_come, "greedy": greedy}


def check_policy(name: str, *, where: object) -> PolicyName:
    """``name`` as the name of a policy.

    Raises:
        InputError: if there is none of that name.
    """
    for known in get_args(PolicyName):
        if known == name:
            return known
    names = get_args(PolicyName)
    raise InputError(f"there is no policy '{name}', only {', '.join(names)}", where=where, nearest=nearest(name, names))
