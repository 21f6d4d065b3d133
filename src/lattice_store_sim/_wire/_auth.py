"""Who may connect: users with passwords or keys, a token (nats-server auth.go, ``processClientOrLeafAuthentication``)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import attrs
import msgspec

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim._wire._ed25519 import verify
from lattice_store_sim._wire._events import ConnectOptions
from lattice_store_sim._wire._permissions import ANYTHING, Permissions, Rights
from lattice_store_sim._wire._server_info import public_key

_USER_KEY: Final = 20 << 3


def _named(value: str | None) -> str:
    return value or ""


@attrs.frozen(kw_only=True)
class User:
    """Somebody who may connect: by name and password, or by the public key of an nkey.

    Args:
        name: with *password*.
        password: with *name*.
        nkey: the public key, which begins with U; the client signs with the seed.
        permissions: what the user may do; anything if not given.
    """

    name: str = ""
    password: str = attrs.field(default="", repr=False)
    nkey: str = ""
    permissions: Permissions | None = None

    def __attrs_post_init__(self) -> None:
        if bool(self.name) == bool(self.nkey):
            raise InvalidArgumentError("a user has either a name or an nkey")
        if self.nkey:
            _key_of(self.nkey)


def _key_of(nkey: str) -> bytes:
    """Return the 32 bytes that the public key of a user says.

    Raises:
        InvalidArgumentError: it is none.
    """
    try:
        raw = base64.b32decode(nkey + "=" * (-len(nkey) % 8))
    except binascii.Error:
        raw = b""
    if len(raw) != 35 or raw[0] != _USER_KEY or public_key(_USER_KEY, raw[1:33]) != nkey:
        raise InvalidArgumentError(
            f"{nkey!r} is not the public key of a user: those have 56 characters and begin with U"
        )
    return raw[1:33]


@attrs.frozen(kw_only=True)
class Auth:
    """Who may connect: the *users*, or whoever has the *token*.

    Args:
        users: with passwords or nkeys.
        token: for those without a name.
        default_user: the name or nkey of the user that clients are who say nothing of themselves.
    """

    users: Sequence[User] = attrs.field(default=(), converter=tuple[User, ...])
    token: str = attrs.field(default="", repr=False, converter=_named)
    default_user: str = ""

    def __attrs_post_init__(self) -> None:
        if bool(self.users) == bool(self.token):
            raise InvalidArgumentError("Auth(users=…) or Auth(token=…): one of them says who may connect")
        if self.default_user and self._find(self.default_user) is None:
            raise InvalidArgumentError(f"the default user {self.default_user!r} is none of the users")

    @property
    def nonce_needed(self) -> bool:
        """Whether clients may have something to sign."""
        return any(user.nkey for user in self.users)

    def named(self, options: ConnectOptions) -> ConnectOptions:
        """Return *options* as the default user's if they say of nobody (``processClientOrLeafAuthentication``)."""
        if not self.default_user or any((options.nkey, options.user, options.password, options.auth_token)):
            return options
        user = self._find(self.default_user)
        assert user is not None
        return msgspec.structs.replace(options, nkey=user.nkey, user=user.name, password=user.password)

    def rights(self, options: ConnectOptions, nonce: str, *, counts_anew: bool = False) -> Rights | None:
        """Return what a client may do, None if it may not connect; *counts_anew* as `Rights` has it."""
        if self.token:
            return ANYTHING if options.auth_token == self.token else None
        user = self._user(options, nonce)
        return None if user is None else Rights(user.permissions, counts_anew=counts_anew)

    def _find(self, identity: str) -> User | None:
        return next((user for user in self.users if identity in (user.name, user.nkey)), None)

    def _user(self, options: ConnectOptions, nonce: str) -> User | None:
        if options.nkey and self.nonce_needed:
            user = next((one for one in self.users if one.nkey == options.nkey), None)
            if user is None or user.nkey == self.default_user:  # who need not sign
                return user
            return user if _is_signed(user.nkey, options.sig, nonce) else None
        user = next((one for one in self.users if one.name and one.name == options.user), None)
        return user if user is not None and options.password == user.password else None


def _is_signed(nkey: str, signature: str, nonce: str) -> bool:
    for alphabet in (b"-_", b"+/"):
        try:
            raw = base64.b64decode(signature + "=" * (-len(signature) % 4), altchars=alphabet, validate=True)
        except (binascii.Error, ValueError):
            continue
        return verify(_key_of(nkey), nonce.encode(), raw)
    return False
