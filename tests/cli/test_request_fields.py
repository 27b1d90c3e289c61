"""What a request may have in its fields, and the sentence for everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.cli.request_fields import (
    headers_of,
    host_of,
    method_of,
    path_of,
    port_of,
    scheme_of,
    seconds_of,
    truth_of,
)
from skyedge.cli.route_requests import read_requests
from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.reading import read_mesh

READERS = (headers_of, host_of, method_of, path_of, port_of, scheme_of, seconds_of, truth_of)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from(READERS), ANYTHING | st.just(10**400))
def test_whatever_is_there_is_read_or_refused_with_its_place(read, value):
    said = ""
    try:
        read(value, "here")
    except InputError as error:
        said = str(error)
    assert not said or (said.startswith("here: ") and len(said.splitlines()) == 1)


@pytest.mark.parametrize(
    ("read", "written", "value"),
    [
        (host_of, "shop.example:8080", "shop.example:8080"),
        (host_of, "[::1]:80", "[::1]:80"),
        (path_of, "/a?b=1#c", "/a?b=1#c"),
        (path_of, "*", "*"),
        (method_of, "get", "GET"),
        (method_of, "M-SEARCH", "M-SEARCH"),
        (scheme_of, "HTTPS", "https"),
        (headers_of, "X-User=jo; cookie=a=1;", {"x-user": "jo", "cookie": "a=1"}),
        (headers_of, {"X-Empty": ""}, {"x-empty": ""}),
        (port_of, "80", 80),
        (seconds_of, "0.5", 0.5),
        (truth_of, "true", True),
        (truth_of, False, False),
    ],
)
def test_what_http_has_is_read(read, written, value):
    assert read(written, "here") == value


@pytest.mark.parametrize(
    ("read", "written", "sentence"),
    [
        (host_of, "http://shop/x", "is a whole address"),
        (host_of, "shop/x", "a host has no '/'"),
        (host_of, "a b", "a host has no ' '"),
        (host_of, "shop:", "ends without its port"),
        (host_of, "shop:99999", "a port is a whole number from 1 to 65535"),
        (path_of, "x", "a path begins with a slash"),
        (path_of, "/a b", "a path has no blanks, and '/a b' does; one is written %20"),
        (method_of, "GE T", "'GE T' is no method"),
        (scheme_of, "htps", "a scheme is http or https, not 'htps' .did you mean 'https'"),
        (headers_of, ["x"], "headers are texts by name"),
        (headers_of, {"x": 1}, "headers are texts by name"),
        (headers_of, "x", "headers are written like"),
        (headers_of, "x=1;X=2", "the header 'X' is there twice"),
        (headers_of, {":path": "/"}, "':path' is no name of a header"),
        (port_of, "²", "a port is a whole number"),
        (port_of, 80.0, "a port is a whole number"),
        (seconds_of, float("nan"), "a number of seconds from 0 to 1,000,000,000, not nan"),
        (seconds_of, 10**400, "not '1000"),
        (truth_of, "yes", "true or false, not 'yes'"),
    ],
)
def test_what_it_has_not_is_refused(read, written, sentence):
    with pytest.raises(InputError, match=sentence):
        read(written, "here")


SHOP = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{port: 80}]}
"""


@pytest.fixture
def asked(tmp_path):
    """The paths of the requests in a file of that name."""
    reading = read_mesh(parse_manifests(SHOP, file="f.yaml", kinds=MESH))

    def read(name, content):
        (tmp_path / name).write_bytes(content.encode())
        found = read_requests(str(tmp_path / name), reading, Caller("me", namespace="default"), 100.0)
        return [one.http.path for one in found]

    return read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_of_csv_end_as_they_like(asked, end, mark):
    assert asked("r.csv", mark + end.join(["host,path", "shop,/a", "", "shop,/b", ""])) == ["/a", "/b"]


def test_a_line_of_json_ends_where_json_says(asked):
    line = '{"host": "shop", "path": "/a", "headers": {"x": "\u2028"}}\r\n'
    assert asked("r.jsonl", line * 2) == ["/a", "/a"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("host,path,host\nshop,/,a\n", "r.csv:1: there is a column 'host' already"),
        ('host\n"shop\n', "r.csv:[0-9]: this is not CSV: unexpected end of data"),
        ("host,path\nshop,/" + "x" * 200_000, "r.csv:[0-9]: this is not CSV: field larger"),
        ("host\n\n", "there is no request in this"),
    ],
)
def test_csv_that_is_none_is_said_with_its_line(asked, content, sentence):
    with pytest.raises(InputError, match=sentence):
        asked("r.csv", content)
