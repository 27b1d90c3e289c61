"""What in a set of manifests is worth a word, though it can be read: a sentence each, with its place, and each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest
from skyedge.kube.problem import Path


class Notices:
    """Collects sentences."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}

    @property
    def sentences(self) -> tuple[str, ...]:
        """Them all, in the order in which they were said."""
        return tuple(self._sentences)

    def say(self, manifest: Manifest[Any], path: Path, message: str, right: str | None = None) -> None:
        """Take down a sentence about what stands at ``path``."""
        self._sentences[str(manifest.error(path, message, right))] = None

    def unknown(self, manifest: Manifest[Any], path: Path, what: str, name: str, names: Iterable[str]) -> None:
        """Take down that there is no such name, with the nearest that there is."""
        self.say(manifest, path, f"there is no {what} '{name}'", nearest(name, names))


def doubled(manifest: Manifest[Any], what: str, first: Manifest[Any]) -> InputError:
    """That an object is there twice."""
    return manifest.error(("metadata", "name"), f"there is {what} already, in {first.place()}")
