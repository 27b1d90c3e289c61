from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.mesh.delegates import conflict, merge, merge_all
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch

words = st.text("ab", max_size=2)
texts = st.builds(StringMatch, st.sampled_from([How.EXACT, How.PREFIX]), words)
conditions = st.builds(
    HttpMatch,
    method=st.none() | texts,
    headers=st.dictionaries(words, texts, max_size=2),
    port=st.sampled_from([0, 80, 81]),
    source_labels=st.dictionaries(words, words, max_size=2),
)
requests = st.builds(
    HttpRequest,
    st.just("h"),
    method=words,
    port=st.sampled_from([80, 81]),
    headers=st.dictionaries(words, words, max_size=2),
    source_labels=st.dictionaries(words, words, max_size=2),
)


@given(conditions, conditions, requests)
def test_what_two_agreeing_conditions_mean_together_is_that_both_hold(root, leaf, request):
    if not conflict(root, leaf):
        assert merge(root, leaf).holds(request) == (root.holds(request) and leaf.holds(request))


@given(conditions)
def test_conditions_agree_with_themselves(condition):
    assert not conflict(condition, condition)
    assert merge(condition, condition) == condition


def test_without_conditions_on_one_side_the_others_stand():
    some = (HttpMatch(port=80),)
    assert merge_all(some, ()) == some
    assert merge_all((), some) == some
    assert merge_all(some, (HttpMatch(port=81),)) is None
