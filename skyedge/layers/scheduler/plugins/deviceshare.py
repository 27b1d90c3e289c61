"""Deviceshare: which GPUs of a node a pod gets, whole ones or parts (Volcano's plugin ``deviceshare``, v1.16 alpha).

Whether enough devices have room is checked by the ranking; this plugin chooses among nodes and among devices.  ``binpack``
takes the fullest devices that have room, so that whole ones stay whole; ``spread`` takes the emptiest.

In Volcano the score is worked out and then dropped (``deviceshare.go`` of the version above returns 0); here it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.columns import Rows
from skyedge.layers.scheduler.objects import THOUSANDTHS
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

POLICIES = ("binpack", "spread")

_SWITCHES = (
    "deviceshare.GPUSharingEnable",
    "deviceshare.GPUNumberEnable",
    "deviceshare.VGPUEnable",
    "deviceshare.NodeLockEnable",
)
"""Which of a vendor's drivers serves the devices: known, and of no account here, where all devices are alike."""


class DeviceShare(Plugin):
    """Packs or spreads shared GPUs.

    Arguments: ``deviceshare.SchedulePolicy`` (``binpack``, the default of the choice, or ``spread``) and
    ``deviceshare.ScheduleWeight`` (0).  The score is the weight times the sum, over the devices that the pod would get, of
    100 × the share of the device that would then be in use (binpack) or of 100 if it is empty now (spread).
    """

    name: ClassVar[str] = "deviceshare"
    known_arguments: ClassVar[tuple[str, ...]] = ("deviceshare.SchedulePolicy", "deviceshare.ScheduleWeight", *_SWITCHES)
    packs = True  # a pod that asks for devices is placed alone in any case, and to any other all nodes are alike

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        policy = str(arguments.get("deviceshare.SchedulePolicy") or POLICIES[0])
        if policy not in POLICIES:
            raise InputError(
                f"'deviceshare.SchedulePolicy' must be binpack or spread, not '{policy}'", nearest=nearest(policy, POLICIES)
            )
        self._spreads = policy == "spread"
        self._weight = self.number("deviceshare.ScheduleWeight", 0)

    def open(self, session: Session) -> None:
        """A cycle begins."""
        super().open(session)
        shapes = session.snapshot.shapes
        self._wants = [(shape.device_count, shape.device_milli) for shape in shapes]

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """How well the devices of each node suit the policy, (nodes,)."""
        count, milli = self._wants[self.session.snapshot.pods.shape[pod]]
        if not count or not self._weight:
            return np.zeros(len(nodes))
        free = self.session.devices_free[nodes]
        # Devices without room come last, and count as empty and unused: they matter only to a node without enough others.
        ranked = np.where(free >= milli, free if not self._spreads else -free, THOUSANDTHS + milli)
        taken = np.sort(ranked, axis=1)[:, :count]
        if self._spreads:
            points = (taken == -THOUSANDTHS).sum(axis=1) * THOUSANDTHS
        else:
            points = (THOUSANDTHS + milli - taken).sum(axis=1)
        # In whole thousandths up to here, so that the order of the sum cannot matter.
        score: Floats = points * 100.0 / THOUSANDTHS * self._weight
        return score

    def device_choice(self, pod: int, node: int) -> list[int]:
        """The fullest devices that have room, or the emptiest; the first of equal ones."""
        count, milli = self._wants[self.session.snapshot.pods.shape[pod]]
        free = self.session.devices_free[node]
        roomy = np.flatnonzero(free >= milli)
        order = np.argsort(-free[roomy] if self._spreads else free[roomy], kind="stable")
        chosen: list[int] = roomy[order][:count].tolist()
        return chosen
