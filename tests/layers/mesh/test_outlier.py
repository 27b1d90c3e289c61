import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector

HOSTS = tuple(f"h{number}" for number in range(5))
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(HOSTS), st.sampled_from([200, 500, 503]), st.integers(1, 6)),
        st.none(),
    ),
    max_size=40,
)


@given(steps, st.sampled_from([0, 20, 40, 60, 100]))
def test_no_more_than_its_share_is_out_but_one_may_always_go(history, percent):
    detector = OutlierDetector(HOSTS, OutlierConfig(consecutive_5xx=3, max_ejection_percent=percent))
    for second, step in enumerate(history):
        if step is None:
            detector.sweep(second * 1000)
        else:
            detector.observe(step[0], step[1], second * 1000, step[2])
        assert len(detector.ejected) <= max(1, percent * len(HOSTS) / 100)


@given(st.integers(1, 8), st.integers(0, 20))
def test_a_host_goes_at_the_limit_and_a_good_answer_starts_the_count_again(limit, errors):
    detector = OutlierDetector(["a"], OutlierConfig(consecutive_5xx=limit))
    detector.observe("a", 500, 0, limit - 1)
    detector.observe("a", 200, 0)
    detector.observe("a", 500, 0, errors)
    assert bool(detector.ejected) is (errors >= limit)


def out_for_ms(detector: OutlierDetector, start_ms: int) -> int:
    detector.observe("a", 500, start_ms, detector.config.consecutive_5xx)
    assert detector.ejected == ("a",)
    for at_ms in range(start_ms, start_ms + 1_000_000, 10_000):
        detector.sweep(at_ms)
        if not detector.ejected:
            return at_ms - start_ms
    raise AssertionError("it never came back")


def test_ejections_grow_up_to_the_longest_and_are_forgiven_while_it_serves():
    detector = OutlierDetector(["a"])
    lengths, at_ms = [], 0
    for _ in range(12):
        lengths.append(out_for_ms(detector, at_ms))
        at_ms += lengths[-1] + 1
    assert lengths == [min(30_000 * times, 300_000) for times in range(1, 13)]
    for _ in range(20):
        detector.sweep(at_ms)
    assert out_for_ms(detector, at_ms) == 30_000


def test_gateway_errors_have_a_limit_of_their_own():
    detector = OutlierDetector(["a", "b"], OutlierConfig(consecutive_5xx=0, consecutive_gateway_errors=2))
    detector.observe("a", 500, 0, 50)
    assert detector.ejected == ()
    detector.observe("a", 503, 0, 2)
    assert detector.ejected == ("a",)


def test_the_longest_ejection_is_five_minutes_or_the_base_if_that_is_longer():
    assert OutlierConfig(base_ejection_time_ms=1000).longest_ejection_ms == 300_000
    assert OutlierConfig(base_ejection_time_ms=400_000).longest_ejection_ms == 400_000


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="shorter"):
        OutlierConfig(base_ejection_time_ms=10, max_ejection_time_ms=5)
    with pytest.raises(InputError, match="percent"):
        OutlierConfig(max_ejection_percent=101)
    with pytest.raises(InputError, match="twice"):
        OutlierDetector(["a", "a"])
    with pytest.raises(InputError, match="alpha"):
        OutlierDetector(["alpha"]).observe("alpa", 200, 0)


def test_a_host_that_is_forgotten_is_neither_out_nor_counted():
    detector = OutlierDetector(HOSTS[:4], OutlierConfig(consecutive_5xx=1, max_ejection_percent=50))
    for host in HOSTS[:3]:
        detector.observe(host, 500, 0)
    assert detector.ejected == ("h0", "h1")
    for host in ("h0", "h1", "nobody"):
        detector.forget(host)
    assert detector.ejected == ()
    detector.observe("h2", 500, 1)
    detector.observe("h3", 500, 1)
    assert detector.ejected == ("h2",)


def test_a_count_that_reached_its_limit_in_vain_starts_again_and_the_other_goes_on():
    limits = OutlierConfig(consecutive_5xx=5, consecutive_gateway_errors=3, max_ejection_percent=0)
    detector = OutlierDetector(["first", "second"], limits)
    detector.observe("first", 500, 0, 5)
    detector.observe("second", 503, 0, 3)  # one is out already, and there is no room for another
    detector.observe("first", 200, 1)
    detector.sweep(40_000)
    assert detector.ejected == ()
    detector.observe("second", 500, 40_000)
    assert detector.ejected == ()
    detector.observe("second", 500, 40_000)  # the fifth error in a row, as the gateway errors count among them
    assert detector.ejected == ("second",)
