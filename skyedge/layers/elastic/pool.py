"""An elastic pool in virtual time: work goes in with its times of arrival, and comes out with its times of completion.

The pool is a state machine without a clock.  A node of the simulator offers what arrives, asks for ``next_wake()`` and calls
``advance(now)``; a study does the same in one stride (:mod:`skyedge.layers.elastic.simulation`).  However the time is cut
into calls, the outcome is the same: ``advance`` handles every event up to ``now``, one instant after the other.

At one instant, in this order: instances become ready or finish their work, notices and ends of notices of the spot market,
arrivals; then idle instances begin on what waits; then the autoscaler, if it is its time; then instances are wished for or
given up.  Work is begun in the order of arrival (ties: as offered).  Of several idle instances the one that was used last
is taken, so that the others may go; the one that has been idle longest goes first.  Ties fall to the instance that was
launched first.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.layers.elastic.autoscaler import Autoscaler, PoolView, checked
from skyedge.layers.elastic.bill import Bill, InstanceTable, make_bill
from skyedge.layers.elastic.launching import Launcher
from skyedge.layers.elastic.lifecycle import NEXT, State, Trigger
from skyedge.layers.elastic.profile import PoolProfile
from skyedge.layers.elastic.work import Finished, SizeLog, Work
from skyedge.streams import stream
from skyedge.time import FOREVER, HOUR, SECOND, Instant, seconds

_NEXT = [[int(NEXT.get((state, trigger), -1)) for trigger in Trigger] for state in State]
_STARTED = int(State.STANDBY)
_STANDBY, _RESUMING, _IDLE, _BUSY = int(State.STANDBY), int(State.RESUMING), int(State.IDLE), int(State.BUSY)
_DRAINING, _INTERRUPTED, _GONE = int(State.DRAINING), int(State.INTERRUPTED), int(State.GONE)


class ElasticPool:
    """A pool of instances of one kind, each of which works on one item at a time.

    Args:
        profile: what an instance is, how it starts and what it costs.
        autoscaler: how many there should be.  It belongs to this pool.
        name: keys the random streams with ``seed``.
        seed: of the run.
        start: nothing happens before.

    ``redone_us`` is the work that interruptions have taken up to now, ``interruptions`` how many there were.
    """

    def __init__(
        self, profile: PoolProfile, autoscaler: Autoscaler, *, name: str = "pool", seed: int = 0, start: Instant = 0
    ) -> None:
        self.profile = profile
        self._autoscaler = autoscaler
        self._launcher = Launcher(profile.start_up, profile.image, name=name, seed=seed)
        self._spot = stream(seed, name, "interruption") if profile.purchase == "spot" else None
        self._keep_alive_us = seconds(profile.keep_alive_s)
        self._start = self._now = start
        self._work = Work()
        self._waiting: deque[int] = deque()
        self._waiting_us = 0
        self._busy_us = 0
        # Instances, by their number in the order of being launched.
        self._milestones: list[NDArray[np.int64]] = []  # cohorts of (instances, 6)
        self._place: list[int] = []
        self._state: list[int] = []
        self._due: list[Instant] = []  # ready or finished
        self._kill_at: list[Instant] = []
        self._task: list[int] = []
        self._idle_since: list[Instant] = []
        self._worked_us: list[int] = []
        self._gone_at: list[Instant] = []
        self._taken_at: list[Instant] = []  # out of the warm pool; FOREVER before, or if never in it
        self._for_standby: list[bool] = []
        self._number_of = [0] * len(State)  # instances by state; those that start count as REQUESTED
        self._standby_coming = 0
        self._idle: deque[int] = deque()  # the longest idle first
        self._standby: deque[int] = deque()
        self._starting: list[int] = []  # the last launched last; those that have started are skipped
        # What will happen: heaps of (when, instance).
        self._due_heap: list[tuple[Instant, int]] = []
        self._notice_heap: list[tuple[Instant, int]] = []
        self._kill_heap: list[tuple[Instant, int]] = []
        self._ask_at: Instant = start
        self._upon_work = False
        self._reap_at: Instant = FOREVER
        self._target = profile.minimum_instances
        self._stirred = False  # an instance came or went, so the target may be missed, or be within reach
        self.redone_us = 0
        self.interruptions = 0
        self._sizes = SizeLog(start)

    # ------------------------------------------------------------------------------------------ the outside

    def offer(self, item: ArrayLike, at_us: ArrayLike, work_s: ArrayLike, now: Instant) -> None:
        """Take work: numbers of items (any integers), when each arrives, and seconds of work of one instance in each.

        Times before ``now`` count as ``now``; later ones are kept until then, unseen by the autoscaler.

        Raises:
            InputError: if columns differ in length, or work is negative or not finite.
        """
        self._work.offer(item, at_us, work_s, max(now, self._now))

    def next_wake(self) -> Instant:
        """When something happens next, :data:`~skyedge.time.FOREVER` if nothing will.  Some wakes find nothing to do."""
        wake = min(self._ask_at, self._reap_at)
        if self._work.ahead and self._work.at[self._work.ahead[0]] < wake:
            wake = self._work.at[self._work.ahead[0]]
        for heap in (self._due_heap, self._notice_heap, self._kill_heap):
            if heap and heap[0][0] < wake:
                wake = heap[0][0]
        return wake

    def advance(self, now: Instant) -> Finished:
        """Let everything up to and at ``now`` happen; what was finished since the last call."""
        wake = self.next_wake()
        while wake <= now and wake < FOREVER:
            self._happen(max(wake, self._now))
            wake = self.next_wake()
        self._now = max(self._now, now)
        return self._work.take_finished()

    def view(self) -> PoolView:
        """What an autoscaler sees."""
        number = self._number_of
        return PoolView(
            self._now,
            len(self._waiting),
            self._waiting_us / SECOND,
            number[_BUSY] + number[_DRAINING] + number[_INTERRUPTED],
            self._busy_us / SECOND,
            number[_IDLE],
            number[0] - self._standby_coming + number[_RESUMING],
            self._target,
        )

    def states(self) -> dict[State, int]:
        """Instances by state, now; those that were there and are gone among them."""
        live = np.array(self._state, np.int64)
        starting = live == int(State.REQUESTED)
        live[starting] = (self._timeline()[starting, 1:5] <= self._now).sum(axis=1)
        return dict(zip(State, np.bincount(live, minlength=len(State)).tolist(), strict=True))

    @property
    def unfinished(self) -> int:
        """Items that are worked on, wait or have not arrived."""
        return len(self._work.ahead) + self.view().items

    def instances(self) -> InstanceTable:
        """Every instance that there was, with its milestones up to now."""
        timeline = self._timeline()
        gone = np.array(self._gone_at, np.int64)
        requested, admitted, provisioned, pulled, started, ready = timeline.T
        return InstanceTable(
            requested,
            admitted,
            provisioned,
            pulled,
            started,
            ready,
            np.array(self._taken_at, np.int64),
            gone,
            np.array(self._worked_us, np.int64),
            np.array(self._for_standby, bool),
        )

    def bill(self) -> Bill:
        """What the pool has cost up to now."""
        return make_bill(self.profile, self.instances(), self._start, self._now, self.redone_us, self.interruptions)

    def size_log(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Instants and the number of instances that are ready (idle or at work) from each on, both (changes,)."""
        return self._sizes.columns()

    # ------------------------------------------------------------------------------------------ one instant

    def _happen(self, now: Instant) -> None:
        self._now = now
        due = self._due_heap
        while due and due[0][0] <= now:
            at, instance = heappop(due)
            if self._due[instance] == at:
                self._reach(instance, now)
        while self._notice_heap and self._notice_heap[0][0] <= now:
            self._give_notice(heappop(self._notice_heap)[1], now)
        while self._kill_heap and self._kill_heap[0][0] <= now:
            self._kill(heappop(self._kill_heap)[1], now)
        ahead, arrived = self._work.ahead, False
        while ahead and self._work.at[ahead[0]] <= now:
            number = ahead.popleft()
            self._waiting.append(number)
            self._waiting_us += self._work.work_us[number]
            arrived = True
        if self._waiting and self._idle:
            self._begin_work(now)
        asked = now >= self._ask_at or (arrived and self._upon_work)
        if asked:
            decision = checked(self._autoscaler.decide(self.view()), now)
            self._target = max(decision.instances, self.profile.minimum_instances)
            self._ask_at, self._upon_work = decision.ask_again, decision.upon_work
        if asked or self._stirred or now >= self._reap_at:
            self._stirred = False
            self._reconcile(now)
            self._note_size(now)

    def _move(self, instance: int, trigger: Trigger) -> int:
        before = self._state[instance]
        after = _NEXT[before][trigger]
        if after < 0:
            raise AssertionError(f"{State(before).name} knows no {trigger.name}")
        self._state[instance] = after
        self._number_of[before] -= 1
        self._number_of[after] += 1
        return after

    def _reach(self, instance: int, now: Instant) -> None:
        """A time that an instance worked towards has come: it is ready, or has finished."""
        state = self._state[instance]
        if state == _RESUMING:
            self._stirred = True
            self._move(instance, Trigger.RESUMED)
            self._rest(instance, now)
        elif state < _STARTED:
            self._end_start(instance, now)
        else:
            number = self._task[instance]
            self._busy_us -= self._work.work_us[number]
            self._worked_us[instance] += now - self._work.begun[number]
            self._work.finish(number, now)
            if self._move(instance, Trigger.FINISHED) == _IDLE:
                self._rest(instance, now)
            else:
                self._leave(instance, now)

    def _end_start(self, instance: int, now: Instant) -> None:
        self._stirred = True
        self._state[instance] = int(State.LOADING)  # the milestones before it have passed, in order
        self._number_of[0] -= 1
        self._number_of[State.LOADING] += 1
        if self._for_standby[instance]:
            self._standby_coming -= 1
            self._move(instance, Trigger.PARKED)
            self._standby.append(instance)
        else:
            self._move(instance, Trigger.LOADED)
            self._rest(instance, now)

    def _rest(self, instance: int, now: Instant) -> None:
        self._idle_since[instance] = now
        self._idle.append(instance)

    def _begin_work(self, now: Instant) -> None:
        waiting, idle, state = self._waiting, self._idle, self._state
        while waiting and idle:
            instance = idle.pop()
            if state[instance] != _IDLE:
                continue
            number = waiting.popleft()
            work = self._work.work_us[number]
            self._waiting_us -= work
            self._busy_us += work
            self._work.begun[number] = now
            self._task[instance] = number
            self._due[instance] = now + work
            self._move(instance, Trigger.GIVEN_WORK)
            heappush(self._due_heap, (now + work, instance))

    def _leave(self, instance: int, now: Instant) -> None:
        self._stirred = True
        self._gone_at[instance] = now
        self._due[instance] = FOREVER
        self._launcher.release(self._place[instance])

    # ------------------------------------------------------------------------------------------ the spot market

    def _give_notice(self, instance: int, now: Instant) -> None:
        state = self._state[instance]
        if state == _GONE:
            return
        self._stirred = True
        self.interruptions += 1
        if state < _STARTED and self._for_standby[instance]:
            self._standby_coming -= 1
        if self._move(instance, Trigger.NOTICED) == _GONE:
            self._leave(instance, now)
        else:
            heappush(self._kill_heap, (self._kill_at[instance], instance))

    def _kill(self, instance: int, now: Instant) -> None:
        """The work in hand is lost, and will be begun again before everything that waits."""
        if self._state[instance] != _INTERRUPTED:
            return
        number = self._task[instance]
        spent = now - self._work.begun[number]
        self._worked_us[instance] += spent
        self.redone_us += spent
        self._busy_us -= self._work.work_us[number]
        self._waiting.appendleft(number)
        self._waiting_us += self._work.work_us[number]
        self._work.begun[number] = FOREVER
        self._move(instance, Trigger.KILLED)
        self._leave(instance, now)

    # ------------------------------------------------------------------------------------------ more or fewer

    def _in_service(self) -> int:
        number = self._number_of
        return number[0] - self._standby_coming + number[_RESUMING] + number[_IDLE] + number[_BUSY]

    def _reconcile(self, now: Instant) -> None:
        """Bring the instances nearer to the target, and the warm pool to its size."""
        self._reap_at = FOREVER
        missing = self._target - self._in_service()
        while missing > 0 and self._standby:
            instance = self._standby.popleft()
            if self._state[instance] != _STANDBY:
                continue
            self._move(instance, Trigger.TAKEN)
            self._taken_at[instance] = now
            self._due[instance] = now + seconds(self.profile.warm_pool.warm_start_s)
            heappush(self._due_heap, (self._due[instance], instance))
            missing -= 1
        if missing > 0:
            self._launch(missing, now, standby=False)
        elif missing < 0:
            self._scale_in(-missing, now)
        size = self.profile.warm_pool.size
        if size:
            self._launch(size - self._standby_coming - self._number_of[_STANDBY], now, standby=True)

    def _launch(self, count: int, now: Instant, *, standby: bool) -> None:
        count = min(count, self._launcher.room)
        if count <= 0:
            return
        timeline, places = self._launcher.launch(count, now)
        first = len(self._state)
        self._milestones.append(timeline.table())
        ready = timeline.ready_us.tolist()
        self._place += places.tolist()
        self._due += ready
        self._state += [int(State.REQUESTED)] * count
        self._for_standby += [standby] * count
        self._task += [-1] * count
        self._worked_us += [0] * count
        self._idle_since += [0] * count
        self._kill_at += [FOREVER] * count
        for column in (self._gone_at, self._taken_at):
            column += [FOREVER] * count
        for instance, at in enumerate(ready, first):
            heappush(self._due_heap, (at, instance))
        self._number_of[0] += count
        if standby:
            self._standby_coming += count
        else:
            self._starting += range(first, first + count)
        if self._spot is not None:
            spot = self.profile.spot
            lifetime_us = np.rint(self._spot.exponential(spot.mean_hours_between * HOUR, count)).astype(np.int64)
            notices = (timeline.provisioned_us + lifetime_us).tolist()
            for instance, at in enumerate(notices, first):
                self._kill_at[instance] = at + seconds(spot.notice_s)
                heappush(self._notice_heap, (at, instance))

    def _scale_in(self, surplus: int, now: Instant) -> None:
        """First those that are not ready yet, the last launched first; then the idle, when they have been for long enough;
        then the busy, the last launched first, which finish what they do."""
        while surplus and self._starting:
            instance = self._starting[-1]
            if self._state[instance] < _STARTED:
                self._move(instance, Trigger.SCALED_IN)
                self._leave(instance, now)
                surplus -= 1
            self._starting.pop()
        idle = self._idle
        while surplus and idle:
            instance = idle[0]
            if self._state[instance] == _IDLE:
                if self._idle_since[instance] + self._keep_alive_us > now:
                    self._reap_at = self._idle_since[instance] + self._keep_alive_us
                    break
                self._move(instance, Trigger.SCALED_IN)
                self._leave(instance, now)
                surplus -= 1
            idle.popleft()
        surplus -= self._number_of[_IDLE]
        for instance in range(len(self._state) - 1, -1, -1) if surplus > 0 else ():
            if self._state[instance] == _BUSY:
                self._move(instance, Trigger.SCALED_IN)
                surplus -= 1
                if not surplus:
                    break

    def _note_size(self, now: Instant) -> None:
        number = self._number_of
        self._sizes.note(now, number[_IDLE] + number[_BUSY] + number[_DRAINING] + number[_INTERRUPTED])

    def _timeline(self) -> NDArray[np.int64]:
        return np.concatenate(self._milestones) if self._milestones else np.empty((0, 6), np.int64)
