"""Taking turns: queues by their order, and within a queue its jobs by theirs.

A job's key cannot change while it waits, for only its own placements change it; a queue's may, if queues stand in a tree
and a sibling takes something.  So jobs lie in heaps and queues are compared anew where there is a tree.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from skyedge.layers.scheduler.plugin import Key
from skyedge.layers.scheduler.session import Session


class Turns:
    """Queues with the jobs that wait in them."""

    def __init__(self, session: Session, groups: Iterable[int], empty_queues: Iterable[int] = ()) -> None:
        self._session = session
        self._jobs: dict[int, list[tuple[Key, int]]] = {queue: [] for queue in empty_queues}
        for group in groups:
            queue = int(session.snapshot.groups.queue[group])
            self._jobs.setdefault(queue, []).append((session.points.job_key(group), group))
        for jobs in self._jobs.values():
            heapq.heapify(jobs)
        self._queues = [(session.points.queue_key(queue), queue) for queue in self._jobs]
        heapq.heapify(self._queues)

    def next_queue(self) -> int | None:
        """Take the first queue out, or None if none is left."""
        if not self._queues:
            return None
        if self._session.points.hierarchical:
            self._queues = [(self._session.points.queue_key(queue), queue) for _, queue in self._queues]
            heapq.heapify(self._queues)
        return heapq.heappop(self._queues)[1]

    def next_job(self, queue: int) -> int | None:
        """Take the first job of a queue out, or None."""
        jobs = self._jobs[queue]
        return heapq.heappop(jobs)[1] if jobs else None

    def has_jobs(self, queue: int) -> bool:
        """Whether a job waits in ``queue``."""
        return bool(self._jobs[queue])

    def put_job(self, group: int) -> None:
        """Let a job wait again."""
        queue = int(self._session.snapshot.groups.queue[group])
        heapq.heappush(self._jobs[queue], (self._session.points.job_key(group), group))

    def put_queue(self, queue: int) -> None:
        """Let a queue have another turn."""
        heapq.heappush(self._queues, (self._session.points.queue_key(queue), queue))
