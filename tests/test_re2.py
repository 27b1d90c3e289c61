"""RE2's expressions mean here what its syntax page says; what it has not is refused, whatever Python makes of it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skyedge.re2 import NotRe2, compiled


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        (r"/abc\z", "/abc", "/abcz"),
        (r"/[[:alpha:]]+", "/aZ", "/a1"),
        (r"/[^[:digit:]x]+", "/ab", "/ax"),
        (r"/[[:^digit:]]+", "/aé", "/a1"),
        (r"/(?<n>a)(?P<m>b)", "/ab", "/a"),
        (r"/\Qa.(b\E+", "/a.(bb", "/axb"),
        (r"/\Qa.b", "/a.b", "/axb"),
        (r"(?i)/abc", "/ABC", "/AB"),
        (r"/a(?i)b|c", "/aB", "/AB"),
        (r"/a(?i)b|c", "C", "/c"),
        (r"(/a(?i)b)c", "/aBc", "/aBC"),
        (r"(?i:/a)b", "/Ab", "/AB"),
        (r"/\w+\d", "/a1", "/é1"),
        (r"/\d", "/3", "/٣"),
        (r"/a{,3}", "/a{,3}", "/aa"),
        (r"/a{2,3}?", "/aa", "/a"),
        (r"[]a]+", "]a", "[a"),
        (r"[a&&b[~|]+", "&[|~b", "c"),
        (r"/[(?=*+]+", "/(?=*+", "/a"),
        (r"/\++", "/++", "/"),
        (r"/\x{e9}\x41", "/éA", "/eA"),
        (r"/[\]\\]", "/]", "/["),
        (r"/\pL+", "/aé", "/a1"),
    ],
)
def test_what_re2_has_means_what_it_means_there(pattern, fits, fits_not):
    assert compiled(pattern).fullmatch(fits)
    assert not compiled(pattern).fullmatch(fits_not)


@pytest.mark.parametrize(
    "pattern",
    [
        *("a(?=b)", "(?<!a)b", "(?>a)", r"(a)\1", r"(?P<n>a)(?P=n)", "/a++", "/a{2}+", "a{1001}", "(?x)a"),
        *("[[:letter:]]", r"a\Z", "(", "a)", "[a", "a**", "a\\", "(?:" * 5000),
    ],
)
def test_what_re2_has_not_is_refused(pattern):
    with pytest.raises(NotRe2) as error:
        compiled(pattern)
    assert str(error.value).startswith("is not a regular expression of RE2")
    assert len(str(error.value)) < 160


def test_a_letter_that_is_none_is_refused():
    with pytest.raises(NotRe2, match="has a letter that is none"):
        compiled("/\ud800")


def test_no_expression_takes_for_ever():
    # Python's engine tries 2 to the number of letters.
    assert not compiled("(a+)+b").fullmatch("a" * 5000)


@given(st.text("ab.*+?()[]{}|^$\\,1:-<>Pi=!Qpzd\n", max_size=12))
@example("[^")
@example("(?")
@example("\\x{")
def test_any_text_is_compiled_or_refused(text):
    said = ""
    try:
        compiled(text)
    except NotRe2 as error:
        said = str(error)
    assert not said or said.startswith("is not a regular expression of RE2")


PLAIN = st.recursive(
    st.sampled_from(["a", "b", ".", r"\.", "[ab]", "[^a]"]),
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{})*".format, inner),
    ),
    max_leaves=5,
)


@given(PLAIN, st.text("ab.", max_size=5))
def test_what_both_engines_have_is_left_as_it_is(pattern, text):
    assert bool(compiled(pattern).fullmatch(text)) == bool(re.compile(pattern).fullmatch(text))
    assert compiled(pattern).groups == re.compile(pattern).groups
