"""The records of a benchmark: as hosts write them, told by their number alone. Pure.

Of 292 bytes on average, which is what real lattices were seen to hold: half links, three in ten claims, the rest
references. A smaller mean makes more of them references, the smallest record there is; a larger one gives
links more values and claims more tags.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import attrs

from lattice_store._records import LinkKey
from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import DEFAULT_LIMITS
from lattice_store.model import Publication

MEAN: Final = 292
LEAST: Final = 130
_LINK, _CLAIMS, _REFERENCE = 308, 373, 128
_LINKS_OF_REST, _REST = 0.625, 0.8
_MIX: Final = 1000
_STRIDE: Final = 619  # shares no factor with _MIX: kinds come mixed, and each run of 1000 has all in proportion
_CHANGED: Final = 100  # one record in so many


class _Mix(NamedTuple):
    """Links and claims in a thousand records, and how many bytes each of them is larger than usual."""

    links: int
    claims: int
    larger: int


def _mix(payload: int) -> _Mix:
    mean_of_rest = _LINKS_OF_REST * _LINK + (1 - _LINKS_OF_REST) * _CLAIMS
    rest = min(_REST, (payload - _REFERENCE) / (mean_of_rest - _REFERENCE))
    links, claims = round(_MIX * rest * _LINKS_OF_REST), round(_MIX * rest * (1 - _LINKS_OF_REST))
    return _Mix(links, claims, max(0, round((payload - MEAN) / _REST)))


def _is_possible(records: object, attribute: object, payload: int) -> None:
    if not LEAST <= payload <= DEFAULT_LIMITS.max_value_bytes // 2:
        raise InvalidArgumentError(f"--payload {payload}: {LEAST} bytes at least, half a megabyte at most")


@attrs.frozen
class Records:
    """The records of one lattice.

    Raises:
        InvalidArgumentError: there cannot be records of this size.
    """

    prefix: str
    keys: int
    payload: int = attrs.field(default=MEAN, validator=_is_possible)
    _mix: _Mix = attrs.field(init=False, default=attrs.Factory(lambda self: _mix(self.payload), takes_self=True))

    def __iter__(self) -> Iterator[Publication]:
        return (self.publication(number) for number in range(self.keys))

    def changed(self, version: int) -> Iterator[Publication]:
        """Yield new values of one record in a hundred."""
        return (self.publication(number, version) for number in range(0, self.keys, _CHANGED))

    def publication(self, number: int, version: int = 0) -> Publication:
        """Return subject and value of a record; the first is a link and the second claims, whatever the mix."""
        place = number * _STRIDE % _MIX
        if number == 0 or (place < self._mix.links and number != 1):
            return self._link(number, version)
        if number == 1 or place < self._mix.links + self._mix.claims:
            return self._claim(number, version)
        return self._reference(number, version)

    @property
    def some_link(self) -> LinkKey:
        return LinkKey(public_key("M", 0), _contract(0))

    @property
    def some_alias(self) -> str:
        return _alias(1)

    def _link(self, number: int, version: int) -> Publication:
        digest = hashlib.blake2b(b"link %d" % number, digest_size=16).hexdigest()
        link_id = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
        more = f',"ZONE":"{_words(self._mix.larger - 10)}"' if self._mix.larger > 10 else ""
        value = (
            f'{{"actor_id":"{public_key("M", number)}","contract_id":"{_contract(number)}","deleted":false,'
            f'"id":"{link_id}","link_name":"default","provider_id":"{public_key("V", number % 50)}",'
            f'"values":{{"URL":"redis://10.0.0.1:6379/{version % 100_000:05}"{more}}}}}'
        )
        return Publication(subject=f"lc.{self.prefix}.linkdefs.{link_id}", payload=value.encode())

    def _claim(self, number: int, version: int) -> Publication:
        key = public_key("M", number)
        value = (
            f'{{"call_alias":"{_alias(number)}","caps":"wasmcloud:httpserver,wasmcloud:keyvalue",'
            f'"iss":"{public_key("A", number % 50)}","name":"actor {number:07}","rev":"{1_631_624_220 + version}",'
            f'"sub":"{key}","tags":"{_words(89 + self._mix.larger)}","version":"0.3.0"}}'
        )
        return Publication(subject=f"lc.{self.prefix}.claims.{key}", payload=value.encode())

    def _reference(self, number: int, version: int) -> Publication:
        url = f"registry.example/bench/actor{number:07}:0.3.10"
        token = base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
        value = f'{{"oci_url":"{url}","public_key":"{public_key("M", number + version)}"}}'
        return Publication(subject=f"lc.{self.prefix}.refmap.{token}", payload=value.encode())


def public_key(letter: str, number: int) -> str:
    """Return what looks like an nkey: 56 letters and digits of base32, the first says of what."""
    digest = hashlib.blake2b(b"%b%d" % (letter.encode(), number), digest_size=35).digest()
    return letter + base64.b32encode(digest).decode()[1:]


def _contract(number: int) -> str:
    return "wasmcloud:keyvalue" if number % 2 else "wasmcloud:messages"


def _alias(number: int) -> str:
    return f"bench/actor{number:07}"


def _words(size: int) -> str:
    """Return so many letters of words between commas, none of them empty."""
    return ("wasmcloud," * (size // 10 + 1))[: size - 1] + "x"
