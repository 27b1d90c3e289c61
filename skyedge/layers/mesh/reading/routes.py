"""``VirtualService`` to the mesh's own routes, each of which knows where it was written; delegates put in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import istio_http as http
from skyedge.kube import istio_routes as kube
from skyedge.kube.istio_hosts import Gateway
from skyedge.kube.istio_values import Percent, StringMatchShape, seconds_or_none
from skyedge.kube.problem import Path
from skyedge.layers.mesh.defaults import mirror_percent
from skyedge.layers.mesh.delegates import merge_all
from skyedge.layers.mesh.headers import UNCHANGED, CorsPolicy, HeaderOperations
from skyedge.layers.mesh.http_match import How, HttpMatch, StringMatch
from skyedge.layers.mesh.http_route import (
    MOVED,
    Abort,
    Delay,
    Destination,
    DirectResponse,
    HttpRoute,
    Mirror,
    Redirect,
    Rewrite,
    grpc_status_number,
)
from skyedge.layers.mesh.objects import MESH_GATEWAY, VirtualService
from skyedge.layers.mesh.reading.names import Shown, age, namespace_of, whole_name
from skyedge.layers.mesh.retries import RetryWish

Written = Manifest[kube.VirtualService]


@dataclass(frozen=True)
class Origin:
    """Where a rule was written."""

    manifest: Manifest[Any]
    path: Path

    def place(self, *path: str | int) -> str:
        """``file:line (document n): path``."""
        return self.manifest.place(*self.path, *path)

    def error(self, path: Path, message: str, right: str | None = None) -> InputError:
        """An error about what stands at ``path`` of the rule."""
        return self.manifest.error((*self.path, *path), message, right)


@dataclass(frozen=True)
class Routes:
    """A virtual service, where it was written, and each of its rules."""

    shown: Shown[VirtualService]
    manifest: Manifest[Any]
    origins: tuple[Origin, ...]


def read_routes(manifests: Manifests, warnings: list[str]) -> list[Routes]:
    """All virtual services but those that are only delegated to; the oldest first, then by namespace and name.

    Raises:
        InputError: if one is there twice, a gateway or a delegate is not there, or delegates.
    """
    ordered = sorted(manifests.of(kube.VirtualService), key=lambda one: age(one.object.metadata))
    named: dict[tuple[str, str], Written] = {}
    for manifest in ordered:
        key = _key(manifest)
        if key in named:
            message = f"there is a VirtualService '{key[1]}' in '{key[0]}' already: {named[key].place()}"
            raise manifest.error(("metadata", "name"), message)
        named[key] = manifest
    gateways = {f"{namespace_of(one.object.metadata)}/{one.object.metadata.name}" for one in manifests.of(Gateway)}
    handed_to = {
        (rule.delegate.namespace or _key(manifest)[0], rule.delegate.name)
        for manifest in ordered
        for rule in manifest.object.spec.http
        if rule.delegate is not None
    }
    found = []
    for manifest in ordered:
        if manifest.object.spec.hosts:
            found.append(_virtual_service(manifest, named, gateways, warnings))
        elif _key(manifest) not in handed_to:
            warnings.append(f"{manifest.place('spec')}: without hosts this is for others to delegate to, and nobody does")
    return found


def gateway_name(name: str, namespace: str) -> str:
    """The whole name of a gateway, ``NAMESPACE/NAME``; ``mesh`` is every proxy inside.

    Before there were slashes the namespace stood behind a dot, as in the name of a service.
    """
    if name == MESH_GATEWAY:
        return name
    space, slash, rest = name.partition("/")
    if slash:
        return f"{namespace}/{rest}" if space == "." else name
    short, *older = name.split(".")
    return f"{older[0] if older else namespace}/{short}"


def read_match(match: kube.HttpMatchRequest, namespace: str) -> HttpMatch:
    """A condition."""
    return HttpMatch(
        uri=_text(match.uri),
        scheme=_text(match.scheme),
        method=_text(match.method),
        authority=_text(match.authority),
        headers=_texts(match.headers),
        without_headers=_texts(match.without_headers),
        query=_texts(match.query_params),
        port=match.port or 0,
        source_labels=match.source_labels,
        source_namespace=match.source_namespace,
        gateways=tuple(gateway_name(name, namespace) for name in match.gateways),
        ignore_uri_case=match.ignore_uri_case,
    )


def _virtual_service(
    manifest: Written, named: Mapping[tuple[str, str], Written], gateways: set[str], warnings: list[str]
) -> Routes:
    namespace, name = _key(manifest)
    spec = manifest.object.spec
    doors = tuple(gateway_name(one, namespace) for one in spec.gateways) or (MESH_GATEWAY,)
    known = {*gateways, MESH_GATEWAY}
    _check_doors(manifest, ("spec", "gateways"), doors, known)
    rules: list[tuple[HttpRoute, Origin]] = []
    for number, rule in enumerate(spec.http):
        origin = Origin(manifest, ("spec", "http", number))
        for at, match in enumerate(rule.match):
            wanted = tuple(gateway_name(one, namespace) for one in match.gateways)
            _check_doors(manifest, (*origin.path, "match", at, "gateways"), wanted, known)
        if rule.delegate is None:
            rules.append((_rule(rule, origin, namespace, _matches(rule, namespace)), origin))
        else:
            rules += _delegated(rule, origin, namespace, named, warnings)
    hosts = tuple(whole_name(host, namespace) for host in spec.hosts)
    virtual = VirtualService(hosts, tuple(rule for rule, _ in rules), doors, namespace, name)
    shown = Shown(virtual, namespace, frozenset(spec.export_to))
    return Routes(shown, manifest, tuple(origin for _, origin in rules))


def _check_doors(manifest: Written, path: Path, doors: Sequence[str], known: set[str]) -> None:
    for number, door in enumerate(doors):
        if door not in known:
            raise manifest.error((*path, number), f"there is no gateway '{door}'", nearest(door, known))


def _delegated(
    root: kube.HttpRoute,
    origin: Origin,
    namespace: str,
    named: Mapping[tuple[str, str], Written],
    warnings: list[str],
) -> list[tuple[HttpRoute, Origin]]:
    """The rules of a delegate, each with the conditions of both; what it does not say, the root says (Istio)."""
    assert root.delegate is not None
    key = (root.delegate.namespace or namespace, root.delegate.name)
    there = named.get(key)
    if there is None or not Shown(None, key[0], frozenset(there.object.spec.export_to)).seen_from(namespace):
        said = "there is no" if there is None else f"'{namespace}' may not see the"
        close = nearest(key[1], [name for space, name in named if space == key[0]]) if there is None else None
        raise origin.error(("delegate", "name"), f"{said} VirtualService '{key[1]}' in '{key[0]}'", close)
    if there.object.spec.hosts:
        message = f"'{key[1]}' has hosts of its own, and only one without any can be delegated to"
        raise origin.error(("delegate", "name"), message)
    rules = []
    for number, rule in enumerate(there.object.spec.http):
        written = Origin(there, ("spec", "http", number))
        matches = merge_all(_matches(root, namespace), _matches(rule, key[0]))
        if matches is None:
            warnings.append(f"{written.place()}: no request that {origin.place()} hands on can meet this: it is left out")
            continue
        given = {
            name: getattr(root, name)
            for name in ("rewrite", "timeout", "retries", "fault", "mirror", "cors_policy", "mirror_percent")
            if getattr(rule, name) is None
        }
        given |= {name: getattr(root, name) for name in ("mirrors", "mirror_percentage") if not getattr(rule, name)}
        if rule.mirror is not None or rule.mirrors:
            given = {name: value for name, value in given.items() if not name.startswith("mirror")}
        if rule.headers == http.Headers():
            given["headers"] = root.headers
        label = "-".join(word for word in (root.name, rule.name) if word)
        rules.append((_rule(_with(rule, {**given, "name": label}), written, key[0], matches), written))
    return rules


def _with(rule: kube.HttpRoute, changes: Mapping[str, object]) -> kube.HttpRoute:
    said = {name: getattr(rule, name) for name in rule.__struct_fields__}
    return kube.HttpRoute(**{**said, **changes})


def _matches(rule: kube.HttpRoute, namespace: str) -> tuple[HttpMatch, ...]:
    return tuple(read_match(match, namespace) for match in rule.match)


def _rule(rule: kube.HttpRoute, origin: Origin, namespace: str, matches: tuple[HttpMatch, ...]) -> HttpRoute:
    fault = rule.fault or http.FaultInjection()
    return HttpRoute(
        matches=matches,
        destinations=tuple(_destination(one.destination, namespace, one.weight, one.headers) for one in rule.route),
        redirect=None if rule.redirect is None else _redirect(rule.redirect),
        rewrite=Rewrite() if rule.rewrite is None else _rewrite(rule.rewrite),
        direct_response=None if rule.direct_response is None else _direct(rule.direct_response),
        request_headers=_operations(rule.headers.request),
        response_headers=_operations(rule.headers.response),
        abort=None if fault.abort is None else _abort(fault.abort, origin),
        delay=None if fault.delay is None else _delay(fault.delay),
        mirrors=_mirrors(rule, namespace),
        cors=None if rule.cors_policy is None else _cors(rule.cors_policy),
        name=rule.name,
        timeout_s=seconds_or_none(rule.timeout),
        retries=None if rule.retries is None else read_retries(rule.retries),
    )


def _destination(
    to: kube.Destination, namespace: str, weight: float = 0, headers: http.Headers | None = None
) -> Destination:
    port = None if to.port is None else to.port.number
    headers = headers or http.Headers()
    return Destination(
        whole_name(to.host, namespace),
        to.subset,
        port,
        weight,
        _operations(headers.request),
        _operations(headers.response),
    )


def _operations(changes: http.HeaderChanges) -> HeaderOperations:
    if not (changes.set or changes.add or changes.remove):
        return UNCHANGED
    return HeaderOperations(changes.set, changes.add, changes.remove)


def _redirect(redirect: http.HttpRedirect) -> Redirect:
    return Redirect(
        uri=redirect.uri,
        authority=redirect.authority,
        scheme=redirect.scheme,
        port=redirect.port,
        port_of_request=redirect.derive_port == "FROM_REQUEST_PORT",
        code=redirect.redirect_code or MOVED,
    )


def _rewrite(rewrite: http.HttpRewrite) -> Rewrite:
    by_pattern = rewrite.uri_regex_rewrite
    if by_pattern is None:
        return Rewrite(rewrite.uri, rewrite.authority)
    return Rewrite(authority=rewrite.authority, pattern=by_pattern.match, substitution=by_pattern.rewrite)


def _direct(response: http.HttpDirectResponse) -> DirectResponse:
    return DirectResponse(response.status, response.body.string or "")


def _percent(percentage: Percent | None) -> float:
    # A fault whose share nobody names strikes nobody.
    return 0.0 if percentage is None else percentage.value


def _abort(abort: http.FaultAbort, origin: Origin) -> Abort:
    code = None
    if abort.grpc_status is not None:
        try:
            code = grpc_status_number(abort.grpc_status)
        except InputError as error:
            raise origin.error(("fault", "abort", "grpcStatus"), error.message) from None
    return Abort(_percent(abort.percentage), abort.http_status, code)


def _delay(delay: http.FaultDelay) -> Delay:
    older = 0.0 if delay.percent is None else delay.percent
    return Delay(seconds_or_none(delay.fixed_delay) or 0.0, older if delay.percentage is None else delay.percentage.value)


def _mirrors(rule: kube.HttpRoute, namespace: str) -> tuple[Mirror, ...]:
    if rule.mirror is not None:
        share = mirror_percent(None if rule.mirror_percentage is None else rule.mirror_percentage.value, rule.mirror_percent)
        return () if share is None else (Mirror(_destination(rule.mirror, namespace), share),)
    shares = [(one, mirror_percent(None if one.percentage is None else one.percentage.value)) for one in rule.mirrors]
    return tuple(Mirror(_destination(one.destination, namespace), share) for one, share in shares if share is not None)


def _cors(cors: http.Cors) -> CorsPolicy:
    exact = tuple(StringMatch(How.EXACT, origin) for origin in cors.allow_origin)
    age_s = seconds_or_none(cors.max_age)
    return CorsPolicy(
        allow_origins=tuple(match for one in cors.allow_origins if (match := _text(one)) is not None) or exact,
        allow_methods=cors.allow_methods,
        allow_headers=cors.allow_headers,
        expose_headers=cors.expose_headers,
        max_age_s=None if age_s is None else int(age_s),
        allow_credentials=bool(cors.allow_credentials),
    )


def read_retries(retries: kube.HttpRetry) -> RetryWish:
    """What a rule wants to be repeated."""
    return RetryWish(
        retries.attempts,
        retries.retry_on,
        seconds_or_none(retries.per_try_timeout),
        seconds_or_none(retries.backoff),
        retries.retry_remote_localities,
        retries.retry_ignore_previous_hosts,
    )


def _text(match: StringMatchShape | None) -> StringMatch | None:
    if match is None:
        return None
    if match.exact is not None:
        return StringMatch(How.EXACT, match.exact)
    if match.prefix is not None:
        return StringMatch(How.PREFIX, match.prefix)
    if match.regex is not None and match.regex != "*":
        return StringMatch(How.REGEX, match.regex)
    return StringMatch(How.PRESENT)


def _texts(matches: Mapping[str, StringMatchShape]) -> dict[str, StringMatch]:
    return {name: text for name, match in matches.items() if (text := _text(match)) is not None}


def _key(manifest: Written) -> tuple[str, str]:
    return namespace_of(manifest.object.metadata), manifest.object.metadata.name
