"""Annotations say how endpoints behave, and one that says nothing sensible is named with its place."""

import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.reading import read_behaviours, read_controls, read_mesh
from skyedge.layers.mesh.traffic import By, Shape
from tests.layers.mesh.written_meshes import A, manifests, pod, service


def test_annotations_say_how_endpoints_behave():
    quick = pod(
        "a3", "a", service_time="5ms", service_time_shape="constant", failing="0.2", failing_from="1s", calls="b:0.5"
    )
    limited = service("b", extra=", annotations: {skyedge.io/rate-limit: 10/second by source, skyedge.io/concurrency: '3'}")
    given = manifests(*A, quick, limited, pod("b1", "b"))
    reading = read_mesh(given)
    behaviours = read_behaviours(given, reading)
    one = behaviours.of("a.default.svc.cluster.local", "a3")
    assert (one.service_time.mean_ms, one.service_time.shape) == (5, Shape.CONSTANT)
    assert (one.failing[0].share, one.failing[0].start_us) == (0.2, 1_000_000)
    assert (one.calls[0].service, one.calls[0].count) == ("b.default.svc.cluster.local", 0.5)
    assert behaviours.of("b.default.svc.cluster.local", "b1").concurrency == 3
    (limit,) = read_controls(given, reading).rate_limits["b.default.svc.cluster.local"]
    assert (limit.bucket.max_tokens, limit.by) == (10, By.SOURCE)


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ({"service_time": "5"}, "skyedge.io/service-time']: '5' is no duration"),
        (
            {"servce_time": "5ms"},
            "there is no annotation 'skyedge.io/servce-time' (did you mean 'skyedge.io/service-time'?)",
        ),
        ({"failing": "2"}, "a share is from 0 to 1, and 2 is not"),
        ({"failing_from": "2s"}, "this means nothing without skyedge.io/failing"),
        ({"calls": "x"}, "there is no service 'x'"),
        ({"service_time_shape": "normal"}, "this should be one of constant"),
        ({"concurrency": "0"}, "this should be a whole number of at least 1"),
    ],
)
def test_an_annotation_that_says_nothing_sensible_is_one_sentence_with_its_place(annotations, sentence):
    given = manifests(*A, pod("a3", "a", **annotations))
    with pytest.raises(InputError) as error:
        read_behaviours(given, read_mesh(given))
    assert str(error.value).startswith("f.yaml:")
    assert sentence in str(error.value)
