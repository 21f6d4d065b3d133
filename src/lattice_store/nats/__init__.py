"""The JetStream backend: `NatsStorage` on a connection made by `connect`, or on one you lend it.

Everything is loaded when first used, so that `LocalServer` costs no client library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lattice_store.nats._connect import connect as connect
    from lattice_store.nats._server import LocalServer as LocalServer
    from lattice_store.nats._storage import NatsStorage as NatsStorage

__all__ = ["LocalServer", "NatsStorage", "connect"]

_PLACES = {"LocalServer": "_server", "NatsStorage": "_storage", "connect": "_connect"}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
