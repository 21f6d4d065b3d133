"""nats-py as a transport, in two forms that take and give the same frames: subject, reply, payload, header block.

`OwnClient` is the form of a connection we opened: nats-py connects, authenticates, encrypts and connects again, and what
arrives then is read by our own `FrameReader`, into a buffer of its own size. It hands over and takes header blocks byte
for byte. That costs private names of nats-py; all of them are in this file and in ``_intake.py``, and `raw_path_fits`
tells whether the installed version still has them. A borrowed client sends and receives through its public API only,
which parses headers: names that occur twice and odd spaces do not survive it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from lattice_store.errors import InvalidHeaderError
from lattice_store.headers import Headers
from lattice_store.nats._deliveries import Frame
from lattice_store.nats._frames import FrameReader, Sink
from lattice_store.nats._intake import Intake, asyncio_transport
from lattice_store.nats._translate import ACK_PREFIX

NO_RESPONDERS_BLOCK: Final = b"NATS/1.0 503"

_MAX_UNSENT_BYTES: Final = 1 << 16
"""What may wait to be written to the socket before a publisher waits for it."""

_PRIVATE_NAMES: Final = (
    *("_process_msg", "_read_loop", "_remove_sub", "_connect_command", "_flush_pending", "_flush_queue"),
    *("_process_op_err", "_error_cb", "_ps", "_sid", "_transport"),
    *("_flush_timeout", "_pending", "_pending_data_size", "_subs", "_current_server", "_server_info"),
)
_PROCESS_MSG: Final = ["sid", "subject", "reply", "data", "headers"]


def raw_path_fits(client_class: type[Client] = Client) -> bool:
    """Return whether this nats-py has the private names that `OwnClient` needs."""
    client = client_class()
    if not all(hasattr(client, name) for name in _PRIVATE_NAMES):
        return False
    return list(inspect.signature(client._process_msg).parameters) == _PROCESS_MSG


class OwnClient(Client):
    """A nats-py client whose subscriptions may have a sink."""

    def __init__(self) -> None:
        super().__init__()
        self._sinks: dict[bytes, Sink | None] = {}
        self._intake: Intake | None = None
        self._read_before = 0

    @property
    def bytes_read(self) -> int:
        """Bytes that came in over all its connections, but for what nats-py reads itself to open them."""
        return self._read_before + (self._intake.bytes_read if self._intake is not None else 0)

    async def _read_loop(self) -> None:
        """Read in nats-py's place, on every connection anew; nats-py handles what is no message of a sink."""
        intake = Intake.take_over(self._transport, FrameReader(self._sinks))
        if intake is None:  # a web socket, which is nats-py's to read
            await super()._read_loop()
            return
        self._read_before, self._intake = self.bytes_read, intake
        try:
            while not self.is_closed and not self.is_reconnecting:
                for part in await intake.next_parts():
                    await self._ps.parse(part)
        except asyncio.CancelledError:
            return
        except (errors.Error, OSError) as error:  # as nats-py has it, which tells of the end but not of its cause
            if isinstance(error, errors.UnexpectedEOF):
                await self._error_cb(error)
            await self._process_op_err(error)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        """Take a message that nats-py has parsed: from a web socket, or of a subscription without a sink."""
        sink = self._sinks.get(b"%d" % sid)
        if sink is None:
            await super()._process_msg(sid, subject, reply, data, headers)  # type: ignore[arg-type]  # None is what nats-py's parser passes
        else:
            sink([(subject, reply, data, headers or b"")])

    def _connect_command(self) -> bytes:
        """Refuse to send credentials in the clear: nats-py takes ``tls://`` for a wish that a server may decline."""
        assert self._current_server is not None, "not connecting"
        wanted = self._current_server.uri.scheme == "tls" or "tls" in self.options
        if wanted and not self._server_info.get("tls_required"):
            raise errors.SecureConnWantedError
        return super()._connect_command()

    async def subscribe_raw(self, subject: str, sink: Sink) -> Subscription:
        """Subscribe; everything that arrives goes to *sink* at once, from within the reading."""
        number = b"%d" % (self._sid + 1)  # which `subscribe` gives out before it waits for anything
        self._sinks[number] = sink
        try:
            return await super().subscribe(subject)
        except BaseException:
            self._sinks.pop(number, None)
            raise

    async def _send_subscribe(self, sub: Subscription) -> None:
        self._sinks.setdefault(b"%d" % sub._id, None)
        await super()._send_subscribe(sub)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        super()._remove_sub(sid, max_msgs)
        self._sinks.pop(b"%d" % sid, None)

    @property
    def has_room(self) -> bool:
        """Whether a message can be sent without waiting."""
        return self._pending_data_size <= _MAX_UNSENT_BYTES and self.is_connected

    def publish_raw(self, subject: str, reply: str, block: bytes, payload: bytes) -> None:
        """Send without nats-py's checks: everything was checked before, and must fit the server's ``max_payload``."""
        size = len(payload)
        if block:
            line = f"HPUB {subject} {reply} {len(block)} {len(block) + size}\r\n"
        else:
            line = f"PUB {subject} {reply} {size}\r\n"
        command = b"".join((line.encode(), block, payload, b"\r\n"))
        self._pending.append(command)
        self._pending_data_size += len(command)
        queue = self._flush_queue
        if queue is not None and queue.empty():  # its task writes all that is pending by then
            queue.put_nowait(asyncio.get_running_loop().create_future())

    async def wait_for_room(self) -> None:
        """Wait until what was sent is on its way, if it is too much."""
        if self._pending_data_size > _MAX_UNSENT_BYTES:
            await self._wait_until_written()

    async def _wait_until_written(self) -> None:
        """Like nats-py's forced flush, which would swallow a cancellation."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):  # whoever waits for the answer has the deadline that counts
            async with asyncio.timeout(self._flush_timeout):
                assert self._flush_queue is not None, "not connected"
                await self._flush_queue.put(written)
                await written

    def drop_unsent(self) -> None:
        """Forget what was not yet written: after a disconnection nats-py would send it on the next connection."""
        self._pending = []
        self._pending_data_size = 0

    def cut(self) -> None:
        """Free the socket: nats-py's close first writes what is left, which a server that stands never reads."""
        socket = asyncio_transport(self._transport)
        if socket is not None:
            socket.abort()


