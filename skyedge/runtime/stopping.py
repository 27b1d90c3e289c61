"""Ctrl-C and SIGTERM, taken once: the first stops the work, none disturbs the clean-up that follows.

Python turns SIGINT into a KeyboardInterrupt wherever it finds the program, which may be half-way through keeping a
result; it lets SIGTERM end the program with its Ray processes still there; and Ray, when it starts, takes SIGTERM for
itself.  Here both become one KeyboardInterrupt, at a moment when it can be dealt with.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While it is entered, the first SIGINT or SIGTERM raises KeyboardInterrupt in the main thread.

    Entered in another thread, which Python gives no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._heard = False
        self._held = 0
        self._closed = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            self.take_over()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def take_over(self) -> None:
        """Take the signals back from whoever took them since, as Ray does when it starts."""
        for number in self._before:
            signal.signal(number, self._hear)

    def close(self) -> None:
        """From here on every signal is too late: what is finished is being put away."""
        self._closed = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes within the block takes effect at its end."""
        before = self._heard
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._heard and not before and not self._closed:
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        first, self._heard = not self._heard, True
        if first and not self._held and not self._closed:
            raise KeyboardInterrupt
