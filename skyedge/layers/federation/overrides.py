"""How a manifest is changed for one cluster: images, commands, arguments, labels, annotations, and JSON patches.

Functions return what is new and leave what they are given as it was.  The image of a container that is to be changed is
found, as its command is, by what the author of the policy sees: all containers, or one of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from skyedge.errors import InputError
from skyedge.layers.federation.images import Image, parse_image

Json = Any
"""What JSON can say: null, true, false, a number, a text, a list or a map of such."""


class Operator(Enum):
    """What is done to the part that a rule names."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


class ImageComponent(Enum):
    """The part of an image's name that a rule changes."""

    REGISTRY = "Registry"
    REPOSITORY = "Repository"
    TAG = "Tag"


@dataclass(frozen=True)
class ImageOverride:
    """One change of images: of those of all containers, or of one, by its place."""

    component: ImageComponent
    operator: Operator
    value: str = ""
    only_container: int | None = None


@dataclass(frozen=True)
class JsonPatch:
    """One operation of RFC 6902, with a pointer of RFC 6901."""

    operator: Operator
    path: str
    value: Json = None


def override_image(image: str, override: ImageOverride) -> str:
    """The image with one component changed.

    ``add`` appends to the component.  A tag that would be neither a legal tag nor a digest leaves the image as it is.

    Raises:
        InputError: if ``image`` is no name of an image.
    """
    parsed = parse_image(image)
    match override.component:
        case ImageComponent.REGISTRY:
            return str(replace(parsed, registry=_changed(parsed.registry, override)))
        case ImageComponent.REPOSITORY:
            return str(replace(parsed, repository=_changed(parsed.repository, override)))
        case ImageComponent.TAG:
            if override.operator is Operator.REMOVE:
                return str(Image(parsed.registry, parsed.repository))
            return str(parsed.with_version(_changed(parsed.version, override)))


def override_images(images: Sequence[str], override: ImageOverride) -> list[str]:
    """The images of all containers of a pod after a change.

    Raises:
        InputError: if there is no such container, or what is to be changed is no name of an image.
    """
    only = override.only_container
    if only is not None and not 0 <= only < len(images):
        raise InputError(f"there is no container {only}: there are {len(images)}, counted from 0")
    return [override_image(image, override) if only in (None, place) else image for place, image in enumerate(images)]


def override_list(current: Sequence[str], operator: Operator, value: Sequence[str]) -> list[str]:
    """A command or its arguments: ``add`` appends, ``remove`` drops every equal item.

    Raises:
        InputError: for ``replace``, which a list does not know.
    """
    match operator:
        case Operator.ADD:
            return [*current, *value]
        case Operator.REMOVE:
            return [item for item in current if item not in value]
        case Operator.REPLACE:
            raise InputError("commands and arguments are overridden by 'add' or 'remove'")


def override_map(current: Mapping[str, str], operator: Operator, value: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations: ``replace`` and ``remove`` touch only what is there; ``remove`` looks at keys alone."""
    match operator:
        case Operator.ADD:
            return {**current, **value}
        case Operator.REPLACE:
            return {key: value.get(key, old) for key, old in current.items()}
        case Operator.REMOVE:
            return {key: old for key, old in current.items() if key not in value}


def apply_json_patch(document: Json, patches: Sequence[JsonPatch]) -> Json:
    """The document after all patches, in their order.

    Raises:
        InputError: if a path is no pointer or leads nowhere; nothing is half done then.
    """
    # The document hangs below a root of one key, so that replacing all of it is no special case.
    root = {"": copy.deepcopy(document)}
    for patch in patches:
        _patch(root, patch)
    return root[""]


def _changed(component: str, override: ImageOverride) -> str:
    match override.operator:
        case Operator.ADD:
            return component + override.value
        case Operator.REPLACE:
            return override.value
        case Operator.REMOVE:
            return ""


def _patch(root: dict[str, Json], patch: JsonPatch) -> None:
    if patch.path and not patch.path.startswith("/"):
        raise InputError(f"'{patch.path}' is no JSON pointer: it starts with '/'", where=patch.path)
    *way, last = [word.replace("~1", "/").replace("~0", "~") for word in patch.path.split("/")]
    parent: Json = root
    for word in way:
        parent = parent[_key(parent, word, patch)]
    value = copy.deepcopy(patch.value)
    if isinstance(parent, list) and patch.operator is Operator.ADD:
        parent.insert(len(parent) if last == "-" else _index(last, len(parent), patch), value)
    elif isinstance(parent, dict) and patch.operator is Operator.ADD:
        parent[last] = value
    elif patch.operator is Operator.REMOVE:
        del parent[_key(parent, last, patch)]
    else:
        parent[_key(parent, last, patch)] = value


def _key(parent: Json, word: str, patch: JsonPatch) -> Any:
    """The key of what is there already."""
    if isinstance(parent, list):
        return _index(word, len(parent) - 1, patch)
    if isinstance(parent, dict) and word in parent:
        return word
    raise InputError(f"there is no '{word}' here", where=patch.path)


def _index(word: str, highest: int, patch: JsonPatch) -> int:
    if word.isascii() and word.isdecimal() and (word == "0" or word[0] != "0") and int(word) <= highest:
        return int(word)
    raise InputError(f"there is no item '{word}' in this list, which is counted from 0", where=patch.path)
