import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.traffic import Controls, ServiceClasses, Shape, simulate
from skyedge.layers.mesh.traffic.qos import ClassRule, Discipline, WaitingLine
from tests.layers.mesh.traffic.worlds import HOST, mesh_of, poisson, working

TWO = ServiceClasses(("urgent", "bulk"), (ClassRule("urgent", headers={"scene": "hard"}),))


def drained(line, now=0):
    return [line.pop(now) for _ in range(len(line))]


def test_the_urgent_come_first_and_each_class_in_its_order():
    line = WaitingLine(TWO)
    for item, service_class in (("b1", 1), ("u1", 0), ("b2", 1), ("u2", 0)):
        line.push(item, service_class, 0)
    assert drained(line) == ["u1", "u2", "b1", "b2"]


def test_who_has_waited_too_long_comes_before_the_urgent():
    line = WaitingLine(ServiceClasses(("urgent", "bulk"), starvation_limit_us=100))
    line.push("bulk", 1, 0)
    line.push("urgent", 0, 50)
    assert line.pop(99) == "urgent"
    line.push("urgent", 0, 99)
    assert line.pop(100) == "bulk"


def test_weights_share_out_the_service_of_those_who_always_wait():
    line = WaitingLine(ServiceClasses(("a", "b", "c"), discipline=Discipline.WEIGHTED, weights={"a": 5, "b": 3, "c": 2}))
    for turn in range(1000):
        for service_class in range(3):
            line.push(service_class, service_class, turn, 10)
    served = [line.pop(0) for _ in range(1000)]
    assert np.bincount(served).tolist() == pytest.approx([500, 300, 200], abs=2)


def test_a_class_that_was_idle_has_saved_up_nothing():
    line = WaitingLine(ServiceClasses(("a", "b"), discipline=Discipline.WEIGHTED))
    for _ in range(100):
        line.push("a", 0, 0)
    for _ in range(50):
        line.pop(0)
    for _ in range(50):
        line.push("b", 1, 0)
    assert abs([line.pop(0) for _ in range(40)].count("b") - 20) <= 1


@given(st.lists(st.integers(0, 2) | st.none(), max_size=60), st.sampled_from(Discipline), st.none() | st.integers(1, 9))
def test_everybody_is_served_once_and_no_class_out_of_order(steps, discipline, patience):
    line = WaitingLine(ServiceClasses(("a", "b", "c"), discipline=discipline, starvation_limit_us=patience))
    served, pushed = [], 0
    for now, step in enumerate(steps):
        if step is not None:
            line.push((step, pushed), step, now)
            pushed += 1
        elif len(line):
            served.append(line.pop(now))
    served += drained(line, len(steps))
    assert len(served) == pushed
    for service_class in range(3):
        mine = [number for one, number in served if one == service_class]
        assert mine == sorted(mine)


def test_the_class_comes_from_header_label_or_route():
    classes = ServiceClasses(
        ("urgent", "normal", "bulk"),
        (
            ClassRule("urgent", headers={"Scene": "hard"}),
            ClassRule("bulk", caller_labels={"app": "archive"}),
            ClassRule("bulk", routes=frozenset({"nightly"})),
        ),
        default="normal",
    )
    plain, hard = HttpRequest(HOST), HttpRequest(HOST, headers={"scene": "hard"})
    assert classes.number(hard, {"app": "archive"}) == 0
    assert [classes.number(plain, {"app": "archive"}), classes.number(plain, {}, "nightly"), classes.number(plain, {})] == [
        2,
        2,
        1,
    ]


def mean_waits_ms(shape, seed, load=(0.35, 0.35), count=24_000):
    """Of the urgent and of the rest, at one server with a mean time of service of 10 ms."""
    hard = HttpRequest(HOST, headers={"scene": "hard"})
    requests = [
        *poisson(load[0] * 100, round(count * load[0] / sum(load)), seed, http=hard),
        *poisson(load[1] * 100, round(count * load[1] / sum(load)), seed + 1000),
    ]
    behaviours = working(10.0, shape, concurrency=1)
    attempts = simulate(mesh_of(1), requests, behaviours, seed, controls=Controls(classes=TWO)).calls.attempts
    waits = (attempts.work_start_us - attempts.arrived_us) / 1000
    return [float(waits[attempts.service_class == one].mean()) for one in (0, 1)]


@pytest.mark.parametrize(("shape", "second_moment"), [(Shape.EXPONENTIAL, 2.0), (Shape.CONSTANT, 1.0)])
def test_waits_by_class_are_those_of_cobham(shape, second_moment):
    # Cobham, Operations Research 2 (1954): W_k = W_0 / ((1 - s_(k-1)) (1 - s_k)), W_0 = lambda E[S^2] / 2.
    urgent, both = 0.35, 0.7
    left_ms = both * 10.0 * second_moment / 2
    expected = [left_ms / (1 - urgent), left_ms / ((1 - urgent) * (1 - both))]
    seen = np.mean([mean_waits_ms(shape, seed) for seed in (1, 2)], axis=0)
    assert seen == pytest.approx(expected, rel=0.08)


def test_classes_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="did you mean 'urgent'"):
        ServiceClasses(("urgent", "bulk"), (ClassRule("urgnet"),))
    with pytest.raises(InputError, match="each once"):
        ServiceClasses(("a", "a"))
    with pytest.raises(InputError, match="above zero"):
        ServiceClasses(("a",), weights={"a": 0})
