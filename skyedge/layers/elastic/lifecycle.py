"""The life of an instance as a table: which state follows which, and upon what.

The states of start-up come first and in order, so that the state of an instance that starts is the number of milestones
that it has passed.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """Where an instance is."""

    REQUESTED = 0  # waits for the launch rate to admit it
    PROVISIONING = 1  # is given a host
    PULLING = 2  # waits for the image
    STARTING = 3  # its sandbox and container start
    LOADING = 4  # the runtime starts and the model is read
    STANDBY = 5  # ready, but aside in the warm pool
    RESUMING = 6  # comes out of the warm pool
    IDLE = 7  # ready for work
    BUSY = 8
    DRAINING = 9  # finishes its work and takes no other
    INTERRUPTED = 10  # the same, but will be taken away in the middle of it when its notice ends
    GONE = 11


class Trigger(IntEnum):
    """What happens to an instance."""

    ADMITTED = 0
    PROVISIONED = 1
    PULLED = 2
    STARTED = 3
    LOADED = 4
    PARKED = 5  # loaded, for the warm pool
    TAKEN = 6  # out of the warm pool
    RESUMED = 7
    GIVEN_WORK = 8
    FINISHED = 9
    SCALED_IN = 10
    NOTICED = 11  # the spot market wants it back
    KILLED = 12  # and takes it


S, T = State, Trigger

_AHEAD = {
    (S.REQUESTED, T.ADMITTED): S.PROVISIONING,
    (S.PROVISIONING, T.PROVISIONED): S.PULLING,
    (S.PULLING, T.PULLED): S.STARTING,
    (S.STARTING, T.STARTED): S.LOADING,
    (S.LOADING, T.LOADED): S.IDLE,
    (S.LOADING, T.PARKED): S.STANDBY,
    (S.STANDBY, T.TAKEN): S.RESUMING,
    (S.RESUMING, T.RESUMED): S.IDLE,
    (S.IDLE, T.GIVEN_WORK): S.BUSY,
    (S.BUSY, T.FINISHED): S.IDLE,
    (S.BUSY, T.SCALED_IN): S.DRAINING,
    (S.BUSY, T.NOTICED): S.INTERRUPTED,
    (S.DRAINING, T.NOTICED): S.INTERRUPTED,
    (S.DRAINING, T.FINISHED): S.GONE,
    (S.INTERRUPTED, T.FINISHED): S.GONE,
    (S.INTERRUPTED, T.KILLED): S.GONE,
}
_WITHOUT_WORK = (S.REQUESTED, S.PROVISIONING, S.PULLING, S.STARTING, S.LOADING, S.STANDBY, S.RESUMING, S.IDLE)

NEXT: dict[tuple[State, Trigger], State] = {
    **_AHEAD,
    # One that does no work has nothing to finish: it is gone at once.
    **{(state, trigger): S.GONE for state in _WITHOUT_WORK for trigger in (T.SCALED_IN, T.NOTICED)},
}
"""The state after a trigger; a pair that is not here cannot happen."""

IN_SERVICE = (*_WITHOUT_WORK[:5], S.RESUMING, S.IDLE, S.BUSY)
"""States that count towards what an autoscaler asked for."""
