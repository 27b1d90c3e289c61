"""Without the plugin gang a job is a bag of pods: each is placed on its own merits."""

from skyedge.layers.scheduler.configuration import Configuration, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.snapshot import take_snapshot


def test_a_pod_that_fits_nowhere_does_not_hold_back_its_siblings():
    pods = [Pod(name, "job", PodShape((("cpu", cpu),))) for name, cpu in (("a-large", 9000), ("b-small", 1000))]
    snapshot = take_snapshot([Node("node", {"cpu": 4000})], pods, [PodGroup("job", min_member=2)], [Queue("default")])
    assert dict(schedule(snapshot, Configuration(("allocate",), tiers_of(("drf",)))).binds()) == {"b-small": "node"}
    assert not dict(schedule(snapshot, Configuration(("allocate",), tiers_of(("gang", "drf")))).binds())
