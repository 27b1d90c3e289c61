"""DestinationRules become policies: which of several counts, what two for one host are, and whose word is narrower."""

from skyedge.layers.mesh.objects import Balancer, effective_policy
from tests.layers.mesh.written_meshes import SUBSETS, A, mesh, pod, read, rule, service


def test_a_rule_in_the_callers_namespace_counts_before_the_services_own():
    mine = rule("{host: a.default.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}", "m", "shop")
    own = rule("{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")
    everywhere = rule("{host: '*', trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}", "w", "istio-system")
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), own, mine, everywhere]

    def balancers(caller):
        return {one.host.partition(".")[0]: one.policy.balancer for one in mesh(*texts, caller=caller).rules}

    assert balancers("a1") == {"a": Balancer.ROUND_ROBIN, "b": Balancer.PASSTHROUGH}
    assert balancers("b1") == {"a": Balancer.RANDOM, "b": Balancer.PASSTHROUGH}


def test_two_rules_for_one_host_are_one_with_the_subsets_of_both():
    second = rule("{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v3, labels: {app: a}}]}", "b")
    reading = read(*A, SUBSETS, second)
    (one,) = reading.mesh_for(reading.caller("a1")).rules
    assert [subset.name for subset in one.subsets] == ["v1", "v2", "v3"]
    assert one.policy.balancer is Balancer.RANDOM
    assert "has a rule in 'default' already" in reading.warnings[0]
    assert "of this one its policy and subsets of other names count" in reading.warnings[0]


def named(name, spec, created="", namespace="default"):
    stamp = f", creationTimestamp: '{created}'" if created else ""
    return rule(spec, name, namespace).replace(f"namespace: {namespace}}}", f"namespace: {namespace}{stamp}}}")


def test_of_several_rules_for_one_host_the_oldest_policy_and_of_equal_subsets_the_oldest_count():
    late = "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v, labels: {version: v2}}]}"
    early = """{host: a.default.svc.cluster.local, exportTo: ["*"], subsets: [{name: v, labels: {version: v1}}],
      trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}}}"""
    texts = [named("a", late, "2025-01-01T00:00:00Z"), named("z", early, "2024-01-01T00:00:00Z")]
    for order in (texts, texts[::-1]):
        reading = read(*A, *order)
        (one,) = reading.mesh_for(reading.caller("a1")).rules
        assert (one.name, [subset.labels for subset in one.subsets]) == ("z", [{"version": "v1"}])
        assert one.policy.load_balancing is None  # a policy is taken whole, and not setting by setting
        assert one.policy.outlier.consecutive_5xx_errors == 7
        assert "and the two are one; of this one only subsets of other names count" in reading.warnings[0]


def test_a_policy_that_says_nothing_of_balancing_is_a_policy():
    second = named("b", "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}")
    (one,) = mesh(*A, named("a", "{host: a, trafficPolicy: {tls: {mode: DISABLE}}}"), second).rules
    assert one.policy.load_balancing is None


def test_rules_that_are_shown_to_different_namespaces_are_not_one():
    private = named("a", "{host: a, exportTo: ['.'], trafficPolicy: {loadBalancer: {simple: RANDOM}}}")
    public = named("b", "{host: a, exportTo: [other], trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")
    texts = (*A, service("b", "other"), pod("b1", "b", namespace="other"), private, public)
    assert [mesh(*texts, caller=caller).rules[0].policy.balancer for caller in ("a1", "b1")] == [
        Balancer.RANDOM,
        Balancer.ROUND_ROBIN,
    ]


def test_to_a_gateway_in_the_root_namespace_the_rules_for_the_whole_mesh_come_last_too():
    door = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door, namespace: istio-system}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""
    everywhere = "{host: '*.local', trafficPolicy: {loadBalancer: {simple: RANDOM}}}"
    own = rule("{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")

    def balancer(root):
        reading = read(*A, door, own, rule(root, "everywhere", "istio-system"))
        return reading.mesh_for(reading.caller("istio-system/door")).rules[0].policy.balancer

    assert balancer(everywhere) is Balancer.ROUND_ROBIN
    assert balancer(everywhere.replace("host:", "exportTo: ['.'], host:")) is Balancer.RANDOM


def test_a_subsets_word_counts_before_a_ports_and_that_before_the_rules():
    spec = """{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 7},
      portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]},
      subsets: [{name: v1, labels: {version: v1},
                 trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: u, maglev: {}}}}}]}"""
    (one,) = mesh(*A, rule(spec)).rules
    assert effective_policy(one).outlier.consecutive_5xx_errors == 7
    assert effective_policy(one, port=80).balancer is Balancer.ROUND_ROBIN
    assert effective_policy(one, port=80).outlier is None
    assert effective_policy(one, "v1", 80).balancer is Balancer.MAGLEV


def test_a_port_of_a_subset_takes_the_place_of_all_that_is_wider():
    spec = """{host: a, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}},
      subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM},
                 portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]}}]}"""
    (one,) = mesh(*A, rule(spec)).rules
    narrow, other = effective_policy(one, "v1", 80), effective_policy(one, "v1", 81)
    assert (narrow.balancer, narrow.outlier) == (Balancer.ROUND_ROBIN, None)
    assert (other.balancer, other.outlier.consecutive_5xx_errors) == (Balancer.RANDOM, 7)


def test_only_balancers_that_warm_up_are_told_how():
    def warmup(simple):
        said = f"{{host: a, trafficPolicy: {{loadBalancer: {{{simple}warmup: {{duration: 60s}}}}}}}}"
        return mesh(*A, rule(said)).rules[0].policy.warmup

    assert warmup("") == warmup("simple: ROUND_ROBIN, ") is not None
    assert warmup("simple: RANDOM, ") is None
