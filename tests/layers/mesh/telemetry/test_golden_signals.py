import numpy as np
import pytest

from skyedge.layers.mesh.telemetry import by_edge, by_service, by_subset
from skyedge.layers.mesh.telemetry.golden_signals import most_at_once, quantile_ms
from tests.layers.mesh.telemetry.traffic_of_two import BACK, FRONT, WEB, traffic

CALLS = traffic().calls


def naive(rows, window=None):
    """Count, errors and durations of requests given by (service, start, end, status)."""
    counted = [row for row in rows if window is None or window[0] <= row[2] < window[1]]
    return len(counted), sum(row[3] >= 500 for row in counted), sorted(row[2] - row[1] for row in counted)


def rows_of(host):
    requests = CALLS.requests
    columns = (requests.service, requests.start_us, requests.end_us, requests.status, requests.mirror)
    each = zip(*(column.tolist() for column in columns), strict=True)
    return [row for row in each if CALLS.services[row[0]] == host and not row[4]]


@pytest.mark.parametrize("window", [None, (500_000, 1_500_000)])
def test_signals_are_those_of_counting_by_hand(window):
    for signals in by_service(CALLS, window):
        count, errors, durations = naive(rows_of(signals.name[0]), window)
        assert (signals.count, round(signals.error_share * count)) == (count, errors)
        assert signals.p50_ms * 1000 == pytest.approx(durations[(count + 1) // 2 - 1])
        if window is not None:
            assert signals.rate_per_s == pytest.approx(count)


def test_littles_law_holds_for_requests_and_for_those_who_wait():
    # By stepping through time, instead of by adding up durations.
    (back,) = [one for one in by_service(CALLS) if one.name == (BACK,)]
    requests = [(row[1], row[2]) for row in rows_of(BACK)]
    begin, end = min(start for start, _ in requests), max(end for _, end in requests) + 1
    times = np.arange(begin, end, 500)
    starts, ends = (np.sort(np.array(column)) for column in zip(*requests, strict=True))
    in_flight = np.searchsorted(starts, times, "right") - np.searchsorted(ends, times, "right")
    assert back.in_flight == pytest.approx(in_flight.mean(), rel=0.02)
    mean_s = sum(end - start for start, end in requests) / len(requests) / 1e6
    assert back.in_flight == pytest.approx(back.rate_per_s * mean_s, rel=0.01)
    assert back.peak_in_flight >= in_flight.max()
    assert back.wait_ms > 0
    assert back.waiting > 0


def test_edges_name_endpoints_by_their_service_and_add_up_to_services():
    edges = by_edge(CALLS)
    assert [edge.name for edge in edges] == [(FRONT, BACK), (WEB.name, FRONT)]
    assert {edge.name[1]: edge.count for edge in edges} == {one.name[0]: one.count for one in by_service(CALLS)}


def test_subsets_answer_for_their_own_attempts():
    subsets = {one.name: one for one in by_subset(CALLS)}
    assert sorted(subsets) == [(BACK, "v0"), (BACK, "v1"), (FRONT, "")]
    assert sum(one.count for one in subsets.values()) == len(CALLS.attempts)
    assert subsets[BACK, "v0"].error_share == pytest.approx(0.2, abs=0.06)


def test_nothing_comes_of_nothing():
    assert by_service(traffic(0).calls) == by_edge(traffic(0).calls) == by_subset(traffic(0).calls) == ()


def test_small_parts():
    assert quantile_ms(np.array([1000, 2000, 3000, 4000]), 0.5) == 2.0
    assert np.isnan(quantile_ms(np.array([], np.int64), 0.5))
    assert most_at_once(np.array([0, 5, 10]), np.array([10, 7, 12])) == 2
