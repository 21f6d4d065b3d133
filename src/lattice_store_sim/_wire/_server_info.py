"""What a server tells of itself: INFO, and the answer to $SYS.REQ.USER.INFO (nats-server server.go, events.go)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from lattice_store_sim._core._profile import NEWEST, ServerProfile
from lattice_store_sim._wire._protocol import MAX_PAYLOAD
from lattice_store_sim._wire._times import time_text

ACCOUNT: Final = "$G"
USER_INFO: Final = "$SYS.REQ.USER.INFO"
_SERVER_KEY: Final = 13 << 3
_CURVE_KEY: Final = 23 << 3
_encode: Final = msgspec.json.Encoder().encode


@attrs.frozen(kw_only=True)
class ServerInfo:
    """What is the same for all clients.

    Args:
        seed: the server's keys follow from it.
        host: where it listens.
        port: where it listens.
        profile: which version it is.
        name: what it is called; by default as its key is.
        auth_required: whether clients have to say who they are.
        tls_required: whether the connection is encrypted behind the first INFO.
        tls_verify: whether clients have to show a certificate.
        max_payload: the most bytes of headers and payload together.
        domain: its JetStream domain.
    """

    seed: str = ""
    host: str = "127.0.0.1"
    port: int = 4222
    profile: ServerProfile = NEWEST
    name: str = ""
    auth_required: bool = False
    tls_required: bool = False
    tls_verify: bool = False
    max_payload: int = MAX_PAYLOAD
    domain: str = ""

    @property
    def server_id(self) -> str:
        return public_key(_SERVER_KEY, hashlib.sha256(f"server {self.seed}".encode()).digest())

    @property
    def server_name(self) -> str:
        return self.name or self.server_id

    def line(self, cid: int, ip: str, *, nonce: str = "", connected: bool = False, lame_duck: bool = False) -> bytes:
        """Return INFO for one client.

        Args:
            cid: its number.
            ip: where it comes from.
            nonce: what it has to sign, if anything.
            connected: whether it has an account by now.
            lame_duck: whether the server is about to end.
        """
        profile, server_id = self.profile, self.server_id
        commit, go_version = profile.build
        fields: dict[str, Any] = {
            "server_id": server_id,
            "server_name": self.server_name,
            "version": profile.version,
            "proto": 1,
            "git_commit": commit,
            "go": go_version,
            "host": self.host,
            "port": self.port,
            "headers": True,
            "auth_required": self.auth_required,
            "tls_required": self.tls_required,
            "tls_verify": self.tls_verify,
            "max_payload": self.max_payload,
            "jetstream": True,
            "client_id": cid,
            "client_ip": ip,
            "nonce": nonce,
            "domain": self.domain,
            "ldm": lame_duck,
            "connect_info": connected,
            "remote_account": ACCOUNT if connected else "",
            "api_lvl": profile.api_level if profile.info_after_connect else 0,
            "xkey": self._curve_key() if profile.curve_key else "",
        }
        always = ("max_payload", "headers", "proto")
        return b"INFO " + _encode({name: value for name, value in fields.items() if value or name in always}) + b" \r\n"

    def _curve_key(self) -> str:
        return public_key(_CURVE_KEY, hashlib.sha256(f"curve {self.seed}".encode()).digest())

    def user_info(self, user: str, permissions: Mapping[str, Any], number: int, now_ns: int) -> bytes | None:
        """Return what a client is told of itself, None if this version tells nothing.

        Args:
            user: as it introduced itself.
            permissions: what it may do, empty for anything.
            number: of the answer.
            now_ns: when.
        """
        profile = self.profile
        if profile.user_info == "none":
            return None
        flags = dict(flag.split("=") for flag in profile.feature_flags)
        server: dict[str, Any] = {
            "name": self.server_name,
            "host": self.host,
            "id": self.server_id,
            "ver": profile.version,
            **({"feature_flags": {name: value == "true" for name, value in flags.items()}} if flags else {}),
            "jetstream": True,
            "flags": profile.server_flags,
            "seq": number,
            "time": time_text(now_ns),
        }
        data: dict[str, Any] = {"user": user, "account": ACCOUNT}
        if profile.user_info == "account_name":
            data["account_name"] = ACCOUNT
        if permissions:
            data["permissions"] = permissions
        return _encode({"server": server, "data": data})


def public_key(prefix: int, key: bytes) -> str:
    """Return 32 bytes as NATS writes a public key: a prefix, the key, a checksum, all in base32."""
    raw = bytes([prefix]) + key
    return base64.b32encode(raw + _checksum(raw).to_bytes(2, "little")).rstrip(b"=").decode()


def _checksum(data: bytes) -> int:
    """Return the CRC-16 of the XMODEM kind."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc
