"""Which of equally good nodes is taken: the first by name, or by a seed."""

from __future__ import annotations

from collections import Counter

import pytest

from skyedge.layers.scheduler import Configuration, PluginOption, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodShape, Queue

SHAPE = PodShape((("cpu", 1),))


def binds(*plugins, pods=40):
    """The nodes that pods go to, in the order of the pods, on four nodes that are alike and never full."""
    nodes = [Node(f"n{number}", {"cpu": 1000}) for number in range(4)]
    waiting = [Pod(f"p{number:03d}", "g", SHAPE) for number in range(pods)]
    snapshot = take_snapshot(nodes, waiting, [PodGroup("g")], [Queue("default")])
    bound = dict(schedule(snapshot, Configuration(("allocate",), tiers_of(plugins))).binds())
    return [bound[pod.name] for pod in waiting]


def test_without_a_word_the_first_by_name_is_taken():
    assert set(binds("predicates")) == {"n0"}


@pytest.mark.parametrize("name", ["seeded-ties", "random"])
def test_with_a_seed_each_is_taken_about_as_often_as_another(name):
    counts = Counter(binds(PluginOption(name, arguments={"seed": 1}), pods=2000))
    # Chi-squared with three degrees of freedom: above 16.3 once in a thousand.
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 16.3
    assert len(counts) == 4


def test_the_same_seed_chooses_the_same_and_another_one_others():
    first, again, other = (binds(PluginOption("seeded-ties", arguments={"seed": seed})) for seed in (1, 1, 2))
    assert first == again != other


def test_only_ties_are_broken():
    spread = binds("seeded-ties", PluginOption("binpack"))
    assert len(set(spread)) == 1
