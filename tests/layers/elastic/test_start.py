"""How long a start takes, against arithmetic on the constants."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.elastic import PoolProfile, burst, seconds_until
from skyedge.layers.elastic.launching import Launcher, first_in_first_out
from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.time import SECOND

STEADY = StartUp(spread=0, scheduling_s=1, sandbox_s=2, model_load_s=4, instances_per_host=10)
NONE = Image(cached_share=1)


def ready_s(start_up: StartUp, image: Image, count: int) -> np.ndarray:
    return burst(PoolProfile(start_up=start_up, image=image), count).ready_us / SECOND


def test_a_lone_start_takes_the_sum_of_its_steps() -> None:
    image = Image(size_bytes=1000, host_bytes_per_s=125, registry_bytes_per_s=1e9)
    assert ready_s(STEADY, image, 1) == pytest.approx([1 + 8 + 2 + 4])


def test_a_cached_image_is_not_pulled() -> None:
    assert ready_s(STEADY, NONE, 1) == pytest.approx([7])


def test_a_streamed_image_waits_for_what_is_read_first() -> None:
    image = Image(size_bytes=1000, host_bytes_per_s=125, registry_bytes_per_s=1e9, streamed=True, streamed_share=0.25)
    assert ready_s(STEADY, image, 1) == pytest.approx([1 + 2 + 2 + 4])


def test_instances_of_a_host_share_one_pull_where_hosts_keep_the_image() -> None:
    image = Image(size_bytes=1000, host_bytes_per_s=125, registry_bytes_per_s=1e9)
    kept = ready_s(STEADY, image, 10).max()
    alone = ready_s(STEADY, image.model_copy(update={"kept_on_hosts": False}), 10).max()
    assert alone - kept == pytest.approx(9 * 8 - 9 / 150, abs=1e-4)  # which come one by one, so no sandbox waits


def test_a_host_that_has_the_image_does_not_pull_it_again() -> None:
    image = Image(size_bytes=1000, host_bytes_per_s=125)
    launcher = Launcher(STEADY, image, name="p", seed=0)
    launcher.launch(1, 0)
    later, _ = launcher.launch(1, 3600 * SECOND)
    assert later.pulled_us == later.provisioned_us


def test_the_registry_serves_all_hosts_at_its_rate() -> None:
    hosts = 50
    image = Image(size_bytes=1000, host_bytes_per_s=1e9, registry_bytes_per_s=100)
    assert ready_s(STEADY, image, hosts * 10).max() == pytest.approx(1 + hosts * 10 + 2 + 4 + 9 / 150, abs=0.01)


@given(rate=st.floats(0.5, 500), depth=st.integers(1, 300), count=st.integers(1, 600))
def test_a_burst_is_admitted_as_a_token_bucket_would(rate: float, depth: int, count: int) -> None:
    start_up = STEADY.model_copy(update={"launches_per_s": rate, "launch_burst": depth})
    admitted = burst(PoolProfile(start_up=start_up, image=NONE), count).admitted_us / SECOND
    assert admitted[-1] == pytest.approx(max(0, count - depth) / rate, abs=1e-5)
    # In no interval more than the depth and what was refilled in it.
    for first in range(0, count, 97):
        gone_by = admitted[first:] - admitted[first]
        assert (np.arange(1, len(gone_by) + 1) <= depth + rate * gone_by + 1e-3 + 1e-6 * rate).all()


def test_a_bucket_refills_while_it_rests() -> None:
    start_up = STEADY.model_copy(update={"launches_per_s": 10, "launch_burst": 100})
    launcher = Launcher(start_up, NONE, name="p", seed=0)
    launcher.launch(100, 0)
    soon, _ = launcher.launch(20, SECOND)
    assert soon.admitted_us.max() == 2 * SECOND  # 10 came in a second, 10 more in the next
    late, _ = launcher.launch(100, 1000 * SECOND)
    assert late.admitted_us.max() == 1000 * SECOND


def test_a_host_starts_no_more_sandboxes_than_it_can() -> None:
    start_up = STEADY.model_copy(update={"sandboxes_per_s": 2.0})
    assert ready_s(start_up, NONE, 10).max() == pytest.approx(7 + 9 / 2)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=60), st.integers(0, 9))
def test_several_servers_serve_as_one_after_the_other_would(requests: list[tuple[int, int]], service: int) -> None:
    at, server = (np.array(column, np.int64) for column in zip(*requests, strict=True))
    free = np.array([7, 0, 0, 3], np.int64)
    expected, busy_until = np.empty(len(at), np.int64), free.copy()
    for row in sorted(range(len(at)), key=lambda row: (at[row], row)):
        busy_until[server[row]] = max(at[row], busy_until[server[row]]) + service
        expected[row] = busy_until[server[row]]
    assert first_in_first_out(at, service, server.astype(np.intp), free).tolist() == expected.tolist()
    assert free.tolist() == busy_until.tolist()


def test_the_spread_is_that_of_a_log_normal() -> None:
    start_up = StartUp(spread=0.5, scheduling_s=0, sandbox_s=1, model_load_s=0, sandboxes_per_s=1e6, launch_burst=20_000)
    took = ready_s(start_up, NONE, 20_000)
    assert np.median(took) == pytest.approx(1, rel=0.02)
    assert np.percentile(took, 99) == pytest.approx(math.exp(0.5 * 2.326), rel=0.04)


@given(count=st.integers(1, 3000), seed=st.integers(0, 20))
def test_the_cold_start_that_is_planned_for_is_on_the_safe_side(count: int, seed: int) -> None:
    profile = PoolProfile()
    timeline = burst(profile, count, seed=seed)
    assert profile.cold_start_s(count, standard_deviations=4) >= seconds_until(timeline.ready_us, count)


def test_a_platform_cannot_launch_more_than_there_are() -> None:
    assert seconds_until(np.array([3, 1, 2]) * SECOND, 2) == 2
    assert seconds_until(np.array([3, 1, 2]) * SECOND, 4) == math.inf
