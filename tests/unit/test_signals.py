"""Signals that a loop hears of, whenever they come."""

import asyncio
import signal
import sys
import threading

import pytest

from lattice_store.signals import heeded_signals

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_a_signal_that_does_not_interrupt_the_loop_ends_it_all_the_same(number: signal.Signals) -> None:
    """One that comes just before the loop begins to wait does not; nor does one that another thread takes."""
    heard = threading.Event()
    in_time: list[bool] = []
    main = threading.get_ident()

    def raise_it(loop: asyncio.AbstractEventLoop) -> None:
        while sys._current_frames()[main].f_code.co_name != "select":
            pass
        signal.pthread_kill(threading.get_ident(), number)
        in_time.append(heard.wait(10))
        loop.call_soon_threadsafe(lambda: None)  # any event lets Python look for signals

    async def wait() -> None:
        ended = asyncio.Event()
        with heeded_signals(ended.set):
            thread = threading.Thread(target=raise_it, args=[asyncio.get_running_loop()])
            asyncio.get_running_loop().call_soon(thread.start)
            await ended.wait()
            heard.set()
        await asyncio.to_thread(thread.join)

    asyncio.run(wait())
    assert in_time == [True]


@BOTH
def test_what_was_ignored_stays_so_and_what_was_there_comes_back(number: signal.Signals) -> None:
    async def heed() -> None:
        with heeded_signals(lambda: None):
            seen.append(signal.getsignal(number))

    for handler in (signal.SIG_IGN, signal.SIG_DFL, lambda *_: None):
        seen: list[object] = []
        former = signal.signal(number, handler)
        try:
            asyncio.run(heed())
            assert (seen == [handler]) == (handler is signal.SIG_IGN)
            assert signal.getsignal(number) is handler
        finally:
            signal.signal(number, former)
