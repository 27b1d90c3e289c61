"""A stream of jobs on a cluster in virtual time: ``replay(nodes, jobs, queues, policy)``."""

from skyedge.layers.scheduler.replay.engine import DEADLOCK_TIMEOUT_S, INTERVAL_S, replay
from skyedge.layers.scheduler.replay.outcome import Job, Replay

__all__ = ["DEADLOCK_TIMEOUT_S", "INTERVAL_S", "Job", "Replay", "replay"]
