"""A satellite: takes pictures, thinks about them as far as its power allows, and makes the most of every pass.

    capture -> cloud filter -> on-board model -> miner -> downlink queue -> pass

Each arrow is an event; what the satellite has learned of a scene by then decides which way it takes.  All that must
survive a loss of power is the downlink queue, which is persisted whenever it changes; pictures that were still being
looked at are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skyedge.events import (
    KIND_RESULT,
    KIND_SCENE,
    TRAFFIC_CLASSES,
    Account,
    After,
    Arrived,
    Effect,
    Ended,
    Event,
    Infer,
    Inferred,
    Items,
    Persist,
    Rebooted,
    Record,
    Send,
    SessionOpened,
    Started,
    Woken,
    concatenate,
    no_items,
)
from skyedge.inference.budget import Budgeted, choose
from skyedge.inference.cloud_filter import cloud_score
from skyedge.inference.downlink_queue import DownlinkQueue
from skyedge.inference.miners import Observation
from skyedge.inference.scores import confidence
from skyedge.ledger import State
from skyedge.nodes.satellite_profile import SatelliteProfile, Session
from skyedge.space.power import Battery
from skyedge.streams import stream
from skyedge.time import FOREVER, MINUTE, SECOND, Instant

RESULT_PRIORITY = 1e9
"""Answers go before pictures: a thousand of them weigh less than one."""
RETRY_AFTER = 5 * MINUTE
QUEUE_KEY = "downlink queue"


class Satellite:
    """The state machine of one satellite."""

    def __init__(self, profile: SatelliteProfile, battery: Battery) -> None:
        self.name = profile.name
        self._profile = profile
        self._battery = battery
        self._queue = DownlinkQueue(profile.storage_bytes)
        self._candidates = no_items()
        self._candidate_value: NDArray[np.float64] = np.empty(0)
        self._captured = 0
        self._offered = 0
        self._computer_free_at: Instant = 0
        self._token = 0
        self._at_work: dict[int, str] = {}
        self._postponed: dict[int, tuple[str, NDArray[np.int32]]] = {}
        self._down_until: Instant = 0
        self._session: tuple[int, str] | None = None
        self._next_burst: Instant = FOREVER

    def earliest_send(self) -> Instant:
        """The next burst of the pass it is in; otherwise it waits to be called."""
        return self._next_burst

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """React to ``event``."""
        self._battery.advance(now)
        if type(event) is Woken:
            return self._WAKINGS[event.reason](self, event.key, now)
        react = self._REACTIONS.get(type(event))
        return react(self, event, now) if react else []

    # ------------------------------------------------------------------------------- taking pictures

    def _begin(self, event: Started, now: Instant) -> list[Effect]:
        return self._wait_for_strip(0)

    def _wait_for_strip(self, strip: int) -> list[Effect]:
        strips = self._profile.strips
        return [After(strips[strip][0], "strip", strip)] if strip < len(strips) else []

    def _take_strip(self, strip: int, now: Instant) -> list[Effect]:
        scenes = self._profile.strips[strip][1]
        following = self._wait_for_strip(strip + 1)
        if now < self._down_until:
            return [self._fate(scenes, "skipped"), *following]
        self._captured += len(scenes)
        if self._profile.model is None:
            return [*self._offer(self._pictures(scenes, None), np.zeros(len(scenes)), now), *following]
        return [*self._compute("filter", scenes, now), *following]

    # ------------------------------------------------------------------------------- thinking

    def _compute(self, stage: str, scenes: NDArray[np.int32], now: Instant) -> list[Effect]:
        """Start ``stage`` on ``scenes``, or skip to the next stage if there is no such stage here."""
        network = self._profile.cloud_network if stage == "filter" else self._profile.model
        if stage == "filter" and (network is None or self._profile.cloud_filter is None):
            return self._after_filter(scenes, now)
        assert network is not None
        joules = network.joules_per_scene * len(scenes)
        if not self._battery.may_compute(joules):
            self._token += 1
            self._postponed[self._token] = (stage, scenes)
            return [After(now + RETRY_AFTER, "retry", self._token)]
        self._battery.spend(joules, compute=True)
        begin = max(now, self._computer_free_at)
        self._computer_free_at = begin + round(network.seconds_per_scene * len(scenes) * SECOND)
        self._token += 1
        self._at_work[self._token] = stage
        return [
            Infer(network.model, "camera", scenes, self._computer_free_at, self._token),
            Record("energy", {"node": self.name, "purpose": "inference", "joules": joules}),
        ]

    def _retry(self, token: int, now: Instant) -> list[Effect]:
        if token not in self._postponed:
            return []  # lost in a reboot
        stage, scenes = self._postponed.pop(token)
        wanted = self._profile.captured_at[scenes] + self._profile.result_expiry_us > now
        if not wanted.any():
            return [self._fate(scenes, "skipped")]
        too_late = [self._fate(scenes[~wanted], "skipped")] if not wanted.all() else []
        return [*too_late, *self._compute(stage, scenes[wanted], now)]

    def _inferred(self, event: Inferred, now: Instant) -> list[Effect]:
        stage = self._at_work.pop(event.token, None)
        if stage is None:
            return []  # begun before a reboot
        if stage == "model":
            return self._mine(event.scenes, event.logits, now)
        assert self._profile.cloud_filter is not None
        cloudy = self._profile.cloud_filter.is_cloudy(cloud_score(event.logits))
        dropped = [self._fate(event.scenes[cloudy], "filtered")] if cloudy.any() else []
        return [*dropped, *self._after_filter(event.scenes[~cloudy], now)]

    def _after_filter(self, scenes: NDArray[np.int32], now: Instant) -> list[Effect]:
        if not len(scenes):
            return []
        if not self._profile.mine_first or self._profile.miner is None:
            return self._compute("model", scenes, now)
        send, _, value = self._verdict(scenes, None)
        sent = self._offer(self._pictures(scenes[send], None), value[send], now) if send.any() else []
        rest = self._compute("model", scenes[~send], now) if not send.all() else []
        return [*sent, *rest]

    def _mine(self, scenes: NDArray[np.int32], logits: NDArray[np.float32], now: Instant) -> list[Effect]:
        """Answers go to the queue; the pictures that the miner finds hard do too, or become candidates."""
        if self._profile.miner is None or self._profile.mine_first:
            keep, send, value = np.ones(len(scenes), bool), np.zeros(len(scenes), bool), np.zeros(len(scenes))
        else:
            send, keep, value = self._verdict(scenes, logits)
        effects: list[Effect] = []
        if keep.any():
            answers = self._answers(scenes[keep], logits[keep])
            effects += self._offer(answers, np.full(len(answers), RESULT_PRIORITY), now)
        neither = ~(keep | send)
        if neither.any():
            effects.append(self._fate(scenes[neither], "discarded"))
        if send.any():
            pictures = self._pictures(scenes[send], logits[send])
            if isinstance(self._profile.miner, Budgeted):
                self._candidates = concatenate([self._candidates, pictures])
                self._candidate_value = np.concatenate([self._candidate_value, value[send]])
            else:
                effects += self._offer(pictures, value[send], now)
        return effects

    def _verdict(
        self, scenes: NDArray[np.int32], logits: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
        profile = self._profile
        assert profile.miner is not None
        truth = profile.worth_sending[scenes] if profile.miner.uses_truth and profile.worth_sending is not None else None
        draws = stream(profile.seed, f"{self.name}/{int(scenes[0])}", "miner")
        verdict = profile.miner.mine(Observation(scenes, logits, truth), draws)
        return verdict.send, verdict.keep_answer, verdict.value

    # ------------------------------------------------------------------------------- the queue

    def _answers(self, scenes: NDArray[np.int32], logits: NDArray[np.float32]) -> Items:
        return Items(
            scenes,
            np.full(len(scenes), KIND_RESULT, np.uint8),
            np.full(len(scenes), self._profile.result_bytes, np.int64),
            self._profile.captured_at[scenes],
            logits.argmax(axis=1).astype(np.int16),
            confidence(logits, self._profile.temperature).astype(np.float32),
        )

    def _pictures(self, scenes: NDArray[np.int32], logits: NDArray[np.float32] | None) -> Items:
        if logits is None:
            predicted, sureness = np.full(len(scenes), -1, np.int16), np.zeros(len(scenes), np.float32)
        else:
            predicted, sureness = logits.argmax(axis=1).astype(np.int16), confidence(logits).astype(np.float32)
        return Items(
            scenes,
            np.full(len(scenes), KIND_SCENE, np.uint8),
            np.full(len(scenes), self._profile.scene_bytes, np.int64),
            self._profile.captured_at[scenes],
            predicted,
            sureness,
        )

    def _offer(self, items: Items, priority: NDArray[np.float64], now: Instant) -> list[Effect]:
        """Offer ``items`` to the downlink: from here on the ledger watches them."""
        if not len(items):
            return []
        pictures = items.kind == KIND_SCENE
        self._offered += int(pictures.sum())
        expiry = np.where(pictures, self._profile.scene_expiry_us, self._profile.result_expiry_us)
        evicted = self._queue.put(items, priority, items.at + expiry)
        effects = [*self._account(items, "offered"), self._fate(items.scene[pictures], "offered")]
        return [*effects, *self._gone(evicted, "lost"), self._persist()]

    def _gone(self, items: Items, state: State) -> list[Effect]:
        """Accounts and fates of items that left the queue without being delivered."""
        if not len(items):
            return []
        return [*self._account(items, state), self._fate(items.scene[items.kind == KIND_SCENE], state)]

    def _account(self, items: Items, state: State) -> list[Effect]:
        effects: list[Effect] = []
        for kind, traffic in enumerate(TRAFFIC_CLASSES):
            chosen = items.kind == kind
            count = int(np.count_nonzero(chosen))
            if count:
                size = int(items.size_bytes[chosen].sum())
                effects.append(Account(self.name, "*", "downlink", traffic, state, size, count))
        return effects

    def _persist(self) -> Persist:
        return Persist(QUEUE_KEY, self._queue.snapshot())

    def _fate(self, scenes: NDArray[np.int32], fate: str) -> Record:
        return Record("fates", {"scene": scenes, "fate": fate})

    # ------------------------------------------------------------------------------- passes

    def _open_session(self, event: SessionOpened, now: Instant) -> list[Effect]:
        if now < self._down_until:
            return []
        self._session = (event.contact, event.station)
        return [*self._offer_candidates(event.contact, now), *self._burst(event.contact, now)]

    def _offer_candidates(self, contact: int, now: Instant) -> list[Effect]:
        """Fill the pass with the best candidates, within the mission's share of what was captured so far."""
        miner = self._profile.miner
        if not isinstance(miner, Budgeted) or not len(self._candidates):
            return []
        fresh = self._candidates.at + self._profile.scene_expiry_us > now
        self._candidates, self._candidate_value = self._candidates.take(fresh), self._candidate_value[fresh]
        room = self._profile.sessions[contact].cumulative_bytes[-1] - self._queue.waiting_bytes
        allowed = miner.share_of_captures * self._captured - self._offered
        budget = min(room, allowed * self._profile.scene_bytes)
        rows = choose(self._candidate_value, self._candidates.size_bytes, budget)
        chosen, value = self._candidates.take(rows), self._candidate_value[rows]
        rest = np.setdiff1d(np.arange(len(self._candidates)), rows)
        self._candidates, self._candidate_value = self._candidates.take(rest), self._candidate_value[rest]
        return self._offer(chosen, value, now)

    def _burst(self, contact: int, now: Instant) -> list[Effect]:
        """Send what the next stretch of the pass carries; each item with its own time of arrival."""
        if self._session is None or self._session[0] != contact:
            return []  # the session was lost in a reboot
        session, station = self._profile.sessions[contact], self._session[1]
        effects = self._gone(self._queue.expire(now), "expired")
        end = min(now + self._profile.transfer_burst_us, session.closes_at)
        sent = no_items()
        if len(self._queue) and self._battery.may_transmit():
            sent = self._queue.transmit(session.times_us, session.cumulative_bytes, now, end)
            # The transmitter is switched off with the last byte that waits.
            silent_from = end if len(self._queue) else int(sent.at.max())
            joules = self._profile.transmit_w * (silent_from - now) / SECOND
            self._battery.spend(joules)
            effects.append(Record("energy", {"node": self.name, "purpose": "transmission", "joules": joules}))
        if len(sent):
            arriving = sent.moved(sent.at + session.light_time_us)
            effects += self._delivered(sent, session)
            effects.append(Send(station, int(arriving.at.min()), Arrived(self.name, arriving, contact)))
        effects.append(self._persist())
        if end < session.closes_at:
            self._next_burst = end
            effects.append(After(end, "burst", contact))
        else:
            self._session, self._next_burst = None, FOREVER
            effects.append(self._gauge(now))
        return effects

    def _delivered(self, sent: Items, session: Session) -> list[Effect]:
        delivered = self._account(sent, "delivered")
        again = [
            Account(effect.source, effect.destination, "downlink", effect.traffic, "retransmitted", size, 0)
            for effect in delivered
            if isinstance(effect, Account) and (size := round(effect.size_bytes * session.retransmitted_share))
        ]
        return [*delivered, *again, self._fate(sent.scene[sent.kind == KIND_SCENE], "delivered")]

    def _gauge(self, now: Instant) -> Record:
        columns = {
            "node": self.name,
            "at": now,
            "queue_bytes": self._queue.waiting_bytes,
            "charge": round(self._battery.charge, 6),
        }
        return Record("gauges", columns)

    # ------------------------------------------------------------------------------- bad days, and the end

    def _reboot(self, event: Rebooted, now: Instant) -> list[Effect]:
        self._queue = DownlinkQueue.restore(event.storage.get(QUEUE_KEY), self._profile.storage_bytes)
        self._candidates, self._candidate_value = no_items(), np.empty(0)
        self._at_work.clear()
        self._postponed.clear()
        self._session, self._next_burst = None, FOREVER
        self._down_until = now + self._profile.reboot_us
        self._computer_free_at = self._down_until
        return [self._gauge(now)]

    def _end(self, event: Ended, now: Instant) -> list[Effect]:
        expired = self._gone(self._queue.expire(now), "expired")
        pictures = self._queue.waiting.take(self._queue.waiting.kind == KIND_SCENE)
        battery = {
            "node": self.name,
            "harvested_j": self._battery.harvested_j,
            "baseline_j": self._battery.baseline_j,
            "charge": self._battery.charge,
        }
        return [
            *expired,
            *self._account(self._queue.waiting, "waiting"),
            self._fate(pictures.scene, "waiting"),
            self._fate(self._candidates.scene, "held"),
            Record("batteries", battery),
        ]

    _REACTIONS: ClassVar[dict[type[Event], Callable[[Satellite, Any, Instant], list[Effect]]]] = {
        Started: _begin,
        Inferred: _inferred,
        SessionOpened: _open_session,
        Rebooted: _reboot,
        Ended: _end,
    }
    _WAKINGS: ClassVar[dict[str, Callable[[Satellite, int, Instant], list[Effect]]]] = {
        "strip": _take_strip,
        "retry": _retry,
        "burst": _burst,
    }
