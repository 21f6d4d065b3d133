"""Signatures with Ed25519, verified: RFC 8032, section 5.1.7. Slow, and nothing here is secret."""

from __future__ import annotations

import hashlib
from typing import Final

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z."""


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the owner of a public key signed the message."""
    point = _point(public_key)
    if len(signature) != 64 or point is None:
        return False
    commitment, scalar = _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if commitment is None or scalar >= _ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    return _equal(_multiplied(scalar, _BASE), _sum(commitment, _multiplied(challenge, point)))


def _x(y: int, *, odd: bool) -> int | None:
    """Return the x of the curve at *y*, None if there is none."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    root = pow(square, (_P + 3) // 8, _P)
    if (root * root - square) % _P:
        root = root * _ROOT_OF_MINUS_1 % _P
    if (root * root - square) % _P or (root == 0 and odd):
        return None
    return root if root % 2 == odd else _P - root


def _point(encoded: bytes) -> _Point | None:
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    y = number & (2**255 - 1)
    if y >= _P:
        return None
    x = _x(y, odd=bool(number >> 255))
    return None if x is None else (x, y, 1, x * y % _P)


def _sum(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiplied(scalar: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        scalar >>= 1
    return total


def _equal(one: _Point, other: _Point) -> bool:
    return (one[0] * other[2] - other[0] * one[2]) % _P == 0 == (one[1] * other[2] - other[1] * one[2]) % _P


_BASE_Y: Final = 4 * pow(5, -1, _P) % _P
_BASE_X: Final = _x(_BASE_Y, odd=False) or 0
_BASE: Final[_Point] = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
