"""Paths that mean the same are written the same, and that once and for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.path_normalization import normalized


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/../../a", "/a"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/..", "/"),
        ("/%61%2Fb", "/a%2Fb"),
        ("/a\\b", "/a/b"),
        ("/a//b/./c", "/a//b/c"),
        ("/a/..b/...", "/a/..b/..."),
        ("/a?x=/../%61", "/a?x=/../%61"),
        ("/a/../b?x=/../c", "/b?x=/../c"),
        ("/100%", "/100%"),
    ],
)
def test_dots_are_followed_and_needless_escapes_undone_before_the_query(path, same):
    assert normalized(path) == HttpRequest("a", path).path == same


@given(st.lists(st.sampled_from(["a", ".", "..", "", "%2e", "%2E.", "b%2Fc", "\\", "?"]), max_size=8))
def test_a_normalized_path_is_its_own_normalized_form_and_leads_nowhere_up(parts):
    once = normalized("/" + "/".join(parts))
    assert normalized(once) == once
    assert not {".", ".."} & set(once.partition("?")[0].split("/"))
