"""What makes a cluster welcome to a workload, as marks from 0 to 100.

Karmada knows one such score, ``locality``.  Here are more, and a user's own is named by its import path,
``package.module:Class``.  A policy weighs them (``PlacementRules.scores``); their mean, by weight, decides which clusters a
workload is spread over, and divides its replicas if the policy says so.

Figures of clusters come from :attr:`Cluster.facts`.  A cluster that does not know one gets no marks for it:

==================  ===================================================================================================
``latency``         ``latency_ms:PLACE``, one way, to where the demand is; else from the positions, over fibre
``bytes-hops``      ``hops:PLACE``, to where the demand is; else from the positions
``carbon``          ``carbon_g_per_kwh``
``cost``            ``price_per_core_h``
``balance``         processors that are free (from the nodes)
``contact-window``  ``contact_s:PLACE`` until the next pass, ``contact_bytes:PLACE`` that it will land; without the place
                    if no place has its own
``data``            bytes of the workload that are there already (``Workload.data_bytes``)
``locality``        whether it runs there already
==================  ===================================================================================================

Where less is better, the best cluster has 100 marks and one that is twice as bad 50: marks say how much worse, and the worst
cluster does not decide what the others are worth.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.affinity import HIGHEST_SCORE
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.objects import Demand, Workload
from skyedge.layers.federation.webster import Counts, Figures
from skyedge.layers.paths.terrestrial import TerrestrialRules
from skyedge.plugins import is_import_path, load_class

Marks = NDArray[np.int64]

DEFAULT_SCORES = {"locality": 1.0}
"""Karmada's."""

MEAN_RADIUS_KM = 6371.0
"""Of the Earth."""

SMALL_LATENCY_MS, SMALL_HOPS, SMALL_CARBON_G, SMALL_PRICE, SMALL_WAIT_S = 1.0, 1.0, 10.0, 0.001, 60.0
"""Differences that make little difference, added to both figures before they are compared.  Assumed."""


@runtime_checkable
class Score(Protocol):
    """How welcome a workload is on each cluster.

    A class may also have ``key(workload)``: workloads with equal keys have equal marks, and share the work.
    """

    name: ClassVar[str]

    def scores(self, federation: Federation, workload: Workload) -> NDArray[Any]:
        """Marks from 0 to 100, (clusters,), clusters in the order of their names."""
        ...


class Locality:
    """Full marks where the workload runs already, and none elsewhere: Karmada's ``ClusterLocality``."""

    name: ClassVar[str] = "locality"

    def key(self, workload: Workload) -> Hashable:
        return frozenset(workload.scheduled)

    def scores(self, federation: Federation, workload: Workload) -> Marks:
        marks = np.zeros(len(federation), np.int64)
        marks[_columns(federation, workload.scheduled)] = HIGHEST_SCORE
        return marks


class Latency:
    """Near to where the demand is, in time."""

    name: ClassVar[str] = "latency"

    def key(self, workload: Workload) -> Hashable:
        return workload.demand

    def scores(self, federation: Federation, workload: Workload) -> Marks:
        return less_is_better(_over_demand(federation, workload, "latency_ms"), SMALL_LATENCY_MS)


class BytesHops:
    """Near to where the demand is, in hops, each of which carries every byte once more."""

    name: ClassVar[str] = "bytes-hops"

    def key(self, workload: Workload) -> Hashable:
        return workload.demand

    def scores(self, federation: Federation, workload: Workload) -> Marks:
        return less_is_better(_over_demand(federation, workload, "hops"), SMALL_HOPS)


class Fact:
    """Little of one figure; what it is, a class of its own says."""

    name: ClassVar[str]
    fact: ClassVar[str]
    small: ClassVar[float]

    def key(self, _workload: Workload) -> Hashable:
        return None

    def scores(self, federation: Federation, _workload: Workload) -> Marks:
        return less_is_better(federation.fact(self.fact), self.small)


class Carbon(Fact):
    """Little carbon dioxide for a kilowatt-hour."""

    name: ClassVar[str] = "carbon"
    fact: ClassVar[str] = "carbon_g_per_kwh"
    small: ClassVar[float] = SMALL_CARBON_G


class Cost(Fact):
    """Little money for a core and an hour."""

    name: ClassVar[str] = "cost"
    fact: ClassVar[str] = "price_per_core_h"
    small: ClassVar[float] = SMALL_PRICE


