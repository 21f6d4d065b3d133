"""A NATS JetStream server in memory, for tests and for use without a server.

Layers, each importing only what stands below it:

    _foreground run_server: what the commands are made of
    _thread     serve_in_thread: the same for tests without an event loop
    _tcp        serve: the shell that lets real clients connect over TCP
    _storage    SimStorage: the asyncio shell that reads the clock, waits and hands out
    _transcript Recorder, Transcript: what goes over the wire, written down and played again
    _server     SimServer: a core and a clock, with its snapshots and forks
    _replay     what a reader of a replay sees
    _clock      VirtualClock
    _core       the pure state machine: no I/O, no clock, no dice; time is an argument
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lattice_store_sim._clock import VirtualClock
    from lattice_store_sim._core._profile import PROFILES, ServerProfile
    from lattice_store_sim._foreground import run_server
    from lattice_store_sim._serve_options import ServeOptions
    from lattice_store_sim._server import SimServer, Snapshot
    from lattice_store_sim._storage import SimStorage
    from lattice_store_sim._tcp import TcpServer, serve
    from lattice_store_sim._tcp_limits import WireLimits
    from lattice_store_sim._thread import ThreadedServer, serve_in_thread
    from lattice_store_sim._transcript import Recorder, Transcript
    from lattice_store_sim._wire._auth import Auth, User
    from lattice_store_sim._wire._permissions import Allowance, Permissions, Responses

__all__ = [
    "PROFILES",
    "Allowance",
    "Auth",
    "Permissions",
    "Recorder",
    "Responses",
    "ServeOptions",
    "ServerProfile",
    "SimServer",
    "SimStorage",
    "Snapshot",
    "TcpServer",
    "ThreadedServer",
    "Transcript",
    "User",
    "VirtualClock",
    "WireLimits",
    "run_server",
    "serve",
    "serve_in_thread",
]

_HOME = {
    "PROFILES": "_core._profile",
    "Allowance": "_wire._permissions",
    "Auth": "_wire._auth",
    "Permissions": "_wire._permissions",
    "Recorder": "_transcript",
    "Responses": "_wire._permissions",
    "ServeOptions": "_serve_options",
    "ServerProfile": "_core._profile",
    "SimServer": "_server",
    "SimStorage": "_storage",
    "Snapshot": "_server",
    "TcpServer": "_tcp",
    "ThreadedServer": "_thread",
    "Transcript": "_transcript",
    "User": "_wire._auth",
    "VirtualClock": "_clock",
    "WireLimits": "_tcp_limits",
    "run_server": "_foreground",
    "serve": "_tcp",
    "serve_in_thread": "_thread",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # paid by the first use, not by the import

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
