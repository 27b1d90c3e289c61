import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.traffic.retry_budget import RetriesInHand, RetryBudget, backoff_s


def test_the_budget_is_a_fifth_of_the_requests_in_hand_but_at_least_three():
    assert [RetryBudget().most(count) for count in (0, 15, 19, 20, 100)] == [3, 3, 3, 4, 20]


@given(
    st.one_of(st.integers(0, 5), st.builds(RetryBudget, st.floats(0, 100), st.integers(0, 5))),
    st.lists(st.integers(0, 50) | st.none(), max_size=50),
)
def test_no_retry_is_taken_beyond_the_limit(limit, steps):
    retries = RetriesInHand(limit)
    for in_hand in steps:
        if in_hand is None:
            if retries.count:
                retries.give_back()
            continue
        most = limit if isinstance(limit, int) else limit.most(in_hand)
        before = retries.count
        assert retries.take(in_hand) is (before < most)
        assert retries.count == before + (before < most)


def test_the_longest_wait_doubles_with_each_retry_up_to_ten_bases():
    longest = [backoff_s(retry, 1.0) for retry in (1, 2, 3, 4, 5, 9)]
    assert longest == pytest.approx([0.025, 0.050, 0.100, 0.200, 0.250, 0.250])
    assert backoff_s(2, 0.5, base_s=0.1) == pytest.approx(0.1)


@pytest.mark.parametrize(("percent", "least"), [(-1, 3), (101, 3), (20, -1)])
def test_a_budget_that_makes_no_sense_is_refused(percent, least):
    with pytest.raises(InputError):
        RetryBudget(percent, least)