class Balance:
    """Many processors free, beside the cluster with the most."""

    name: ClassVar[str] = "balance"

    def key(self, _workload: Workload) -> Hashable:
        return None

    def scores(self, federation: Federation, _workload: Workload) -> Marks:
        return more_is_better(federation.nodes.total_free("cpu"))


class ContactWindow:
    """Where the next pass lands: many bytes after a short wait, the mean over the satellites of the demand."""

    name: ClassVar[str] = "contact-window"

    def key(self, workload: Workload) -> Hashable:
        return workload.demand

    def scores(self, federation: Federation, workload: Workload) -> Marks:
        places = [(f":{one.place}", one.weight) for one in workload.demand] or [("", 1.0)]
        worth = np.zeros(len(federation))
        for place, weight in places:
            wait_s, landed = (_fact_of(federation, name, place) for name in ("contact_s", "contact_bytes"))
            landed = np.where(np.isnan(landed), 1.0 if np.isnan(landed).all() else 0.0, landed)
            rate = np.nan_to_num(landed / (np.maximum(wait_s, 0.0) + SMALL_WAIT_S))
            worth += weight * rate / max(rate.max(initial=0.0), np.finfo(np.float64).tiny)
        return more_is_better(worth)


class Data:
    """The share of the workload's data that need not be moved."""

    name: ClassVar[str] = "data"

    def key(self, workload: Workload) -> Hashable:
        return tuple(sorted(workload.data_bytes.items()))

    def scores(self, federation: Federation, workload: Workload) -> Marks:
        marks = np.zeros(len(federation), np.int64)
        most = sum(workload.data_bytes.values())
        for name, here in workload.data_bytes.items():
            place = federation.column(name)
            if place is not None and most > 0:
                marks[place] = HIGHEST_SCORE * here // most
        return marks


SCORES: dict[str, type[Score]] = {
    cls.name: cls for cls in (Locality, Latency, BytesHops, Carbon, Cost, Balance, ContactWindow, Data)
}
"""By the name that a policy gives."""


def score_named(name: str, *, where: object = None) -> Score:
    """The score of a name, or of an import path.

    Raises:
        InputError: if there is none, or the class is no score.
    """
    if not is_import_path(name):
        if name not in SCORES:
            raise InputError(f"there is no score '{name}'", where=where, nearest=nearest(name, SCORES))
        return SCORES[name]()
    cls = load_class(name, where=where)
    if not callable(getattr(cls, "scores", None)):
        raise InputError(f"'{name}' is no score: it has no method scores(federation, workload)", where=where)
    try:
        score: Score = cls()
    except Exception as error:
        raise InputError(f"the score '{name}' cannot be made: {error}", where=where) from None
    return score


def less_is_better(figures: Figures, small: float) -> Marks:
    """Marks in proportion to the best figure over one's own, (clusters,); none where a figure is not a number.

    Args:
        figures: (clusters,); less than nothing counts as nothing.
        small: added to both.
    """
    known = np.maximum(figures, 0.0) + small
    if np.isnan(known).all():
        return np.zeros(len(known), np.int64)
    return np.nan_to_num(np.rint(HIGHEST_SCORE * np.nanmin(known) / known)).astype(np.int64)


def more_is_better(figures: Figures) -> Marks:
    """Marks in proportion to the figure over the best one, (clusters,)."""
    most = figures.max(initial=0.0)
    if most <= 0:
        return np.zeros(len(figures), np.int64)
    return np.rint(HIGHEST_SCORE * np.maximum(figures, 0.0) / most).astype(np.int64)


