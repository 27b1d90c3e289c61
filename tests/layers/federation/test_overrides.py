"""Names of images and changes of manifests."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.images import Image, parse_image, split_registry
from skyedge.layers.federation.overrides import (
    ImageComponent,
    ImageOverride,
    JsonPatch,
    Operator,
    apply_json_patch,
    override_image,
    override_images,
    override_list,
    override_map,
)

DIGEST = "sha256:" + "0a" * 32
IMAGES = st.builds(
    Image,
    st.sampled_from(["", "localhost", "r.example", "r.example:5000", "host:80"]),
    st.from_regex(r"[a-z0-9]{1,4}(/[a-z0-9]{1,4}(-[a-z]{1,2})?){0,2}", fullmatch=True).filter(
        lambda name: not name.startswith("localhost")
    ),
    st.sampled_from(["", "v1.0", "latest"]),
)


@given(IMAGES)
def test_a_name_is_put_together_as_it_was_taken_apart(image):
    assert parse_image(str(image)) == image


def test_what_stands_before_the_first_slash_is_a_registry_only_if_it_looks_like_a_host():
    assert split_registry("library/nginx") == ("", "library/nginx")
    assert split_registry("localhost/nginx") == ("localhost", "nginx")
    assert parse_image(f"r.example:5000/a/b@{DIGEST}") == Image("r.example:5000", "a/b", digest=DIGEST)
    assert parse_image(f"nginx:v1@{DIGEST}") == Image("", "nginx", "v1")


@pytest.mark.parametrize("name", ["", "Nginx", "nginx:", "nginx:a b", "nginx@sha256:12", "r.example/", "nginx@"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InputError, match="no name of an image"):
        parse_image(name)


@pytest.mark.parametrize(
    ("component", "operator", "value", "expected"),
    [
        ("Registry", "replace", "r2.example", "r2.example/app:v1"),
        ("Registry", "remove", "", "app:v1"),
        ("Repository", "add", "-arm", "r.example/app-arm:v1"),
        ("Tag", "add", "-arm", "r.example/app:v1-arm"),
        ("Tag", "replace", DIGEST, f"r.example/app@{DIGEST}"),
        ("Tag", "replace", "no tag", "r.example/app:v1"),
        ("Tag", "remove", "", "r.example/app"),
    ],
)
def test_one_component_of_an_image_is_changed(component, operator, value, expected):
    override = ImageOverride(ImageComponent(component), Operator(operator), value)
    assert override_image("r.example/app:v1", override) == expected


def test_only_the_container_that_is_meant_is_changed():
    override = ImageOverride(ImageComponent.TAG, Operator.REPLACE, "v2", only_container=1)
    assert override_images(["a:v1", "b:v1"], override) == ["a:v1", "b:v2"]
    with pytest.raises(InputError, match="no container 1"):
        override_images(["a:v1"], override)


WORDS = st.lists(st.sampled_from("abc"))
MAPS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))


@given(WORDS, WORDS)
def test_a_list_is_appended_to_or_loses_every_equal_item(current, value):
    assert override_list(current, Operator.ADD, value) == current + value
    assert override_list(current, Operator.REMOVE, value) == [word for word in current if word not in set(value)]


def test_a_list_knows_no_replace():
    with pytest.raises(InputError, match="'add' or 'remove'"):
        override_list([], Operator.REPLACE, [])


@given(MAPS, MAPS)
def test_replace_and_remove_touch_only_keys_that_are_there(current, value):
    assert override_map(current, Operator.ADD, value) == current | value
    assert override_map(current, Operator.REPLACE, value).keys() == current.keys()
    assert override_map(current, Operator.REMOVE, value).keys() == current.keys() - value.keys()


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [  # from the examples of RFC 6902, appendix A
        ({"foo": "bar"}, ("add", "/baz", "qux"), {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, ("add", "/foo/1", "qux"), {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, ("remove", "/baz", None), {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, ("remove", "/foo/1", None), {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, ("replace", "/baz", "boo"), {"baz": "boo", "foo": "bar"}),
        ({"foo": "bar"}, ("add", "/child", {"grandchild": {}}), {"foo": "bar", "child": {"grandchild": {}}}),
        ({"/": 9, "~1": 10}, ("replace", "/~01", 11), {"/": 9, "~1": 11}),
        ({"foo": ["bar"]}, ("add", "/foo/-", ["abc", "def"]), {"foo": ["bar", ["abc", "def"]]}),
        ({"foo": 1}, ("replace", "", [2]), [2]),
    ],
)
def test_json_patches_do_as_the_standard_says(document, patch, expected):
    before = copy.deepcopy(document)
    operator, path, value = patch
    assert apply_json_patch(document, [JsonPatch(Operator(operator), path, value)]) == expected
    assert document == before


@pytest.mark.parametrize("path", ["/baz/bat", "/foo/x", "/list/2", "/list/01", "/list/-", "foo"])
def test_a_patch_that_leads_nowhere_is_refused(path):
    with pytest.raises(InputError):
        apply_json_patch({"foo": "bar", "list": [1, 2]}, [JsonPatch(Operator.REPLACE, path, 1)])
