"""Names are those of Kubernetes' API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.kube.object_names import check_label_key, check_label_value, check_labels, check_object_name, check_path_word
from skyedge.kube.problem import Problem


def refused(check, text):
    try:
        check(text)
    except Problem:
        return True
    return False


@pytest.mark.parametrize("key", ["app", "MyName", "my.name", "123-abc", "example.com/MyName", "a" * 63, "a/" + "b" * 63])
def test_a_label_is_called_by_a_word_and_perhaps_a_domain_before_it(key):
    assert not refused(check_label_key, key)


@pytest.mark.parametrize("key", ["", "-a", "a-", "a@b", "a~b", "a" * 64, "/a", "a/", "a/b/c", "A.com/b", "a..b/c", "a b"])
def test_a_label_is_not_called_otherwise(key):
    assert refused(check_label_key, key)


def test_a_value_may_be_empty_and_is_a_word_otherwise():
    assert not refused(check_label_value, "")
    assert not refused(check_label_value, "v1.2_x")
    assert all(refused(check_label_value, value) for value in ("a!", "-a", "a/b", "a" * 64))


def test_the_first_label_that_cannot_be_is_named():
    with pytest.raises(Problem) as wrong:
        check_labels({"a": "b", "c~d": "e"})
    assert wrong.value.path == ("c~d",)


def test_an_object_is_called_by_a_domain_and_a_word_of_a_path_by_anything_but_what_paths_need():
    assert not refused(check_object_name, "web-1.example")
    assert all(refused(check_object_name, name) for name in ("", "a/b", "A", "-a", "a" * 254))
    assert not refused(check_path_word, "My~Kind")
    assert all(refused(check_path_word, word) for word in ("", ".", "..", "a/b", "a%2f"))


@given(st.text(max_size=70))
def test_whatever_is_a_value_is_a_key_too_but_for_none_at_all(text):
    assert text == "" or refused(check_label_value, text) == refused(check_label_key, text) or "/" in text
