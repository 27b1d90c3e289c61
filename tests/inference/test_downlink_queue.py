"""The queue loses nothing, keeps its order, and does not care where a pass is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.events import KIND_RESULT, KIND_SCENE, Items
from skyedge.inference.downlink_queue import DownlinkQueue

ENTRIES = st.lists(
    st.tuples(st.integers(1, 5000), st.integers(0, 3), st.integers(0, 50), st.integers(60, 2000)), min_size=1, max_size=30
)


def items_of(entries):
    count = len(entries)
    kinds = np.array([KIND_RESULT if size < 500 else KIND_SCENE for size, *_ in entries], np.uint8)
    return Items(
        np.arange(count, dtype=np.int32),
        kinds,
        np.array([size for size, *_ in entries], np.int64),
        np.array([made for _, _, made, _ in entries], np.int64),
        np.full(count, -1, np.int16),
        np.zeros(count, np.float32),
    )


def filled(entries, capacity=None):
    queue = DownlinkQueue(capacity)
    items = items_of(entries)
    evicted = queue.put(items, np.array([float(p) for _, p, _, _ in entries]), np.array([e for *_, e in entries]))
    return queue, items, evicted


TIMES = np.array([0, 100, 200, 300, 1000])


def curve(scale):
    return np.array([0.0, 1000, 1000, 5000, 20_000]) * scale


@settings(max_examples=150)
@given(ENTRIES, st.floats(0.1, 5), st.integers(0, 1000), st.integers(1000, 100_000))
def test_bytes_in_are_bytes_out_and_waiting_and_expired_and_evicted(entries, scale, cut, capacity):
    queue, items, evicted = filled(entries, capacity)
    sent = queue.transmit(TIMES, curve(scale), 0, cut)
    expired = queue.expire(500)
    scenes = np.concatenate([part.scene for part in (sent, expired, evicted, queue.waiting)])
    assert sorted(scenes.tolist()) == list(range(len(items)))
    assert queue.waiting_bytes <= capacity


@settings(max_examples=150)
@given(ENTRIES, st.floats(0.1, 5), st.integers(1, 999))
def test_cutting_a_pass_in_two_changes_nothing(entries, scale, cut):
    whole, *_ = filled(entries)
    halves, *_ = filled(entries)
    at_once = whole.transmit(TIMES, curve(scale), 0, 1000)
    first = halves.transmit(TIMES, curve(scale), 0, cut)
    second = halves.transmit(TIMES, curve(scale), cut, 1000)
    assert np.concatenate([first.scene, second.scene]).tolist() == at_once.scene.tolist()
    assert np.abs(np.concatenate([first.at, second.at]) - at_once.at).max(initial=0) <= 1


@settings(max_examples=100)
@given(ENTRIES, st.floats(0.1, 3))
def test_twice_the_capacity_never_delivers_less(entries, scale):
    slow, *_ = filled(entries)
    fast, *_ = filled(entries)
    assert len(fast.transmit(TIMES, curve(2 * scale), 0, 1000)) >= len(slow.transmit(TIMES, curve(scale), 0, 1000))


@settings(max_examples=100)
@given(ENTRIES)
def test_what_is_worth_more_goes_first_and_arrives_in_order(entries):
    queue, _, _ = filled(entries)
    priority = {number: entry[1] for number, entry in enumerate(entries)}
    sent = queue.transmit(TIMES, curve(10), 0, 1000)
    worth = [priority[scene] for scene in sent.scene.tolist()]
    assert worth == sorted(worth, reverse=True)
    assert np.all(np.diff(sent.at) >= 0)


def test_nothing_is_sent_while_the_link_is_flat():
    queue, *_ = filled([(1500, 0, 0, 9999)])
    sent = queue.transmit(TIMES, curve(1), 0, 1000)
    assert sent.at.tolist() == [213]  # 1,000 bytes by 100, none until 200, then 40 a microsecond


def test_a_restart_keeps_the_queue_and_its_progress():
    queue, *_ = filled([(1500, 1, 0, 9999), (100, 0, 0, 9999)])
    assert len(queue.transmit(TIMES, curve(1), 0, 150)) == 0
    restored = DownlinkQueue.restore(queue.snapshot())
    assert (
        restored.transmit(TIMES, curve(1), 150, 1000).at.tolist() == queue.transmit(TIMES, curve(1), 150, 1000).at.tolist()
    )
