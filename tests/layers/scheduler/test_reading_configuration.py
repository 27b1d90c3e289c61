"""A scheduler configuration is found wherever manifests have it, and what is wrong in it is told with its place."""

import json

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import parse_manifests
from skyedge.layers.scheduler import DEFAULT
from skyedge.layers.scheduler.reading import read_configuration
from tests.layers.scheduler.written_clusters import thing


def test_a_configuration_is_found_bare_or_in_its_config_map():
    conf = {"actions": "allocate", "tiers": [{"plugins": [{"name": "gang", "enablePreemptable": False}]}]}
    bare = read_configuration(parse_manifests(yaml.safe_dump(conf)))
    data = {"volcano-scheduler.conf": yaml.safe_dump(conf)}
    held = read_configuration(parse_manifests(json.dumps(thing("v1", "ConfigMap", "c", data=data))))
    assert bare == held
    assert bare.actions == ("allocate",)
    assert "preemptable" not in bare.tiers[0][0].points
    assert read_configuration(parse_manifests("")) == DEFAULT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("actions: alocate\ntiers: []", "did you mean 'allocate'?"),
        ("tiers: [{plugins: [{name: gnag}]}]", "did you mean 'gang'?"),
        ("tiers: [{plugins: [{name: gang, enablePreemptible: true}]}]", "did you mean 'enablePreemptable'?"),
        ("tiers: [{plugins: [{name: gang, arguments: {x: 1}}]}]", "has no argument 'x'"),
        ("tiers: gang", "tiers: this should be a list"),
        ("tier: []\nactions: allocate", "did you mean 'tiers'?"),
        ("actions: allocate\n---\nactions: allocate", "there is a scheduler configuration already"),
    ],
)
def test_a_wrong_configuration_is_told_with_its_place(text, words):
    with pytest.raises(InputError) as error:
        read_configuration(parse_manifests(text, file="conf.yaml"))
    assert words in str(error.value)
    assert str(error.value).startswith("conf.yaml:")