async def close(client: Client, timeout_ns: int) -> None:
    """Close a client of ours, whatever has become of it.

    It cancels nats-py's task for connecting again first. Where that waits for the end of the same connection, the future
    that both wait for is cancelled with it, and `Client.close` ends with a `CancelledError` that nobody has asked for.
    """
    task = asyncio.current_task()
    with suppress(errors.Error, OSError, TimeoutError, AssertionError):  # the last is nats-py's word for "never began"
        async with asyncio.timeout(timeout_ns / 1e9):
            try:
                await client.close()
            except asyncio.CancelledError:
                if task is None or task.cancelling():
                    raise


async def subscribe(client: Client, subject: str, sink: Sink) -> Subscription:
    """Subscribe with a sink, on either form of client."""
    if isinstance(client, OwnClient):
        return await client.subscribe_raw(subject, sink)

    call_soon, arrived = asyncio.get_running_loop().call_soon, list[Frame]()

    def hand_over() -> None:
        frames = arrived.copy()
        arrived.clear()
        sink(frames)

    async def take(message: Msg) -> None:
        reply, headers = message.reply.encode(), message.headers
        block = _block_of(headers, with_status=not reply.startswith(ACK_PREFIX)) if headers else b""
        if not arrived:  # nats-py goes on as long as it has messages: what arrived together is handed over together
            call_soon(hand_over)
        arrived.append((message.subject.encode(), reply, message.data, block))

    # Limits of 0 switch nats-py's own dropping of messages off; what may be in flight is bounded by our windows.
    return await client.subscribe(subject, cb=take, pending_msgs_limit=0, pending_bytes_limit=0)


async def publish(client: Client, subject: str, reply: str, headers: Headers, payload: bytes) -> None:
    """Publish on either form of client.

    Raises:
        InvalidHeaderError: a borrowed client would send another header block than this one.
    """
    if isinstance(client, OwnClient):
        client.publish_raw(subject, reply, headers.block, payload)
        await client.wait_for_room()
        return
    if headers and Headers(headers).block != headers.block:
        raise InvalidHeaderError("a header block with repeated names or odd spaces needs a connection of the storage")
    # An empty mapping would send an empty header block, which is stored and counted.
    await client.publish(subject, payload, reply, dict(headers) if headers else None)


async def round_trip(client: Client, seconds: float) -> None:
    """Wait until the server has seen whatever was sent before; nothing is waited for while there is no connection.

    nats-py's ``flush`` must never be cancelled, nor reach its own deadline: it leaves its cancelled future among
    those that wait for a PONG, and the PONG, once it comes, ends nats-py's reading task for good.

    Args:
        client: either form.
        seconds: how long to wait for each of two PONGs: the first PING may overtake what waits to be written.

    Raises:
        TimeoutError: one did not come.
    """
    for _ in range(2):
        if not client.is_connected:  # subscriptions are sent again with the next connection
            return
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await client._send_ping(pong)
        await asyncio.wait({pong}, timeout=seconds)  # never cancels what it waits for
        if not pong.done():
            raise TimeoutError(f"no PONG within {seconds:g} s")


def _block_of(headers: Mapping[str, str], *, with_status: bool) -> bytes:
    """Return the header block that nats-py parsed into *headers*, the server's status line among them if it has one."""
    rest = dict(headers)
    status = [rest.pop(name) for name in ("Status", "Description") if with_status and name in rest]
    lines = [" ".join(["NATS/1.0", *status]), *(f"{name}: {value}" for name, value in rest.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


Callback = Callable[..., Awaitable[None]]


def chain(client: Client, hooks: Mapping[str, Callable[..., None]]) -> Callable[[], None]:
    """Let *hooks* hear what *client* tells its own callbacks, which are still called; return how to undo it.

    Args:
        client: a connected client.
        hooks: our functions by the name of nats-py's callback argument, such as ``error_cb``.
    """
    before: dict[str, Callback | None] = {}
    ours: dict[str, Callback] = {}
    for name, hook in hooks.items():
        before[name] = getattr(client, f"_{name}")
        ours[name] = _both(hook, before[name])
        setattr(client, f"_{name}", ours[name])

    def undo() -> None:
        for name, callback in ours.items():
            if getattr(client, f"_{name}") is callback:
                setattr(client, f"_{name}", before[name])

    return undo


def _both(first: Callable[..., None], second: Callback | None) -> Callback:
    async def call(*arguments: Any) -> None:
        first(*arguments)
        if second is not None:
            await second(*arguments)

    return call
