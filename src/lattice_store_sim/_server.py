"""The simulated server: a core and a clock, shared by any number of storages. Its state can be kept and branched."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Generic, TypeVar, cast, overload

from lattice_store.clock import Clock, SystemClock
from lattice_store.errors import InvalidArgumentError, ResetReason
from lattice_store_sim._clock import VirtualClock
from lattice_store_sim._core._image import Kept, begin, newest_ns
from lattice_store_sim._core._names import is_asset_name
from lattice_store_sim._core._profile import NEWEST, ServerProfile, profile_of
from lattice_store_sim._core._room import Room
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._replay import SimReplay
from lattice_store_sim._store_dir import StoreDir

ClockT = TypeVar("ClockT", bound=Clock)


class Shell(ABC):
    """What brings a simulated server to clients outside: it sees all that is published, and ends with the server."""

    @abstractmethod
    def _show(self, subject: str, payload: bytes, block: bytes) -> None:
        """Show subscribers what is being published in this process."""

    @abstractmethod
    def _cut(self) -> None:
        """End all connections: the server stops."""

    @abstractmethod
    def _resume(self) -> None:
        """Serve the server as it is now."""


Profile = ServerProfile | str
"""Which nats-server to be: a profile, or a version such as ``2.12``."""


class Snapshot:
    """The state of a `SimServer` at one moment: streams, messages, consumers and the time. It never changes."""

    __slots__ = ("_core", "_now_ns")

    def __init__(self, core: SimCore, now_ns: int) -> None:
        self._core = core
        self._now_ns = now_ns

    def __repr__(self) -> str:
        return f"Snapshot({', '.join(sorted(self._core.streams))})"


class SimServer(Generic[ClockT]):
    """A simulated server, in this process and without a socket. Several `SimStorage` may share it.

    Args:
        clock: what time it is; a `VirtualClock` makes ages and windows come due when a test says so.
        profile: which version of nats-server to be, such as ``2.12``; the newest by default.
        max_replicas: how many replicas a stream may ask for. A lone server, the default, refuses more than 1.
        domain: the JetStream domain it is in; none by default.
        max_memory: how many bytes streams in memory may hold together; any number by default.
        max_storage: how many bytes streams on file may hold together; any number by default.

    Raises:
        InvalidArgumentError: the domain is no name.
    """

    @overload
    def __init__(
        self: SimServer[SystemClock],
        *,
        profile: Profile = NEWEST,
        max_replicas: int = 1,
        domain: str = "",
        max_memory: int | None = None,
        max_storage: int | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        clock: ClockT,
        profile: Profile = NEWEST,
        max_replicas: int = 1,
        domain: str = "",
        max_memory: int | None = None,
        max_storage: int | None = None,
    ) -> None: ...
    def __init__(
        self,
        *,
        clock: Clock | None = None,
        profile: Profile = NEWEST,
        max_replicas: int = 1,
        domain: str = "",
        max_memory: int | None = None,
        max_storage: int | None = None,
    ) -> None:
        if domain and not is_asset_name(domain, slashes=True):
            raise InvalidArgumentError(f"a domain is a name without dots, spaces and wildcards, not {domain!r}")
        self.clock = cast("ClockT", SystemClock() if clock is None else clock)
        profile = profile if isinstance(profile, ServerProfile) else profile_of(profile)
        room = None if max_memory is max_storage is None else Room(max_memory, max_storage)
        self._core = SimCore(profile, max_replicas=max_replicas, domain=domain, room=room)
        self._replays: dict[str, list[SimReplay]] = {}
        self._shell: Shell | None = None

    def __repr__(self) -> str:
        return f"SimServer({', '.join(self._core.list_streams())})"

    @property
    def profile(self) -> ServerProfile:
        """Which nats-server it is."""
        return self._core.context.profile

    def restart(self) -> None:
        """Stop and start: memory streams are gone, file streams stay, their message IDs are those still stored.

        Replays of a stream that is gone are interrupted; those of a file stream go on. Clients that came over TCP
        lose their connections.
        """
        if self._shell is not None:
            self._shell._cut()
        self._core.restart(now_ns=self.clock.now_ns())
        if self._shell is not None:
            self._shell._resume()
        self._tell_all_replays()

    # -- on file --------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write all file streams into a folder, in place of what it holds; `load` begins with them.

        Raises:
            InvalidArgumentError: the folder cannot be used, or another server uses it.
        """
        with closing(StoreDir(folder)) as store:
            store.begin(self._core)

    @overload
    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, domain: str = "") -> SimServer[SystemClock]: ...
    @overload
    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, clock: ClockT, domain: str = "") -> SimServer[ClockT]: ...
    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, clock: Clock | None = None, domain: str = "") -> SimServer[Any]:
        """Return a server that begins with the file streams of a folder, as one that restarts with them.

        A `VirtualClock` that is behind what is kept there is set to its time.

        Raises:
            InvalidArgumentError: the folder cannot be used, or another server uses it.
            DamagedFileError: a file in it was changed since it was written.
        """
        with closing(StoreDir(folder)) as store:
            server = SimServer(clock=clock or SystemClock(), profile=store.profile(None), domain=domain)
            server._begin(store.load())
        return server

    def _begin(self, kept: Sequence[Kept]) -> None:
        if isinstance(self.clock, VirtualClock):
            self.clock._set(max(self.clock.now_ns(), newest_ns(kept)))
        begin(self._core, kept, now_ns=self.clock.now_ns())

    # -- time travel ----------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Keep the present state, cheaply: messages are shared, not copied."""
        return Snapshot(self._core.copy(), self.clock.now_ns())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a state that was kept, of this server or another; a snapshot may be restored many times.

        A `VirtualClock` goes back too; another clock goes on, and what is past due by then comes due.
        All open replays are interrupted: their streams went back, are gone, or are others. Clients that came over
        TCP lose their connections.
        """
        if self._shell is not None:
            self._shell._cut()
        self._core = snapshot._core.copy()
        if isinstance(self.clock, VirtualClock):
            self.clock._set(snapshot._now_ns)
        if self._shell is not None:
            self._core.forget_clients(now_ns=self.clock.now_ns())
            self._shell._resume()
        for replays in self._replays.values():
            for replay in replays:
                replay.interrupt(ResetReason.STREAM_WENT_BACK)
        self._tell_all_replays()

    def fork(self) -> SimServer[ClockT]:
        """Return a second server in this one's state; from then on neither sees what happens to the other.

        A `VirtualClock` is forked with it, another clock is shared. Open replays stay with this server.
        """
        clock = VirtualClock(self.clock.now_ns()) if isinstance(self.clock, VirtualClock) else self.clock
        forked = SimServer(clock=cast("ClockT", clock))
        forked._core = self._core.copy()
        return forked

    # -- replays --------------------------------------------------------------------------------

    def _tell_replays(self, stream: str | None) -> None:
        """Hand out what a stream has for its replays, or why they end."""
        held = self._core.streams.get(stream or "")
        for replay in self._replays.get(stream or "", ()):
            if held is None:
                replay.interrupt(ResetReason.STREAM_DELETED)
            elif held.created_ns != replay.stream.created_ns:
                replay.interrupt(ResetReason.STREAM_RECREATED)
            elif replay.interrupted is None:
                replay.fill()

    def _tell_all_replays(self) -> None:
        for stream in self._replays:
            self._tell_replays(stream)
