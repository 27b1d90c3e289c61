"""Sidecars: by which ports services are seen, and that what the routes shown lead to is seen with them."""

from tests.layers.mesh.written_meshes import NODE, mesh, pod, service, virtual

TWO_PORTS = "ports: [{name: http, port: 80, targetPort: 8080}, {name: more, port: 81, targetPort: 8081}]"


def both_ports(name, namespace="default"):
    return service(name, namespace).replace("ports: [{name: http, port: 80, targetPort: 8080}]", TWO_PORTS)


def sidecar(egress, namespace="shop"):
    return f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default, namespace: {namespace}}}
spec: {egress}
"""


MINE = [service("me", "shop"), pod("me1", "me", namespace="shop")]
WORLD = [NODE, *MINE, both_ports("a"), pod("a1", "a"), service("b"), pod("b1", "b"), service("c"), pod("c1", "c")]


def seen(*texts):
    """Ports by the first label of each service's host, as ``me`` in ``shop`` sees them."""
    services = mesh(*WORLD, *texts, caller="me1").services
    return {one.host.partition(".")[0]: [port.number for port in one.ports] for one in services}


def test_a_listener_with_a_port_shows_that_port_of_those_that_have_it():
    assert seen(sidecar('{egress: [{port: {number: 81, protocol: HTTP, name: p}, hosts: ["*/*"]}]}')) == {"a": [81]}


def test_several_listeners_show_the_ports_of_all_of_them():
    listeners = ", ".join(f'{{port: {{number: {n}, protocol: HTTP, name: p{n}}}, hosts: ["default/*"]}}' for n in (81, 80))
    assert seen(sidecar(f"{{egress: [{listeners}]}}")) == {"a": [80, 81], "b": [80], "c": [80]}


def test_a_listener_for_a_proxy_shows_every_port():
    proxy = '{egress: [{port: {number: 3128, protocol: HTTP_PROXY}, hosts: ["default/a.default.svc.cluster.local"]}]}'
    assert seen(sidecar(proxy)) == {"a": [80, 81]}


def test_a_part_of_a_wildcard_is_not_the_wildcard():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wiki}
spec:
  hosts: ["*.wiki.org"]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.1.0.1}]
"""
    assert seen(entry, sidecar('{egress: [{hosts: ["*/en.wiki.org"]}]}')) == {}
    assert seen(entry, sidecar('{egress: [{hosts: ["*/*.org"]}]}')) == {"*": [80]}


def test_where_a_route_leads_is_seen_with_it_copies_too_by_the_ports_that_it_names():
    rules = "[{route: [{destination: {host: a, port: {number: 81}}}], mirror: {host: b}}]"
    shown = sidecar('{egress: [{hosts: ["default/front.org"]}]}')
    assert seen(shown, virtual(rules, hosts="[front.org]")) == {"a": [81], "b": [80]}


def test_where_a_rule_for_others_leads_is_not_seen():
    rules = """[{match: [{sourceNamespace: shop}], route: [{destination: {host: b}}]},
      {match: [{sourceNamespace: other}], route: [{destination: {host: c}}]}]"""
    assert seen(sidecar('{egress: [{hosts: ["default/front.org"]}]}'), virtual(rules, hosts="[front.org]")) == {"b": [80]}


def test_a_sidecar_that_says_nothing_of_what_goes_out_shows_all_and_counts_before_the_one_for_the_mesh():
    for_all = sidecar('{egress: [{hosts: ["./*"]}]}', "istio-system")
    assert seen(for_all) == {"me": [80]}
    assert set(seen(for_all, sidecar("{outboundTrafficPolicy: {mode: ALLOW_ANY}}"))) == {"me", "a", "b", "c"}
