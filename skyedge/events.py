"""What happens to a node, and what a node asks for: the events and effects that all rooms share.

A node is a state machine: ``effects = node.handle(event, now)``.  It owns no clock, socket, file or thread, so
everything it learns arrives as an event and everything it wants is returned as an effect.  The runtime carries
effects out; tests simply look at them.

Payloads are columnar.  A scene is an integer, its row in the run's scene table; a transfer is one event whose
items carry their own arrival times, so a pass costs a handful of events and not one per frame.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from skyedge.ledger import Segment, State, TrafficClass
from skyedge.time import Instant

KIND_RESULT = 0
"""An item that carries an answer: a class and a confidence, some tens of bytes."""
KIND_SCENE = 1
"""An item that carries a picture."""
KIND_CONTROL = 2
"""An item that carries neither: acknowledgements, the plan of the day."""
TRAFFIC_CLASSES: tuple[TrafficClass, ...] = ("result", "scene", "control")
"""Traffic class of each item kind."""


class Items(msgspec.Struct, frozen=True, eq=False):
    """Columns of things that travel together, one row an item, all of one length.

    ``predicted`` and ``confidence`` are the answer that a result carries, or the answer that the sender of a
    scene would have given (-1 if it had none).  ``answered_by`` is the tier that gave it.
    """

    scene: NDArray[np.int32]
    kind: NDArray[np.uint8]
    size_bytes: NDArray[np.int64]
    at: NDArray[np.int64]  # when each item arrives (or, before it travels, when it was made)
    predicted: NDArray[np.int16]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scene)

    def take(self, rows: NDArray[Any]) -> Items:
        """The rows chosen by an index or boolean array."""
        return Items(*(getattr(self, name)[rows] for name in self.__struct_fields__))

    def moved(self, at: NDArray[np.int64]) -> Items:
        """The same items with other times."""
        return msgspec.structs.replace(self, at=at)

    @property
    def total_bytes(self) -> int:
        return int(self.size_bytes.sum())


def no_items() -> Items:
    """An empty :class:`Items`."""
    return Items(
        scene=np.empty(0, np.int32),
        kind=np.empty(0, np.uint8),
        size_bytes=np.empty(0, np.int64),
        at=np.empty(0, np.int64),
        predicted=np.empty(0, np.int16),
        confidence=np.empty(0, np.float32),
    )


def concatenate(parts: list[Items]) -> Items:
    """All rows of ``parts``, in order."""
    if not parts:
        return no_items()
    return Items(*(np.concatenate([getattr(p, name) for p in parts]) for name in Items.__struct_fields__))


# ---------------------------------------------------------------------------------------------- events


class Event(msgspec.Struct, frozen=True, eq=False, tag=True):
    """Base of everything that can happen to a node."""


class Started(Event, frozen=True, eq=False):
    """The run begins; a node returns its first wishes."""


class Woken(Event, frozen=True, eq=False):
    """The moment asked for by :class:`After` has come.  ``reason`` and ``key`` come back as they were given."""

    reason: str
    key: int = 0


class Inferred(Event, frozen=True, eq=False):
    """The answer to :class:`Infer`: one row of logits a scene, rounded to 1e-4, float32 (scenes, classes)."""

    token: int
    scenes: NDArray[np.int32]
    logits: NDArray[np.float32]


class SessionOpened(Event, frozen=True, eq=False):
    """A station's carrier reached the satellite: contact ``contact`` may be used.  ``items`` came up with it."""

    station: str
    contact: int
    items: Items


class Arrived(Event, frozen=True, eq=False):
    """Items from another node.  The event happens when the first arrives; ``items.at`` says when each does."""

    sender: str
    items: Items
    contact: int = -1


class Rebooted(Event, frozen=True, eq=False):
    """Power was lost: all that was not persisted is gone.  ``storage`` is what the node had persisted."""

    storage: dict[str, Any]


class Ended(Event, frozen=True, eq=False):
    """The run is over: report what still waits."""


# --------------------------------------------------------------------------------------------- effects


class Effect(msgspec.Struct, frozen=True, eq=False, tag=True):
    """Base of everything that a node can ask for."""


class Send(Effect, frozen=True, eq=False):
    """Let ``event`` happen to node ``target`` at ``at``.

    The sender works out ``at`` from what it knows of its link.  On an always-open link the runtime rounds it
    up to the grid of ``exchange_quantum``; on a contact it is used as it is.
    """

    target: str
    at: Instant
    event: Event
    link: Literal["contact", "terrestrial"] = "contact"


class After(Effect, frozen=True, eq=False):
    """Wake me at ``at`` with :class:`Woken`."""

    at: Instant
    reason: str
    key: int = 0


class Infer(Effect, frozen=True, eq=False):
    """Run ``model`` on ``view`` of ``scenes`` and tell me at ``at``, which my device profile makes it take.

    ``view`` names the picture the model sees: ``camera`` as taken, or ``q30`` and the like after compression.
    """

    model: str
    view: str
    scenes: NDArray[np.int32]
    at: Instant
    token: int


class Persist(Effect, frozen=True, eq=False):
    """Keep ``value`` under ``key`` through a loss of power; None forgets the key."""

    key: str
    value: Any


class Account(Effect, frozen=True, eq=False):
    """Write bytes to the ledger."""

    source: str
    destination: str  # "*" for a queue that any station may serve
    segment: Segment
    traffic: TrafficClass
    state: State
    size_bytes: int
    objects: int = 1
    hops: int = 1


class Record(Effect, frozen=True, eq=False):
    """Add rows to ``table`` of the run's records: a mapping of column name to array or scalar."""

    table: str
    columns: dict[str, Any]
