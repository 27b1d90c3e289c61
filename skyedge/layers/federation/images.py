"""Names of container images, taken apart and put together: ``[registry/]repository[:tag|@digest]``.

What stands before the first slash is a registry only if it looks like a host: with a dot or a colon in it, or ``localhost``.
The legal forms of tags and digests are those of the OCI distribution specification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from skyedge.errors import InputError

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*")


@dataclass(frozen=True)
class Image:
    """The parts of an image's name; empty where there is none, and of tag and digest at most one."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.tag:
            return f"{name}:{self.tag}"
        return f"{name}@{self.digest}" if self.digest else name

    @property
    def version(self) -> str:
        """Its tag, or else its digest."""
        return self.tag or self.digest

    def with_version(self, version: str) -> Image:
        """The image with another tag or digest; as it is, if ``version`` is neither."""
        if TAG.fullmatch(version):
            return Image(self.registry, self.repository, tag=version)
        if DIGEST.fullmatch(version):
            return Image(self.registry, self.repository, digest=version)
        return self


def split_registry(name: str) -> tuple[str, str]:
    """Registry and repository of a name without tag and digest."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def parse_image(image: str) -> Image:
    """The parts of an image's name; beside a tag, a digest is dropped.

    Raises:
        InputError: if it is no such name.
    """
    name, at, digest = image.partition("@")
    start = name.rfind("/") + 1
    last, colon, tag = name[start:].partition(":")
    registry, repository = split_registry(name[:start] + last)
    legal = REPOSITORY.fullmatch(repository) and (not colon or TAG.fullmatch(tag)) and (not at or DIGEST.fullmatch(digest))
    if not legal:
        raise InputError(f"'{image}' is no name of an image: that is [registry/]repository[:tag|@digest], in small letters")
    return Image(registry, repository, tag, "" if tag else digest)
