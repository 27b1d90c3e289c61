"""Quotas over clusters: nobody goes beyond one, and nobody is driven out by one."""

from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.federation.quotas import UNBOUNDED, Charge, Quota, admit, replicas_within, used

QUOTA = Quota("team", "eo", {"cpu": 10_000})


def charge(name, replicas, *, cpu=1000, namespace="eo"):
    return Charge(name, namespace, {"cpu": cpu, "memory": 5}, replicas)


def test_a_change_that_goes_beyond_the_overall_quota_is_refused_as_a_whole_and_said():
    running = {"a": charge("a", {"x": 3, "y": 3})}
    let_in, refused = admit([QUOTA], running, [charge("b", {"x": 5}), charge("c", {"y": 4})])
    assert [one.workload for one in let_in] == ["c"]
    assert [(one.workload, one.resource, one.asked, one.left) for one in refused] == [("b", "cpu", 5000, 4000)]


def test_what_grows_is_charged_for_its_growth_and_what_shrinks_is_let_in_though_the_quota_is_overdrawn():
    running = {"a": charge("a", {"x": 12})}
    let_in, refused = admit([QUOTA], running, [charge("a", {"x": 13}), charge("a", {"x": 11})])
    assert ([one.replicas for one in let_in], len(refused)) == ([{"x": 11}], 1)


def test_other_namespaces_and_resources_that_are_not_named_are_free():
    other = charge("z", {"x": 1000}, namespace="else")
    let_in, refused = admit([QUOTA], {}, [other, Charge("m", "eo", {"memory": 10**12}, {"x": 5})])
    assert (len(let_in), refused) == (2, [])
    assert used(QUOTA, let_in) == {"cpu": 0}


def test_a_cluster_s_own_part_of_the_quota_leaves_room_for_so_many_more():
    quota = Quota("team", "eo", {}, {"x": {"cpu": 5000}, "y": {"memory": 1}})
    taken = {"x": {"cpu": 2500}}
    assert replicas_within([quota], "eo", {"cpu": 1000}, taken) == {"x": 2, "y": UNBOUNDED}
    assert replicas_within([quota], "eo", {"cpu": 1000}, {"x": {"cpu": 9000}})["x"] == 0
    assert replicas_within([quota], "else", {"cpu": 1000}, taken) == {}


changes = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8)), max_size=12)


@given(changes, st.integers(0, 20))
def test_what_was_let_in_never_takes_more_than_the_quota(rows, hard):
    quota = Quota("q", "eo", {"cpu": hard * 1000})
    wanted = [charge(name, {"x": count}) for name, count in rows]
    let_in, refused = admit([quota], {}, wanted)
    assert len(let_in) + len(refused) == len(wanted)
    last = {one.workload: one for one in let_in}
    assert used(quota, last.values())["cpu"] <= hard * 1000
