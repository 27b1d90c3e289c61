"""What makes a cluster welcome."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Cluster, Demand, NodePool, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.scores import SCORES, ScoreBook, less_is_better, more_is_better
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.scheduler.objects import PodShape

ROOM = (NodePool(10, {"cpu": 4000}),)
BEIJING = Demand("beijing", 39.9, 116.4)
FEDERATION = Federation.of(
    [
        Cluster("guangzhou", lat_deg=23.1, lon_deg=113.3, pools=ROOM, facts={"carbon_g_per_kwh": 490.0}),
        Cluster("oslo", lat_deg=59.9, lon_deg=10.8, pools=ROOM, facts={"carbon_g_per_kwh": 15.0, "price_per_core_h": 0.05}),
        Cluster("tianjin", lat_deg=39.1, lon_deg=117.2, pools=(NodePool(5, {"cpu": 4000}),)),
        Cluster("unknown"),
    ]
)


def app(rules=None, **more):
    resource = Resource("Deployment", "web", "ns", "apps/v1")
    return Workload(resource, 2, PodShape((("cpu", 1000),)), rules or PlacementRules(), **more)


def marks(name, one):
    return dict(zip(FEDERATION.names, ScoreBook(FEDERATION).marks(name, one).tolist(), strict=True))


class AlphabeticalScore:
    """A user's own: the later in the alphabet the better."""

    name: ClassVar[str] = "alphabetical"

    def scores(self, federation, _workload):
        return np.linspace(0, 100, len(federation)).round()


class TooMuchScore:
    def scores(self, federation, _workload):
        return np.full(len(federation), 101)


class BrokenScore:
    def scores(self, _federation, _workload):
        raise KeyError("figures")


OWN = f"{__name__}:AlphabeticalScore"


@pytest.mark.parametrize("name", sorted(SCORES))
@settings(max_examples=10)
@given(facts=st.dictionaries(st.sampled_from(["carbon_g_per_kwh", "contact_s", "hops:x"]), st.floats(0, 1e9)))
def test_marks_go_from_0_to_100(name, facts):
    federation = Federation.of([Cluster("a", facts=facts), Cluster("b", pools=ROOM, lat_deg=0.0, lon_deg=0.0)])
    one = app(demand=(Demand("x", 10.0, 20.0), Demand("y")), data_bytes={"a": 5}, scheduled={"a": 1})
    given_marks = ScoreBook(federation).marks(name, one)
    assert given_marks.shape == (2,)
    assert 0 <= given_marks.min() <= given_marks.max() <= 100


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_the_best_has_all_marks_and_less_is_never_worse(figures):
    order = np.argsort(figures, kind="stable")
    for of in (less_is_better(np.array(figures), 1.0)[order], 100 - more_is_better(np.array(figures))[order]):
        assert (np.diff(of) <= 0).all()
    assert less_is_better(np.array(figures), 1.0).max() == 100


def test_twice_as_bad_is_half_the_marks_and_the_worst_does_not_matter():
    assert less_is_better(np.array([9.0, 19.0, np.nan, 1e9]), 1.0).tolist() == [100, 50, 0, 0]


def test_near_is_where_the_demand_is():
    near = marks("latency", app(demand=(BEIJING,)))
    assert near["tianjin"] == 100 > near["guangzhou"] > near["oslo"] > 0 == near["unknown"]
    hops = marks("bytes-hops", app(demand=(BEIJING,)))
    assert hops["tianjin"] == 100 > hops["guangzhou"] > hops["oslo"]
    assert set(marks("latency", app()).values()) == {0}


def test_a_measured_latency_counts_before_a_reckoned_one():
    told = Federation.of(
        [replace(one, facts={"latency_ms:beijing": 1.0}) if one.name == "oslo" else one for one in FEDERATION.clusters]
    )
    assert ScoreBook(told).marks("latency", app(demand=(BEIJING,)))[1] == 100


def test_facts_data_and_free_processors_count():
    assert marks("carbon", app()) == {"guangzhou": 5, "oslo": 100, "tianjin": 0, "unknown": 0}
    assert marks("cost", app())["oslo"] == 100
    assert marks("balance", app()) == {"guangzhou": 100, "oslo": 100, "tianjin": 50, "unknown": 0}
    assert marks("data", app(data_bytes={"oslo": 30, "tianjin": 10, "gone": 0})) == {
        "guangzhou": 0, "oslo": 75, "tianjin": 25, "unknown": 0,
    }  # fmt: skip
    assert marks("locality", app(scheduled={"oslo": 1})) == {"guangzhou": 0, "oslo": 100, "tianjin": 0, "unknown": 0}


def test_the_next_pass_that_lands_much_soon_is_best():
    federation = Federation.of(
        [
            Cluster("later", facts={"contact_s:sat-1": 540.0, "contact_bytes:sat-1": 8e9}),
            Cluster("never"),
            Cluster("now", facts={"contact_s:sat-1": 0.0, "contact_bytes:sat-1": 1e9}),
            Cluster("soon", facts={"contact_s:sat-1": 60.0, "contact_bytes:sat-1": 4e9}),
        ]
    )
    # Bytes a second of waiting: 8e9/600, -, 1e9/60, 4e9/120.
    assert ScoreBook(federation).marks("contact-window", app(demand=(Demand("sat-1"),))).tolist() == [40, 0, 50, 100]


def test_scores_choose_where_a_spread_constraint_leaves_a_choice():
    spread = (SpreadConstraint("cluster", 1, 1),)
    by_carbon = PlacementRules(spread=spread, strategy=Strategy.AGGREGATED, scores={"carbon": 1})
    assert place(FEDERATION, [app(by_carbon)]).of(0) == {"oslo": 2}
    near = replace(by_carbon, scores={"latency": 3, "carbon": 1})
    assert place(FEDERATION, [app(near, demand=(BEIJING,))]).of(0) == {"tianjin": 2}
    own = replace(by_carbon, strategy=Strategy.DUPLICATED, scores={OWN: 1})
    assert place(FEDERATION, [app(own)]).of(0) == {"unknown": 2}


def test_marks_are_the_mean_by_weight():
    book = ScoreBook(FEDERATION)
    one = app(PlacementRules(scores={"carbon": 1, "balance": 3}))
    assert book.table().shape == (0, 4)
    row = book.row(one)
    assert book.table()[row].tolist() == [76, 100, 38, 0]
    assert book.row(replace(one, uid="another")) == row


def test_a_score_of_ones_own_that_goes_wrong_is_told_of():
    for name, message in {
        f"{__name__}:TooMuchScore": "marks go from 0 to 100",
        f"{__name__}:BrokenScore": "failed for ns/web: 'figures'",
        f"{__name__}:BEIJING": "has no class 'BEIJING'",
        "tests.layers.federation.drawn:Cluster": "is no score",
        "carbn": r"did you mean 'carbon'",
    }.items():
        rules = PlacementRules(spread=(SpreadConstraint("cluster", 1, 1),), scores={name: 1})
        with pytest.raises(InputError, match=message):
            place(FEDERATION, [app(rules)])
