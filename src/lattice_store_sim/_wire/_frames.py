"""What a delivery looks like on the wire: MSG and HMSG."""

from __future__ import annotations


class Frame:
    """A delivery as its receivers read it: all but the number of the subscription is the same for them."""

    __slots__ = ("_end", "_headers", "_payload", "_plain_end", "_sizes", "_start", "reply")

    def __init__(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes, sizes: bytes = b"") -> None:
        self.reply = reply
        self._start = b"MSG " + subject + b" "
        self._headers = headers
        self._payload = payload
        self._sizes = sizes
        self._end = self._plain_end = b""

    def pieces(self, sid: bytes, *, with_headers: bool) -> tuple[bytes, ...]:
        """Return what one subscription's receiver reads; one that knows no headers gets none."""
        if self._headers and with_headers:
            end = self._end or self._make_end()
            return b"H", self._start, sid, end
        end = self._plain_end or self._make_plain_end()
        return self._start, sid, end

    def _make_end(self) -> bytes:
        size = len(self._headers)
        sizes = self._sizes or b"%d %d" % (size, size + len(self._payload))
        reply = b" %b" % self.reply if self.reply else b""
        self._end = b"%b %b\r\n%b%b\r\n" % (reply, sizes, self._headers, self._payload)
        return self._end

    def _make_plain_end(self) -> bytes:
        sizes = self._sizes if self._sizes and not self._headers else b"%d" % len(self._payload)
        reply = b" %b" % self.reply if self.reply else b""
        self._plain_end = b"%b %b\r\n%b\r\n" % (reply, sizes, self._payload)
        return self._plain_end


def text_of(raw: bytes) -> str:
    """Return what a client wrote as text; bytes that are none are kept in it."""
    return raw.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return a text as it is written to clients."""
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogateescape")
