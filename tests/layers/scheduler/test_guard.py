"""A plugin that a user brings fails with one sentence that names it and what it was asked."""

from __future__ import annotations

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.layers.scheduler import Configuration, schedule, take_snapshot
from skyedge.layers.scheduler.configuration import PluginOption, make_plugin, tiers_of
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.plugin import Plugin, Vote

ONE = PodShape((("cpu", 1000),))


def decided(plugin: type) -> dict[str, str]:
    """The binds of a cycle with the plugin in it, in which every action has something to think about."""
    nodes = [Node(name, {"cpu": 2000}) for name in ("a", "b")]
    groups = [PodGroup("low", min_member=0), *(PodGroup(n, min_resources={"cpu": 1000}, priority=9) for n in ("x", "y"))]
    pods = [Pod(f"low-{name}", "low", ONE, PodPhase.RUNNING, name) for name in ("a", "b")]
    pods += [Pod(f"{name}-{row}", name, ONE) for name in ("x", "y") for row in range(2)]
    option = PluginOption(f"{plugin.__module__}:{plugin.__qualname__}")
    policy = Configuration(("enqueue", "allocate", "preempt", "shuffle"), tiers_of((option,), ("gang", "priority")))
    return dict(schedule(take_snapshot(nodes, pods, groups, [Queue("default")]), policy).binds())


class Honest(Plugin):
    name = "honest"
    packs = True

    def node_order(self, pod, nodes):
        return np.array([float(node) for node in nodes])

    def job_enqueued(self, group):
        return Vote.PERMIT

    def job_order(self, group):
        return (0, (1.5, True))


class Raises(Plugin):
    def node_order(self, pod, nodes):
        raise RuntimeError("boom")


class OpensBadly(Plugin):
    def open(self, session):
        raise KeyError("nothing")


class NotNumbers(Plugin):
    def node_order(self, pod, nodes):
        return np.full(len(nodes), np.nan)


class TooMany(Plugin):
    def node_order(self, pod, nodes):
        return np.zeros(len(nodes) + 2)


class Numbers(Plugin):
    def predicate(self, pod):
        return [1] * len(self.session.snapshot.nodes)


class Nothing(Plugin):
    def predicate(self, pod):
        return None


class Unlike(Plugin):
    def job_order(self, group):
        return (1, 2) if group else 1


class Words(Plugin):
    def queue_order(self, queue):
        return "first"


class Many(Plugin):
    def allocatable(self, queue, shape):
        return "many"


class Seven(Plugin):
    def job_valid(self, group):
        return 7


class Yes(Plugin):
    def job_enqueued(self, group):
        return "yes"


class Strangers(Plugin):
    def victims(self, running):
        return [999]


class Lists(Plugin):
    def distinguishes(self, pod):
        return []

    def predicate_now(self, pod, nodes):
        return np.ones(len(nodes), bool)


def test_a_plugin_that_answers_as_it_should_is_served():
    assert decided(Honest) == {"x-0": "b", "y-0": "a"}


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Raises, "failed in node_order (RuntimeError: boom)"),
        (OpensBadly, "failed in open (KeyError: 'nothing')"),
        (NotNumbers, "node_order of this plugin should give a finite number for each of the nodes"),
        (TooMany, "node_order of this plugin should give a number for each of 2 nodes"),
        (Numbers, "predicate of this plugin should give true or false for each of the nodes, not int64"),
        (Nothing, "predicate of this plugin should give true or false for each of 2 nodes"),
        (Unlike, "job_order of this plugin should give keys of one form"),
        (Words, "queue_order of this plugin should give a number, or a tuple of numbers, not 'first'"),
        (Many, "allocatable of this plugin should give a whole number, not 'many'"),
        (Seven, "job_valid of this plugin should give a clause, or None, not 7"),
        (Yes, "job_enqueued of this plugin should give a Vote, not 'yes'"),
        (Strangers, "victims of this plugin should give some of the running pods"),
        (Lists, "distinguishes of this plugin should give something that can be a key of a dictionary, not []"),
    ],
)
def test_a_plugin_that_fails_is_named_with_what_it_was_asked(plugin, said):
    with pytest.raises(InputError) as error:
        decided(plugin)
    assert said in str(error.value)
    assert error.value.where is not None
    assert error.value.where.endswith(f":{plugin.__name__}")


class NoPlugin:
    """Something else."""


class WithoutArguments(Plugin):
    def __init__(self):
        pass


@pytest.mark.parametrize(("found", "said"), [(NoPlugin, "this is no plugin"), (WithoutArguments, "cannot be made")])
def test_what_is_no_plugin_is_refused(found, said):
    with pytest.raises(InputError, match=said):
        make_plugin(PluginOption(f"{__name__}:{found.__name__}"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "x", None, [1]])
def test_an_argument_that_is_no_number_is_refused_when_the_plugin_is_made(value):
    for name, key in (
        ("binpack", "binpack.weight"),
        ("overcommit", "overcommit-factor"),
        ("capacity", "ancestorReclaimLevel"),
    ):
        with pytest.raises(InputError, match="should be a number"):
            make_plugin(PluginOption(name, arguments={key: value}))
