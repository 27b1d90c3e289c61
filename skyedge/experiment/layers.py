"""The control plane's part of the experiment file: one field for each layer, and none of them needs to be there.

A layer that a file does not name works as it always has, so such files keep their digests and their digits.
"""

from __future__ import annotations

from pydantic import Field

from skyedge.layers.contacts.policy import AntennaRules, PolicyName, ValueName
from skyedge.profiles import Part


class Antennas(Part):
    """Who gets an antenna when several satellites want it."""

    policy: PolicyName = Field(default="first-come", description="optimal may cut a pass short where a better one comes.")
    value: ValueName = Field(
        default="volume", description="What greedy and optimal make most of: bytes, seconds, or the number of passes."
    )
    slew_s: float = Field(default=0.0, ge=0, le=3600, description="An antenna turns so long before each session.")
    time_limit_s: float = Field(default=10.0, gt=0, le=86_400, description="Of the search for the optimum.")

    def rules(self, antennas: int) -> AntennaRules:
        """As the layer understands them, with ``antennas`` at each site."""
        return AntennaRules(self.policy, self.value, antennas, self.slew_s, self.time_limit_s)


class Layers(Part):
    """The layers that an experiment switches on."""

    antennas: Antennas | None = Field(default=None, description="First come, first served if not given.")
