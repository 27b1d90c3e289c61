"""What a computation costs on a device: work in multiply-accumulates becomes seconds and joules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from skyedge.errors import InputError, nearest


@dataclass(frozen=True)
class DeviceProfile:
    """A computer, reduced to a sustained rate and a power.

    ``overhead_s`` is what one scene costs besides the network itself: reading, scaling, writing.
    """

    name: str
    macs_per_second: float
    watts: float
    overhead_s: float = 0.0
    source: str = ""

    def seconds(self, macs: float) -> float:
        """Seconds for a scene that needs ``macs`` multiply-accumulates."""
        return macs / self.macs_per_second + self.overhead_s

    def joules(self, macs: float) -> float:
        """Joules for the same: the device draws its full power while it works."""
        return self.seconds(macs) * self.watts

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> DeviceProfile:
        """A profile from parsed YAML.

        Raises:
            InputError: for an unknown or missing key, or a figure that is not positive.
        """
        names = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in names:
                raise InputError(f"unknown key '{key}' in a device profile", where=where, nearest=nearest(key, names))
        for key in ("name", "macs_per_second", "watts"):
            if key not in mapping:
                raise InputError(f"a device profile needs '{key}'", where=where)
        profile = cls(**mapping)
        if profile.macs_per_second <= 0 or profile.watts <= 0 or profile.overhead_s < 0:
            raise InputError("a device's rate and power must be positive", where=where)
        return profile