class ScoreBook:
    """The marks of many workloads, those that share them once.

    Args:
        federation: whose clusters get them.
    """

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._known: dict[str, Score] = {}
        self._single: dict[Hashable, Marks] = {}
        self._rows: dict[Hashable, int] = {}
        self._table: list[Marks] = []

    def row(self, workload: Workload) -> int:
        """The place in :meth:`table` of a workload's marks, by the weights of its rules.

        Raises:
            InputError: if there is no such score, a weight is negative or all are zero, or a user's own class fails.
        """
        weights = workload.rules.scores or DEFAULT_SCORES
        scores = [(name, weight, self._score(name)) for name, weight in sorted(weights.items())]
        key = tuple((name, weight, _key(score, workload)) for name, weight, score in scores)
        place = self._rows.get(key)
        if place is None:
            place = self._rows[key] = len(self._table)
            self._table.append(self._mean(workload, key, weights))
        return place

    def table(self) -> Counts:
        """Marks, (distinct, clusters)."""
        return np.array(self._table, np.int64).reshape(len(self._table), len(self._federation))

    def marks(self, name: str, workload: Workload) -> Marks:
        """What one score gives a workload, (clusters,)."""
        score = self._score(name)
        key = (name, _key(score, workload))
        found = self._single.get(key)
        if found is None:
            found = self._single[key] = self._ask(name, score, workload)
        return found

    def _mean(self, workload: Workload, key: tuple[tuple[str, float, Hashable], ...], weights: Mapping[str, float]) -> Marks:
        total = check_weights(weights)
        mean = sum((weight / total * self.marks(name, workload) for name, weight, _ in key), np.zeros(len(self._federation)))
        return np.rint(mean).astype(np.int64)

    def _score(self, name: str) -> Score:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = score_named(name)
        return found

    def _ask(self, name: str, score: Score, workload: Workload) -> Marks:
        if name in SCORES:
            return np.asarray(score.scores(self._federation, workload), np.int64)
        try:
            given = np.asarray(score.scores(self._federation, workload))
        except Exception as error:  # whatever a user's own code does
            reason = str(error) or type(error).__name__
            raise InputError(f"the score '{name}' failed for {workload.name}: {reason}") from None
        if given.shape != (len(self._federation),) or not np.issubdtype(given.dtype, np.number) or np.isnan(given).any():
            raise InputError(f"the score '{name}' gave no number for each of {len(self._federation)} clusters")
        if given.min(initial=0) < 0 or given.max(initial=0) > HIGHEST_SCORE:
            raise InputError(f"the score '{name}' gave {given.min()} to {given.max()}; marks go from 0 to {HIGHEST_SCORE}")
        return np.rint(given).astype(np.int64)


def check_weights(weights: Mapping[str, float]) -> float:
    """The sum of weights.

    Raises:
        InputError: if one is negative, or all are zero.
    """
    for name, weight in sorted(weights.items()):
        if not 0 <= weight < np.inf:
            raise InputError(f"the score '{name}' counts {weight} times; weights are not negative")
    total = float(sum(weights.values()))
    if not total:
        raise InputError(f"no score counts: the weights of {', '.join(sorted(weights))} are all zero")
    return total


def path_to(federation: Federation, demand: Demand) -> tuple[Figures, Figures]:
    """One-way latency in ms and hops from each cluster to a place, both (clusters,), by positions alone."""
    if demand.lat_deg is None or demand.lon_deg is None:
        unknown = np.full(len(federation), np.nan)
        return unknown, unknown
    lat, lon = np.radians(federation.positions_deg).T
    there_lat, there_lon = np.radians([demand.lat_deg, demand.lon_deg])
    chord = np.sin((lat - there_lat) / 2) ** 2 + np.cos(lat) * np.cos(there_lat) * np.sin((lon - there_lon) / 2) ** 2
    km = 2 * MEAN_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(chord, 1.0)))
    rules = TerrestrialRules()
    paths = [None if np.isnan(one) else rules.path(one) for one in km.tolist()]
    latency_ms = np.array([np.nan if path is None else path.latency_us / 1000 for path in paths])
    return latency_ms, np.array([np.nan if path is None else path.hops for path in paths], np.float64)


def _over_demand(federation: Federation, workload: Workload, fact: str) -> Figures:
    """The mean of a figure of paths over the places of the demand, by weight, (clusters,); unknown without any demand."""
    total = sum(one.weight for one in workload.demand)
    if not total > 0:
        return np.full(len(federation), np.nan)
    mean = np.zeros(len(federation))
    for one in workload.demand:
        told = federation.fact(f"{fact}:{one.place}")
        if np.isnan(told).any():
            reckoned = path_to(federation, one)[0 if fact == "latency_ms" else 1]
            told = np.where(np.isnan(told), reckoned, told)
        mean += one.weight / total * told
    return mean


def _fact_of(federation: Federation, name: str, place: str) -> Figures:
    """A fact about a place, or the general one where no cluster has that."""
    figures = federation.fact(name + place)
    return federation.fact(name) if place and np.isnan(figures).all() else figures


def _columns(federation: Federation, names: Mapping[str, int]) -> list[int]:
    return [place for name in names if (place := federation.column(name)) is not None]


def _key(score: Score, workload: Workload) -> Hashable:
    """What a workload's marks depend on; its own object, if the score does not say."""
    key = getattr(score, "key", None)
    return key(workload) if key is not None else id(workload)
