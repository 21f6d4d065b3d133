"""The limit: a plain socket that takes what the server sends and looks at no more of it than it must.

It reads the last frame of what arrived, to know the end, and answers flow control, or the server would stop. The
server's PING is not answered: a drain that took minutes would be cut.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from lattice_store.cli._bench._reach import server_of, tls_context
from lattice_store.cli._bench._task import MeasurementError, Task, Where
from lattice_store.cli._bench._worker import Stopwatch

_BUFFER_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 30.0
_FLOW_CONTROL: Final = b"NATS/1.0 100 FlowControl Request\r\n\r\n"
_ACK_TOKENS: Final = 9
"""Of ``$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>``; others have more."""
_ANSWER, _DATA = b"1", b"2"
"""The two subscriptions."""
_IN_REACH: Final = frozenset(("user", "password", "token"))


def can_drain(where: Where) -> bool:
    """Return whether this module knows the credentials: it signs nothing."""
    return set(where.options) <= _IN_REACH and where.url.startswith(("nats://", "tls://"))


async def drain(task: Task, watch: Stopwatch) -> int:
    with watch:
        link = _Link(server_of(task))
        last = link.ask(f"STREAM.INFO.{task.stream}")["state"]["last_seq"]
        consumer = f"b-{secrets.token_hex(4)}"  # as short as ours: every message carries it
        link.begin(task, consumer)
        count = link.read_until(last)
    link.ask(f"CONSUMER.DELETE.{task.stream}.{consumer}")
    link.close()
    return count


def server_info(where: Where) -> dict[str, Any]:
    """Return what the server says of itself."""
    link = _Link(where)
    link.close()
    return link.info


class _Link:
    def __init__(self, where: Where) -> None:
        url = urlsplit(where.url.split(",")[0])
        self._api = "$JS.API" if where.domain is None else f"$JS.{where.domain}.API"
        self._socket = socket.create_connection((url.hostname or "", url.port or 4222), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        """What was received and not read yet."""
        self.info: dict[str, Any] = json.loads(self._line().removeprefix(b"INFO "))
        context = tls_context(where)
        if context is None and (url.scheme == "tls" or self.info.get("tls_required")):
            context = ssl.create_default_context()
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname=url.hostname)
        self._inbox = f"_INBOX.{secrets.token_hex(8)}"
        about = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python"}
        connect = f"CONNECT {json.dumps({**about, **_credentials(url, where)})}"
        self._send(f"{connect}\r\nSUB {self._inbox}.answer 1\r\nSUB {self._inbox}.data 2")

    def close(self) -> None:
        self._socket.close()

    def ask(self, verb: str) -> dict[str, Any]:
        """Ask JetStream; what else arrives meanwhile is thrown away."""
        self._request(verb, b"")
        while True:
            head = self._line().split()
            if head[0] in (b"MSG", b"HMSG"):
                body = self._exactly(int(head[-1]) + 2)
                if head[2] == _ANSWER:
                    return self._checked(json.loads(body))
            elif head[0] == b"-ERR":
                raise MeasurementError(f"the server said {b' '.join(head).decode()}")

    def begin(self, task: Task, consumer: str) -> None:
        """Create the kind of consumer that a rebuild has."""
        config = {
            "name": consumer,
            "deliver_subject": f"{self._inbox}.data",
            "filter_subject": f"lc.{task.prefix}.>",
            "deliver_policy": "last_per_subject",
            "ack_policy": "none",
            "max_ack_pending": -1,
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": 1_000_000_000,
            "inactive_threshold": 30_000_000_000,
            "mem_storage": True,
            "num_replicas": 1,
        }
        body = json.dumps({"stream_name": task.stream, "config": config}).encode()
        self._request(f"CONSUMER.CREATE.{task.stream}.{consumer}.lc.{task.prefix}.>", body)

    def read_until(self, last: int) -> int:
        """Read until nothing is pending or sequence *last* was seen; return how many messages there were."""
        buffer = bytearray(_BUFFER_BYTES)
        view = memoryview(buffer)
        kept, answered = len(self._rest), b""
        buffer[:kept], self._rest = self._rest, b""
        while True:
            received = self._socket.recv_into(view[kept:])
            if not received:
                raise MeasurementError("the server closed the connection, or sent a frame that is too large")
            end = kept + received
            flow = buffer.find(_FLOW_CONTROL, 0, end)
            while flow >= 0:
                reply = bytes(buffer[buffer.rfind(b"HMSG ", 0, flow) : flow]).split()[3]
                if reply != answered:
                    answered = reply
                    self._send(f"PUB {reply.decode()} 0\r\n")
                flow = buffer.find(_FLOW_CONTROL, flow + 1, end)
            start, stop = _last_frame(buffer, end)
            if start >= 0:
                line = bytes(buffer[start + 2 : stop]).split()
                tokens = line[3].split(b".")
                if len(tokens) != _ACK_TOKENS:  # with the domain, the account and a random end
                    tokens = tokens[:-1]
                whole = stop + 2 + int(line[4]) + 2 <= end
                if whole and (tokens[-1] == b"0" or int(tokens[-4]) >= last):
                    return int(tokens[-3])
                buffer[: end - start] = buffer[start:end]
                end -= start
            kept = end

    def _request(self, verb: str, body: bytes) -> None:
        self._send(f"PUB {self._api}.{verb} {self._inbox}.answer {len(body)}\r\n{body.decode()}")

    def _send(self, line: str) -> None:
        self._socket.sendall(f"{line}\r\n".encode())

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            self._read_more()
        line, self._rest = self._rest.split(b"\r\n", 1)
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._read_more()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _read_more(self) -> None:
        more = self._socket.recv(1 << 16)
        if not more:
            raise MeasurementError("the server closed the connection")
        self._rest += more

    @staticmethod
    def _checked(answer: dict[str, Any]) -> dict[str, Any]:
        if "error" in answer:
            raise MeasurementError(f"JetStream said {answer['error']}")
        return answer


def _last_frame(buffer: bytearray, end: int) -> tuple[int, int]:
    """Return where the last message begins whose first line has arrived, and where that line ends; or -1."""
    start = end
    while (start := buffer.rfind(b"\r\nMSG ", 0, start)) >= 0:
        stop = buffer.find(b"\r\n", start + 2, end)
        if stop >= 0 and buffer[start + 2 : stop].split()[2] == _DATA:
            return start, stop
    return -1, -1


def _credentials(url: SplitResult, where: Where) -> dict[str, str]:
    given = {
        "user": where.options.get("user") or unquote(url.username or ""),
        "pass": where.options.get("password") or unquote(url.password or ""),
        "auth_token": where.options.get("token") or "",
    }
    return {name: value for name, value in given.items() if value}
