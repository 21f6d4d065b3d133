"""Ctrl-C and SIGTERM as an event of the loop: how what runs until it is told to end hears of that."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def heeded_signals(end: Callable[[], object]) -> Iterator[None]:
    """Call *end* on Ctrl-C and SIGTERM, for as long as the block lasts.

    A signal that was ignored when the process began stays so: a shell script that runs us in the background
    has Ctrl-C ignored for us.
    """
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = {number: handler for number, handler in former.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        _heed(loop, number, end)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            _heed_no_more(loop, number)
            signal.signal(number, handler)


def _heed(loop: asyncio.AbstractEventLoop, number: signal.Signals, end: Callable[[], object]) -> None:
    """Let the loop call it: a handler of Python's alone is not run while a loop waits that a signal has just missed."""
    try:
        loop.add_signal_handler(number, end)
    except NotImplementedError:  # Windows, whose loop is woken by any signal
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))


def _heed_no_more(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    with suppress(NotImplementedError):
        loop.remove_signal_handler(number)
