"""A connection on which things go wrong: a transport that delays, cuts and stalls what is written to it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from lattice_store_sim._wire._faults import Faults


class FaultyTransport(asyncio.Transport):
    """Writes to another transport; what goes wrong is decided when the connection begins, or with each piece.

    Args:
        transport: the connection.
        faults: what goes wrong.
    """

    def __init__(self, transport: asyncio.Transport, faults: Faults) -> None:
        super().__init__()
        self.transport = transport
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._cut_at = faults.cut_after()
        self._stall = faults.stall_after()
        self._sent = 0
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._held_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stalled = self._ends = False
        if self._cut_at == 0:
            transport.close()

    # -- as transports do it --------------------------------------------------------------------

    def write(self, data: Any) -> None:
        delay_s, now_s = self._faults.delay_s(), self._loop.time()
        if not (delay_s or self._held or self._stalled):
            self._send(bytes(data))
            return
        self._held_until = max(self._held_until, now_s + delay_s)
        self._held.append((self._held_until, bytes(data)))
        self._held_bytes += len(data)
        self._wait()

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size() + self._held_bytes

    def close(self) -> None:
        if self._held and not self._stalled:
            self._ends = True
        else:
            self._drop_held()
            self.transport.close()

    def abort(self) -> None:
        self._drop_held()
        self.transport.abort()

    def end(self) -> None:
        """Let nothing go wrong any more: what was held back is sent."""
        self._stall = self._cut_at = None
        self._go_on()
        while self._held:
            self._send_first()

    # -- how it goes wrong ----------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        room = self._room()
        if room is None or len(data) < room:
            self._sent += len(data)
            self.transport.write(data)
            return
        self._sent += room
        self.transport.write(data[:room])
        if self._sent == self._cut_at:
            self._drop_held()
            self.transport.close()
            return
        self._held.appendleft((0.0, data[room:]))
        self._held_bytes += len(data) - room
        self._stop()

    def _room(self) -> int | None:
        """Return how many bytes can be sent before something happens."""
        ends = [] if self._cut_at is None else [self._cut_at - self._sent]
        if self._stall is not None:
            ends.append(self._stall.bytes - self._sent)
        return max(0, min(ends)) if ends else None

    def _stop(self) -> None:
        assert self._stall is not None
        self._stalled = True
        self.transport.pause_reading()
        if self._stall.seconds is not None:
            self._loop.call_later(self._stall.seconds, self._go_on)
        self._stall = None

    def _go_on(self) -> None:
        if self._stalled and not self.transport.is_closing():
            self._stalled = False
            self.transport.resume_reading()
            self._wait()

    def _wait(self) -> None:
        if self._timer is None and self._held and not self._stalled:
            self._timer = self._loop.call_at(self._held[0][0], self._let_go)

    def _let_go(self) -> None:
        self._timer = None
        while self._held and not self._stalled and self._held[0][0] <= self._loop.time():
            self._send_first()
        if self._ends and not self._held:
            self.transport.close()
        self._wait()

    def _send_first(self) -> None:
        _, data = self._held.popleft()
        self._held_bytes -= len(data)
        self._send(data)

    def _drop_held(self) -> None:
        self._held.clear()
        self._held_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
