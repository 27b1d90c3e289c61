import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.priority_load import locality_load, priority_load

percents = st.lists(st.floats(0, 100), min_size=1, max_size=6)


@given(percents)
def test_all_traffic_goes_somewhere(healthy):
    load = priority_load(healthy).load_percent
    assert load.sum() == pytest.approx(100)
    assert (load >= 0).all()


@given(percents.filter(any), st.data())
def test_without_panic_a_healthier_first_priority_never_takes_less(healthy, data):
    better = [data.draw(st.floats(healthy[0], 100)), *healthy[1:]]
    before, after = (priority_load(one, panic_percent=0).load_percent[0] for one in (healthy, better))
    assert after >= before - 1e-9


@given(percents)
def test_nobody_panics_while_all_together_are_well(healthy):
    load = priority_load(healthy)
    if load.normalized_total_health_percent == 100:
        assert not load.in_panic.any()
    assert not priority_load(healthy, panic_percent=0).in_panic.any()
    assert (np.asarray(healthy)[load.in_panic] < 50).all()


def test_a_priority_without_a_healthy_endpoint_takes_nothing_while_another_has_one():
    assert priority_load([0, 10, 0], panic_percent=0).load_percent.tolist() == [0, 100, 0]
    assert priority_load([0, 60, 0]).load_percent.tolist() == [0, 100, 0]


@given(percents, st.data())
def test_if_all_panic_each_priority_takes_what_it_has_of_the_hosts(healthy, data):
    counts = st.lists(st.integers(0, 9), min_size=len(healthy), max_size=len(healthy)).filter(any)
    hosts = data.draw(counts)
    load = priority_load(healthy, hosts=hosts)
    if load.in_panic.all():
        assert load.load_percent == pytest.approx(100 * np.array(hosts) / sum(hosts))
    else:
        assert load.load_percent.tolist() == priority_load(healthy).load_percent.tolist()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_healthy_localities_share_by_weight(weights):
    assert locality_load(weights, [80] * len(weights)) == pytest.approx(100 * np.array(weights) / sum(weights))


def test_what_makes_no_sense_is_refused():
    for call in (
        lambda: priority_load([]),
        lambda: priority_load([101]),
        lambda: priority_load([float("nan")]),
        lambda: priority_load([50], 0.5),
        lambda: locality_load([1], [0]),
    ):
        with pytest.raises(InputError):
            call()
