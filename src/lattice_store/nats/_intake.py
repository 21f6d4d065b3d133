"""Reading in nats-py's place: the transport it opened hands what arrives to a `FrameReader`.

nats-py reads 64 KiB at a time through a stream reader, which copies everything twice more, and awaits a coroutine for each
message. Here the socket is read into one large buffer and split at once. nats-py keeps the writing side, so its stream
protocol still hears of a full buffer and of the end of the connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self

from nats.errors import ProtocolError, UnexpectedEOF

from lattice_store.nats._frames import FrameReader

_BUFFER_BYTES: Final = 1 << 20


def asyncio_transport(transport: Any) -> asyncio.Transport | None:
    """Return what nats-py's transport writes to; ``None`` for a web socket, which has none."""
    writer = getattr(transport, "_io_writer", None)
    return None if writer is None else writer.transport


class Intake(asyncio.BufferedProtocol):
    """The reading side of one connection.

    Args:
        former: nats-py's protocol, which goes on minding the writing side.
        frames: takes what is read.
    """

    def __init__(self, former: Any, frames: FrameReader) -> None:
        self.frames = frames
        self._former = former
        self._view = memoryview(bytearray(_BUFFER_BYTES))
        self._held = 0
        """How many bytes in the buffer wait for what follows them."""
        self.bytes_read = 0
        self._parts: list[bytes] = []
        self._error: Exception | None = None
        self._news = asyncio.Event()

    @classmethod
    def take_over(cls, transport: Any, frames: FrameReader) -> Self | None:
        """Read from *transport* from now on; ``None`` if it cannot be taken over."""
        socket, reader = asyncio_transport(transport), getattr(transport, "_io_reader", None)
        if socket is None or reader is None:
            return None
        intake = cls(socket.get_protocol(), frames)
        read, ended = bytes(reader._buffer), reader.at_eof() or reader.exception() is not None
        reader._buffer.clear()
        socket.set_protocol(intake)
        if not socket.is_closing() and not socket.is_reading():  # the stream reader was full
            socket.resume_reading()
        intake.bytes_read = len(read)
        intake._feed(read)
        if ended:
            intake._end(reader.exception())
        return intake

    async def next_parts(self) -> list[bytes]:
        """Return what is nats-py's to parse.

        Raises:
            ProtocolError: what came is not the NATS protocol.
            UnexpectedEOF, OSError: the connection ended.
        """
        while not self._parts and self._error is None:
            self._news.clear()
            await self._news.wait()
        if not self._parts and self._error is not None:
            raise self._error
        parts, self._parts = self._parts, []
        return parts

    def _feed(self, data: bytes) -> None:
        """Split what was read, with what waited before it; what is not whole yet goes back to the buffer's beginning."""
        if self._error is not None:
            return
        try:
            self._parts += self.frames.feed(data)
        except ValueError as error:
            self._end(ProtocolError(str(error)))
        self._held = len(self.frames.rest)
        self._make_room(max(self._held, self.frames.needed))
        self._view[: self._held] = self.frames.rest
        if self._parts:
            self._news.set()

    def _make_room(self, size: int) -> None:
        """Keep half of the buffer free behind a frame of *size* bytes, which may be as large as the server allows."""
        if 2 * size > len(self._view):
            self._view = memoryview(bytearray(2 * size))

    def _end(self, error: Exception | None) -> None:
        if self._error is None:
            self._error = UnexpectedEOF() if error is None else error
            self._news.set()

    # -- what asyncio calls ----------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._held :]

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes_read += nbytes
        self._held += nbytes
        if self._held >= self.frames.needed:
            self._feed(bytes(self._view[: self._held]))

    def eof_received(self) -> bool | None:
        self._end(None)
        return bool(self._former.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        self._former.pause_writing()

    def resume_writing(self) -> None:
        self._former.resume_writing()
