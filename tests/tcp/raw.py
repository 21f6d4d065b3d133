"""A connection without a client library: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Final

_INFO: Final = re.compile(rb"INFO (\{.*?\}) \r\n")
_OWN: Final = ("server_id", "server_name", "port", "client_id", "nonce", "xkey")
"""What no two servers say alike."""


async def talk(port: int, said: bytes) -> bytes:
    """Say something in one go, then nothing more; return all that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        with suppress(OSError):  # it may have hung up already
            writer.write_eof()
        return await _all(reader)
    finally:
        writer.transport.abort()


async def _all(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    try:
        async with asyncio.timeout(10):
            while piece := await reader.read(1 << 16):
                heard += piece
    except ConnectionError:  # it hung up before it had read all of it
        pass
    return heard


def comparable(heard: bytes) -> bytes:
    """Return what was heard without what no two servers say alike."""
    return _INFO.sub(_stripped, heard)


def _stripped(found: re.Match[bytes]) -> bytes:
    info = json.loads(found[1])
    return f"INFO {json.dumps({name: '' if name in _OWN else value for name, value in info.items()})}\n".encode()
