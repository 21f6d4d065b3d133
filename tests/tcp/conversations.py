"""What clients may say, byte by byte: each conversation is one connection's, in one write.

Most end with PING, so that the answer shows whether the connection was still open.
"""

from __future__ import annotations

from typing import Final

_OPTIONS: Final = b'"headers":true,"no_responders":true,"protocol":1'
QUIET: Final = b'CONNECT {"verbose":false,"pedantic":false,' + _OPTIONS + b"}\r\n"
STRICT: Final = b'CONNECT {"verbose":true,"pedantic":true,' + _OPTIONS + b"}\r\n"
END: Final = b"PING\r\n"


def quiet(*lines: bytes) -> bytes:
    return QUIET + b"".join(lines) + END


CONVERSATIONS: Final[dict[str, bytes]] = {
    # -- connecting
    "nothing": b"",
    "a ping": QUIET + END + END,
    "without connect": b"PUB a 1\r\nx\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n",
    "verbose": STRICT + b"SUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1\r\nUNSUB 7\r\nPING\r\nPONG\r\n",
    "connect twice": QUIET + b"SUB a 1\r\n" + QUIET + b"PUB a 1\r\nx\r\n" + END,
    "connect twice, differently": STRICT + b'CONNECT {"verbose":false}\r\nSUB a 1\r\n' + END,
    "connect says nothing": b"CONNECT {}\r\nPING\r\n",
    "connect is null": b"CONNECT null\r\nPING\r\n",
    "connect without a space": b'CONNECT{"verbose":false}\r\nPING\r\n',
    "connect in small letters": b'connect {"verbose":false}\r\nping\r\n',
    "connect in other spellings": b'CONNECT {"Verbose":false,"unknown":1}\r\nPING\r\n',
    "connect with null": b'CONNECT {"verbose":null,"echo":null}\r\nPING\r\n',
    "connect with a field twice": b'CONNECT {"verbose":true,"verbose":false}\r\nPING\r\n',
    "connect without json": b"CONNECT\r\nPING\r\n",
    "connect with half json": b'CONNECT {"verbose":\r\nPING\r\n',
    "connect with more than json": b'CONNECT {"verbose":false} x\r\nPING\r\n',
    "connect is a list": b"CONNECT []\r\nPING\r\n",
    "connect with a wrong type": b'CONNECT {"verbose":"x"}\r\nPING\r\n',
    "connect with a wrong number": b'CONNECT {"lang":5}\r\nPING\r\n',
    "connect with a fraction": b'CONNECT {"protocol":0.5}\r\nPING\r\n',
    "connect to an account": b'CONNECT {"verbose":false,"account":"X"}\r\nPING\r\n',
    "connect to a new account": b'CONNECT {"verbose":false,"new_account":true}\r\nPING\r\n',
    "protocol 2": b'CONNECT {"verbose":false,"protocol":2}\r\nPING\r\n',
    "protocol larger than a number can be": b'CONNECT {"verbose":false,"protocol":9223372036854775808}\r\nPING\r\n',
    "protocol -1": b'CONNECT {"verbose":false,"protocol":-1}\r\nPING\r\n',
    "no responders without headers": b'CONNECT {"verbose":false,"no_responders":true}\r\nPING\r\n',
    "credentials nobody asked for": b'CONNECT {"verbose":false,"user":"a","pass":"b","auth_token":"c"}\r\nPING\r\n',
    # -- what is no operation
    "no verb": quiet(b"FOO\r\n"),
    "no verb, and no end": QUIET + b"SI",
    "a verb goes wrong": quiet(b"PUX\r\n"),
    "a verb goes wrong late": quiet(b"UNSUBX 1\r\n"),
    "a verb goes on": quiet(b"PUBX a 1\r\n"),
    "a verb and no blank": quiet(b"SUB\r\n"),
    "of other servers": quiet(b"RS+ a\r\n"),
    "of other accounts": quiet(b"A+ a\r\n"),
    "of leaf nodes": quiet(b"LS+ a\r\n"),
    "a delivery": quiet(b"MSG a 1 1\r\nx\r\n"),
    "a delivery with headers": quiet(b"HMSG a 1 1\r\nx\r\n"),
    "a delivery of nothing with headers": STRICT + b"HMSG a 1 1 1\r\n\r\n" + END,
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line": quiet(b"\r\n"),
    "a space before a verb": quiet(b" PING\r\n"),
    "ok": quiet(b"+OK\r\n", b"+ok whatever\r\n"),
    "ok goes wrong": quiet(b"+KO\r\n"),
    "an error": quiet(b"-ERR 'x'\r\n"),
    "an error goes wrong": quiet(b"-ERROR x\r\n"),
    "info": quiet(b"INFO {}\r\n"),
    "info without json": quiet(b"INFO x\r\n"),
    "pings with more": quiet(b"PINGabc d\r\nPONGxx\r\nPING \r\n"),
    "a ping goes wrong": quiet(b"PIN\r\n"),
    "an answer nobody asked for": quiet(b"PONG\r\n"),
    # -- lines
    "tabs and spaces": quiet(b"sub\t a \t 1 \r\n", b"pub\ta\tr  1\t\r\nx\r\n"),
    "line feeds alone": quiet(b"SUB a 1\n", b"PUB a 1\nx\r\n", b"PING\n"),
    "a payload behind which stands a line feed alone": quiet(b"PUB a 1\nx\n"),
    "a carriage return within": quiet(b"SUB a\r1\r\n", b"PUB a 1\r\nx\r\n"),
    "two carriage returns": quiet(b"SUB a 1\r\r\n", b"PUB a 1\r\nx\r\n"),
    "a carriage return and a line feed alone": quiet(b"SUB a\r 12\n", b"PUB a 1\r\nx\r\n"),
    "a carriage return in a publish": quiet(b"SUB > 1\r\n", b"PUB a\rb 1\r\nx\r\n"),
    "arguments begin with a line feed": quiet(b"SUB \na 1\r\n", b"PUB a 1\r\nx\r\n"),
    "the longest line": quiet(b"SUB " + b"a" * 4094 + b" 1\r\n"),
    "a line too long": quiet(b"SUB " + b"a" * 4095 + b" 1\r\n"),
    "a line too long that does not end": QUIET + b"SUB " + b"a" * 4097,
    "a publish too long": quiet(b"PUB " + b"a" * 4095 + b" 1\r\nx\r\n"),
    "a long ping": quiet(b"PING" + b"x" * 9000 + b"\r\n"),
    # -- publishing
    "publish": quiet(b"SUB a 1\r\n", b"PUB a 5\r\nhello\r\n", b"PUB a r 0\r\n\r\n"),
    "sizes as written": quiet(b"SUB a 1\r\n", b"PUB a 00\r\n\r\n", b"PUB a 0001\r\nx\r\n"),
    "a size too long": quiet(b"PUB a 0000000001\r\nx\r\n"),
    "no size": quiet(b"PUB a\r\n"),
    "a size that is none": quiet(b"PUB a x\r\n"),
    "a negative size": quiet(b"PUB a -1\r\n"),
    "too many arguments": quiet(b"PUB a b c 1\r\nx\r\n"),
    "no subject": quiet(b"PUB  1\r\n"),
    "a payload too long": quiet(b"PUB a 1\r\nxyz\r\n"),
    "a payload too short": quiet(b"PUB a 5\r\nx\r\n"),
    "too large a payload": quiet(b"PUB a 1048577\r\n"),
    "too large a payload with headers": quiet(b"HPUB a 10 1048577\r\n"),
    "a payload of ends of lines": quiet(b"SUB a 1\r\n", b"PUB a 6\r\n\r\n\r\n\r\n\r\n"),
    "wildcards in a subject": quiet(b"SUB > 1\r\n", b"PUB a.* 1\r\nx\r\n", b"PUB a.> 1\r\nx\r\n", b"PUB * 1\r\nx\r\n"),
    "empty tokens in a subject": quiet(
        b"SUB > 1\r\n", *(b"PUB %b 1\r\nx\r\n" % one for one in (b"a..b", b".a", b"a."))
    ),
    "pedantic about subjects": STRICT
    + b"PUB a.* 1\r\nx\r\nPUB a..b 1\r\nx\r\nPUB a.> r 1\r\nx\r\nPUB a.b 1\r\nx\r\n"
    + END,
    "bytes in a subject": quiet(b"SUB \xff\xfe 1\r\n", b"PUB \xff\xfe 1\r\nx\r\n"),
    "a zero in a subject": quiet(b"SUB a\x00b 1\r\n", b"PUB a\x00b 1\r\nx\r\n"),
    "letters in a subject": quiet("SUB ä.* 1\r\n".encode(), "PUB ä.ö 1\r\nx\r\n".encode()),
    "subjects of the server": quiet(
        b"SUB r 1\r\n",
        *(
            b"PUB %b 1\r\nx\r\n" % one
            for one in (b"$NRG.x", b"$GNR.x", b"_GR_.a.b", b"_GR_.", b"$GR.a", b"$GR.", b'$NRG."\t\\\xff\xc3\xa4')
        ),
    ),
    "replies of the server": quiet(
        *(
            b"PUB a %b 1\r\nx\r\n" % one
            for one in (b"$JS.ACK.x.y", b"$JS.ACK.", b"_R_.x", b"_R_.", b"_GR_.x", b"_GR_.", b"$GR.x")
        )
    ),
    "pedantic about a subject before the payload is there": STRICT + b"PUB a.* 5\r\nxxxxx\r+",
    "patterns in the server's order": quiet(
        *(
            b"SUB %b %d\r\n" % (one, sid)
            for sid, one in enumerate((b"a.b", b"a.*", b"*.b", b"*.*", b"a.>", b">", b"*.>"))
        ),
        *(b"SUB %b q%d %d\r\n" % (one, sid, sid) for sid, one in enumerate((b"a.b", b"a.*", b"*.b"), 10)),
        b"PUB a.b 1\r\nx\r\n",
    ),
    # -- headers
    "headers": quiet(
        b"SUB a 1\r\n",
        b"HPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\n",
        b"HPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\n",
        b"HPUB a 3 3\r\nabc\r\n",
        b"HPUB a 0 1\r\nx\r\n",
        b"HPUB a 003 004\r\nabcd\r\n",
    ),
    "headers longer than all": quiet(b"HPUB a 4 3\r\nabcd\r\n"),
    "headers without a size": quiet(b"HPUB a 3\r\nabc\r\n"),
    "headers of a size that is none": quiet(b"HPUB a x 3\r\nabc\r\n"),
    "headers not agreed upon": b'CONNECT {"verbose":false}\r\nHPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\nPING\r\n',
    "headers not wanted": b'CONNECT {"verbose":false,"headers":true}\r\nSUB a 1\r\nHPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\n'
    b'CONNECT {"verbose":false,"headers":false}\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n',
    # -- subscribing
    "subjects nobody can subscribe to": quiet(
        *(b"SUB %b 1\r\n" % one for one in (b"a..b", b">.a", b".a", b"a.", b"*.>.b"))
    ),
    "a subject of wildcards": quiet(
        b"SUB *.> 1\r\n", b"SUB > 2\r\n", b"PUB a 1\r\nx\r\n", b"UNSUB 2\r\n", b"PUB a.b 1\r\nx\r\n"
    ),
    "the same number twice": quiet(b"SUB a 1\r\n", b"SUB b 1\r\n", b"PUB b 1\r\nx\r\n", b"PUB a 1\r\nx\r\n"),
    "no number": quiet(b"SUB a\r\n"),
    "too much for a subscription": quiet(b"SUB a b c d\r\n"),
    "a number of letters": quiet(b"SUB a #1!\r\n", b"PUB a 1\r\nx\r\n"),
    "the server's queue group": quiet(b"SUB a _sys_ 1\r\n", b"SUB a q 2\r\n", b"PUB a 1\r\nx\r\n"),
    "groups and single ones": quiet(
        b"SUB a q 1\r\n", b"SUB a.* q 2\r\n", b"SUB a 4\r\n", b"PUB a 1\r\nx\r\n", b"PUB a.b 1\r\ny\r\n"
    ),
    "a group over several subjects": quiet(
        b"SUB a.b q 1\r\n", b"UNSUB 1\r\n", b"SUB a.* q 1\r\n", b"PUB a.b 1\r\ny\r\n"
    ),
    # -- unsubscribing
    "no subscription": quiet(b"UNSUB 1\r\n"),
    "nothing to unsubscribe": quiet(b"UNSUB \r\n"),
    "too much to unsubscribe": quiet(b"UNSUB 1 2 3\r\n"),
    "after two": quiet(b"SUB a 1\r\n", b"UNSUB 1 2\r\n", *(b"PUB a 1\r\n%d\r\n" % one for one in range(4))),
    "after two that were before": quiet(
        b"SUB a 1\r\n", b"PUB a 1\r\n1\r\n", b"PUB a 1\r\n2\r\n", b"UNSUB 1 2\r\n", b"PUB a 1\r\n3\r\n"
    ),
    "after more, then at once": quiet(b"SUB a 1\r\n", b"UNSUB 1 5\r\n", b"UNSUB 1\r\n", b"PUB a 1\r\n3\r\n"),
    "after more, then after fewer": quiet(
        b"SUB a 1\r\n", b"UNSUB 1 5\r\n", b"UNSUB 1 1\r\n", b"PUB a 1\r\n1\r\n", b"PUB a 1\r\n2\r\n"
    ),
    "after a number that is none": quiet(b"SUB a 1\r\n", b"UNSUB 1 x\r\n", b"PUB a 1\r\n3\r\n"),
    "one of a group, after one": quiet(b"SUB a q 1\r\n", b"UNSUB 1 1\r\n", b"PUB a 1\r\n1\r\n", b"PUB a 1\r\n2\r\n"),
    # -- nobody listens
    "nobody responds": quiet(b"SUB r.* 9\r\n", b"PUB x.y r.1 1\r\nx\r\n"),
    "nobody responds, to several": quiet(b"SUB r.* 9\r\n", b"SUB r.1 8\r\n", b"UNSUB 9\r\n", b"PUB x.y r.1 1\r\nx\r\n"),
    "nobody responds, to a group": quiet(b"SUB r q 9\r\n", b"PUB x.y r 1\r\nx\r\n"),
    "nobody responds, nobody cares": quiet(b"SUB a 1\r\n", b"PUB x r 0\r\n\r\n"),
    "nobody responds, not asked for": b'CONNECT {"verbose":false,"headers":true}\r\nSUB r 1\r\nPUB x r 0\r\n\r\nPING\r\n',
    "no echo": b'CONNECT {"verbose":false,"echo":false,"headers":true,"no_responders":true}\r\n'
    b"SUB a 1\r\nSUB r 2\r\nPUB a r 1\r\nx\r\nPING\r\n",
    "nobody takes an ack": quiet(b"SUB r 1\r\n", b"PUB $JS.ACK.a.b.1.1.1.1.1 r 0\r\n\r\n"),
    "nobody knows the system": quiet(b"SUB r 1\r\n", b"PUB $SYS.REQ.SERVER.PING r 0\r\n\r\n"),
    "the first of two is no reply": quiet(
        b"SUB a 1\r\n", b"UNSUB 1 1\r\n", b"PUB a 1\r\nx\r\n", b"SUB r 2\r\n", b"PUB a r 0\r\n\r\n"
    ),
}
