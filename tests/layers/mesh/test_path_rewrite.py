"""Paths are rewritten as RE2 does it.  The first texts are those of RE2's tests of GlobalReplace, with a slash before."""

import pytest

from skyedge.layers.mesh.http_match import How, StringMatch
from skyedge.layers.mesh.path_rewrite import replaced_path, rewritten_path


@pytest.mark.parametrize(
    ("pattern", "substitution", "path", "replaced"),
    [
        (r"(qu|[b-df-hj-np-tv-z]*)([a-z]+)", r"\2\1ay", "/the quick", "/ethay ickquay"),
        (r"\w+", r"\0-NOSPAM", "/abcd.efghi", "/abcd-NOSPAM.efghi-NOSPAM"),
        (r"^", "(START)", "/foo", "(START)/foo"),
        (r"$", "(END)", "/", "/(END)"),
        (r"b", "bb", "/ababababab", "/abbabbabbabbabb"),
        (r"b*", "bb", "/aaaaa", "bb/bbabbabbabbabbabb"),
        (r"b*", "bb", "/aabb", "bb/bbabbabb"),
        (r".*", "/new", "/old/1", "/new"),
        (r"a*?", "(x)", "/aa", "(x)/(x)a(x)a(x)"),
        (r"/(\d)?b", r"[\1]", "/b/1b", "[][1]"),
        (r"/(.)", r"/\10\\", "/a?/b", "/a0\\?/b"),
        (r"x", r"\g<0>\n", "/x", r"/\g<0>\n"),
    ],
)
def test_matches_are_replaced_before_the_query_as_re2_does_it(pattern, substitution, path, replaced):
    assert replaced_path(pattern, substitution, path) == replaced


@pytest.mark.parametrize(
    ("uri", "new", "path", "rewritten"),
    [
        (StringMatch(How.PREFIX, "/api/"), "/", "/api/v1/cats?q=/api/", "/v1/cats?q=/api/"),
        (StringMatch(How.PREFIX, "/api"), "/", "/api/v1", "//v1"),
        (StringMatch(How.PREFIX, "/api"), "/v2/", "/apis", "/v2/s"),
        (StringMatch(How.EXACT, "/api"), "/", "/api?q", "/?q"),
        (StringMatch(How.REGEX, "/a.*"), "/b", "/a/1/2", "/b"),
        (None, "/v1", "/cats", "/v1cats"),
    ],
)
def test_a_rewrite_puts_the_new_text_exactly_where_the_condition_matched(uri, new, path, rewritten):
    assert rewritten_path(uri, new, path) == rewritten
