"""The four golden signals (Beyer et al., Site Reliability Engineering, 2016): traffic, errors, latency, saturation.

For services, classes and edges the unit is a request as its caller's proxy saw it, with all its retries; for subsets it is
an attempt, since a request that is repeated may go from one version to another, and each answers for its own.  Copies that
a mirror sends count for subsets, which have the work, and not for the others, whose callers never see them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.traffic.calls import NEVER, Calls, Numbers

SERVER_ERROR = 500


@dataclass(frozen=True)
class Signals:
    """The signals of one service, class, edge or subset.

    Attributes:
        name: service; class of service; caller and service; service and subset.
        count: requests, or attempts, that ended in the window.
        rate_per_s: of those.
        error_share: statuses from 500 up, errors of gRPC, and those that nobody answered; of those.
        p50_ms, p90_ms, p99_ms: of their durations (the smallest that so many do not exceed).
        in_flight: mean number at once, over the window.
        peak_in_flight: most at once.
        waiting: mean number that waited at its endpoints.
        wait_ms: mean wait at endpoints, of those that came to work.
    """

    name: tuple[str, ...]
    count: int
    rate_per_s: float
    error_share: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    in_flight: float
    peak_in_flight: int
    waiting: float
    wait_ms: float


Name = Callable[[Sequence[int]], tuple[str, ...]]
Window = tuple[int, int]
"""From and to, µs; who ended from the first up to, but not at, the second is counted."""


def by_service(calls: Calls, window: Window | None = None) -> tuple[Signals, ...]:
    """The signals of each service that was called, by name."""
    return _of_requests(calls, window, [calls.requests.service], lambda key: (calls.services[key[0]],))


def by_class(calls: Calls, window: Window | None = None) -> tuple[Signals, ...]:
    """The signals of each class of service that had requests, the most urgent first."""
    found = _of_requests(calls, window, [calls.requests.service_class], lambda key: (calls.classes[key[0]],))
    return tuple(sorted(found, key=lambda one: calls.classes.index(one.name[0])))


def by_edge(calls: Calls, window: Window | None = None) -> tuple[Signals, ...]:
    """The signals of each pair of who calls (the service of an endpoint, or a caller by name) and whom, by names."""
    names = caller_names(calls)
    distinct = sorted(set(names))
    place = {name: at for at, name in enumerate(distinct)}
    number = np.array([place[name] for name in names], np.int64)
    keys = [number[calls.requests.caller], calls.requests.service]
    return _of_requests(calls, window, keys, lambda key: (distinct[key[0]], calls.services[key[1]]))


def by_subset(calls: Calls, window: Window | None = None) -> tuple[Signals, ...]:
    """The signals of each service and subset (empty: the whole service) that was asked, by names."""
    attempts = calls.attempts
    return _signals(
        [attempts.service, attempts.subset],
        lambda key: (calls.services[key[0]], calls.subsets[key[1]]),
        attempts.start_us,
        attempts.end_us,
        failed(attempts.status, attempts.grpc_status),
        np.arange(len(attempts)),
        calls,
        window,
    )


def failed(status: Numbers, grpc_status: Numbers) -> NDArray[np.bool_]:
    """Which count as errors: of the server, of gRPC, or no answer at all."""
    return (status >= SERVER_ERROR) | (status == 0) | (grpc_status > 0)


def caller_names(calls: Calls) -> list[str]:
    """What each caller goes by: an endpoint by its service, others by their names."""
    return [caller.service or caller.name for caller in calls.callers]


def quantile_ms(durations_us: Numbers, share: float) -> float:
    """The smallest duration that a share of them does not exceed, ms; NaN if there is none."""
    if durations_us.size == 0:
        return float("nan")
    return float(np.quantile(durations_us, share, method="inverted_cdf")) / 1000.0


def most_at_once(start_us: Numbers, end_us: Numbers) -> int:
    """How many intervals overlap at most; one that ends when another begins does not overlap it."""
    if start_us.size == 0:
        return 0
    times = np.concatenate([end_us, start_us])
    steps = np.concatenate([np.full(end_us.size, -1), np.full(start_us.size, 1)])
    return int(max(0, np.cumsum(steps[np.lexsort((steps, times))]).max()))


def _of_requests(calls: Calls, window: Window | None, keys: Sequence[Numbers], name: Name) -> tuple[Signals, ...]:
    requests = calls.requests
    seen = ~requests.mirror
    rows = np.full(len(requests), -1)
    rows[seen] = np.arange(int(seen.sum()))
    return _signals(
        [key[seen] for key in keys],
        name,
        requests.start_us[seen],
        requests.end_us[seen],
        failed(requests.status, requests.grpc_status)[seen],
        rows[calls.attempts.request],
        calls,
        window,
    )


def _signals(
    keys: Sequence[Numbers],
    name: Name,
    start_us: Numbers,
    end_us: Numbers,
    errors: NDArray[np.bool_],
    row_of_attempt: NDArray[np.int64],
    calls: Calls,
    window: Window | None,
) -> tuple[Signals, ...]:
    if start_us.size == 0:
        return ()
    # What ends last still ends in the window that is meant by none.
    begin, end = window if window is not None else (int(start_us.min()), int(end_us.max()) + 1)
    seconds = max(end - begin, 1) / 1e6
    distinct, group = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    attempts = calls.attempts
    worked = np.flatnonzero((attempts.work_start_us != NEVER) & (row_of_attempt >= 0))
    in_window = (attempts.work_start_us[worked] >= begin) & (attempts.work_start_us[worked] < end)
    worked = worked[in_window]
    rows_of, waits_of = _rows_by_group(group, len(distinct)), _rows_by_group(group[row_of_attempt[worked]], len(distinct))
    all_waits = (attempts.work_start_us - attempts.arrived_us)[worked]
    result = []
    for key, mine, came in zip(distinct.tolist(), rows_of, waits_of, strict=True):
        ended = mine[(end_us[mine] >= begin) & (end_us[mine] < end)]
        durations = (end_us - start_us)[ended]
        overlap = np.maximum(0, np.minimum(end_us[mine], end) - np.maximum(start_us[mine], begin))
        there = mine[(start_us[mine] < end) & (end_us[mine] >= begin)]
        waits = all_waits[came]
        count = ended.size
        result.append(
            Signals(
                name=name(key),
                count=count,
                rate_per_s=count / seconds,
                error_share=float(errors[ended].mean()) if count else 0.0,
                p50_ms=quantile_ms(durations, 0.5),
                p90_ms=quantile_ms(durations, 0.9),
                p99_ms=quantile_ms(durations, 0.99),
                in_flight=float(overlap.sum()) / 1e6 / seconds,
                peak_in_flight=most_at_once(start_us[there], end_us[there]),
                waiting=float(waits.sum()) / 1e6 / seconds,
                wait_ms=float(waits.mean()) / 1000.0 if waits.size else 0.0,
            )
        )
    return tuple(sorted(result, key=lambda one: one.name))


def _rows_by_group(group: NDArray[np.intp], groups: int) -> list[NDArray[np.intp]]:
    ends = np.cumsum(np.bincount(group, minlength=groups))
    return np.split(np.argsort(group, kind="stable"), ends[:-1])
