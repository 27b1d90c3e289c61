"""What stations, clusters, users and the control plane tell one another over the ground.

Every message has stamps: what it weighs and over how many hops it goes.  The sender offers those bytes to the ledger and
whoever the message happens to says what became of them, so that a cluster that is out is the one who loses what reaches
it, and nobody has to know that before.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from skyedge.events import Account, Effect, Event, Items
from skyedge.ledger import State, TrafficClass
from skyedge.time import Instant


class Stamp(msgspec.Struct, frozen=True):
    """Bytes of one class, in so many objects."""

    traffic: TrafficClass
    size_bytes: int
    objects: int = 1


class Message(Event, frozen=True, eq=False):
    """Base of all messages; ``hops`` is how far it goes."""

    sender: str
    hops: int
    stamps: tuple[Stamp, ...]


class Submitted(Message, frozen=True, eq=False):
    """Answers and pictures for a cluster, the ``number``-th transfer of the sender."""

    number: int
    items: Items


class Accepted(Message, frozen=True, eq=False):
    """A cluster has taken transfer ``number``; ``behind_s``: what it takes in now is done so much later.

    ``pictures`` are to be looked at; without any the transfer is over.  ``refused``: no replica is there to look.
    """

    number: int
    pictures: int
    behind_s: float
    refused: bool = False


class Completed(Message, frozen=True, eq=False):
    """All pictures of transfer ``number`` have been answered."""

    number: int


class Probe(Message, frozen=True, eq=False):
    """Is a cluster there that did not answer before?  Transfer ``number`` waits for a word."""

    number: int


class Alive(Message, frozen=True, eq=False):
    """It is."""

    number: int


class Told(Message, frozen=True, eq=False):
    """The control plane says how many replicas serve on each cluster; -1 for a cluster that is out."""

    replicas: tuple[tuple[str, int], ...]


class Run(Message, frozen=True, eq=False):
    """A cluster is to run so many replicas, of an image that came with the message if it was not there before."""

    replicas: int


class Serving(Message, frozen=True, eq=False):
    """A cluster says how many of its replicas are ready."""

    replicas: int


class Holds(Message, frozen=True, eq=False):
    """A cluster has answers over these zones, of pictures taken at these times; columns of one length."""

    zone: NDArray[np.int64]
    captured_at: NDArray[np.int64]


class Asked(Message, frozen=True, eq=False):
    """A user wants the newest answer over a zone; the question reaches the cluster at ``at``, to the microsecond."""

    number: int
    zone: int
    at: Instant


class Answered(Message, frozen=True, eq=False):
    """The newest answer over the zone that was asked for, of a picture taken at ``captured_at`` (-1: there is none).

    ``at`` is when the last byte of it arrives; ``fetched``: another cluster held it.
    """

    number: int
    captured_at: Instant
    at: Instant
    fetched: bool = False


class Fetch(Message, frozen=True, eq=False):
    """A cluster wants an answer over a zone from the one that holds it."""

    number: int
    zone: int
    at: Instant


class Fetched(Message, frozen=True, eq=False):
    """What was to be fetched."""

    number: int
    captured_at: Instant
    at: Instant


class Gathered(Message, frozen=True, eq=False):
    """A cluster says how many bytes of pictures it has put by for a training."""

    training: str
    data_bytes: int


class Train(Message, frozen=True, eq=False):
    """The ``number``-th training runs on cluster ``home``; the clusters in ``senders`` send there what they have."""

    training: str
    number: int
    home: str
    senders: tuple[str, ...]


class TrainingData(Message, frozen=True, eq=False):
    """What a cluster had put by."""

    training: str
    number: int


def settle(message: Message, receiver: str, state: State = "delivered") -> list[Effect]:
    """The ledger's entries for a message that has reached its receiver."""
    return entries(message.sender, receiver, message.hops, message.stamps, state)


def entries(source: str, destination: str, hops: int, stamps: Iterable[Stamp], state: State) -> list[Effect]:
    """The ledger's entries for bytes on the way from one node to another."""
    return [
        Account(source, destination, "terrestrial", stamp.traffic, state, stamp.size_bytes, stamp.objects, hops)
        for stamp in stamps
    ]
