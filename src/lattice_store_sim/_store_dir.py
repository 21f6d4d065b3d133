"""A folder in which a simulated server keeps its file streams: one file for each, which is written as messages come.

What is written before a message is acked survives the end of the process, however that comes. Consumers are written
when they are created or changed; what they have delivered and what is acked, a moment later. Only a machine that fails
may lose the last seconds, for nothing waits for the disk. The format of the files stands in `_wire._stream_file`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2s
from io import FileIO
from pathlib import Path
from typing import Final

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim._core._image import ConsumerImage, Kept, image_of, images_of_consumers, state_of
from lattice_store_sim._core._journal import Journal
from lattice_store_sim._core._profile import NEWEST, ServerProfile, profile_of
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream import Stream
from lattice_store_sim._wire import _stream_file

if sys.platform != "win32":  # where nothing tells two servers in one folder apart
    import fcntl

_log: Final = logging.getLogger("lattice_store_sim")
_SERVER, _LOCK, _ENDING, _UNFINISHED = "server.json", "lock", ".stream", ".unfinished"
_LETTERS_SHOWN: Final = 60
_SMALL: Final = 1 << 20
_WASTE: Final = 4
"""A file is written anew when it has grown to so many times its size."""


def file_name(stream: str) -> str:
    """Return the name of a stream's file: readable, and another one for each stream even where case does not count."""
    shown = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in stream[:_LETTERS_SHOWN])
    return f"{shown}-{blake2s(stream.encode(), digest_size=6).hexdigest()}{_ENDING}"


class _File:
    """The file of one stream."""

    def __init__(self, path: Path, stream: Stream, changed: dict[_File, None]) -> None:
        self.stream = stream
        self.journal = Journal(stream.log, changed, self)
        self._path = path
        self._file: FileIO | None = None
        self._size = self._smallest = 0
        try:
            self._begin()
        except BaseException:
            self.journal.end()
            raise

    def _begin(self) -> None:
        """Write all of it, in place of what is there."""
        self.journal.take()
        self._note(images_of_consumers(self.stream))
        pieces = _stream_file.whole(image_of(self.stream), self._state, self._consumers, self.stream.log.messages)
        _replace(self._path, pieces)
        self._file = FileIO(self._path, "ab")
        self._size = self._smallest = self._file.tell()

    def _note(self, consumers: list[ConsumerImage]) -> None:
        """Note what the file says from now on."""
        self._config, self._state = self.stream.config, state_of(self.stream)
        self._consumers, self._configs = consumers, self._consumer_configs()

    def _consumer_configs(self) -> list[object]:
        return [each.config for each in self.stream.consumers.values()]

    def write(self, *, thorough: bool) -> None:
        """Append what has changed since the last time.

        Args:
            thorough: also what consumers have delivered, and what is acked.

        Raises:
            OSError: it cannot be written; the next time it is tried again.
        """
        if self._file is None or self._size > _SMALL + _WASTE * self._smallest:
            self.close()
            self._begin()
            return
        former_config, former_state, former_consumers = self._config, self._state, self._consumers
        looked_at = thorough or self._consumer_configs() != self._configs
        self._note(images_of_consumers(self.stream) if looked_at else former_consumers)
        removed, added = self.journal.take()
        stream = None if self._config == former_config else image_of(self.stream)
        state = None if self._state == former_state else self._state
        consumers = None if self._consumers == former_consumers else self._consumers
        if removed or added or stream or state or consumers is not None:
            piece = _stream_file.frame(removed=removed, added=added, stream=stream, state=state, consumers=consumers)
            try:
                _write(self._file, piece)
            except OSError:
                self.close()  # what is there of the last piece is no use: all of it is written anew
                raise
            self._size += len(piece)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def end(self, *, remove: bool = False) -> None:
        """Follow the stream no more."""
        self.journal.end()
        self.close()
        if remove:
            self._path.unlink(missing_ok=True)


def _write(file: FileIO, piece: bytes) -> None:
    if file.write(piece) != len(piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of its own, which then takes the place of the former one: one of the two is there at any moment."""
    unfinished = path.with_suffix(_UNFINISHED)
    with FileIO(unfinished, "wb", opener=_for_us_only) as file:
        for piece in pieces:
            _write(file, piece)
        if path.exists():  # or a machine that fails now may be left with neither
            os.fsync(file.fileno())
    unfinished.replace(path)


def _for_us_only(path: str, flags: int) -> int:
    """Open a file that others on this machine cannot read: a message may hold anything."""
    return os.open(path, flags, 0o600)


class StoreDir:
    """The folder of one server.

    Args:
        path: where; it is made if it is not there.

    Raises:
        InvalidArgumentError: it is no such folder, cannot be used, or another server uses it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._files: dict[str, _File] = {}
        self._changed: dict[_File, None] = {}
        self._requests_seen = -1
        with self._usable():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileIO(self.path / _LOCK, "ab", opener=_for_us_only)
            try:
                if sys.platform != "win32":
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.version = self._read_version()
            except BaseException:
                self._lock.close()
                raise

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Say what is wrong with the folder, whatever it is."""
        try:
            yield
        except BlockingIOError as error:
            raise InvalidArgumentError(f"store_dir {str(self.path)!r} is used by another server") from error
        except OSError as error:
            where = "" if error.filename in (None, str(self.path)) else f", {Path(os.fsdecode(error.filename)).name}"
            raise InvalidArgumentError(f"store_dir {str(self.path)!r}{where}: {error.strerror}") from error

    def _read_version(self) -> str | None:
        """Return which nats-server its streams are of, None if it is new."""
        try:
            return str(json.loads((self.path / _SERVER).read_text())["nats-server"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidArgumentError(f"{self.path / _SERVER} does not tell the version of a server") from error

    def profile(self, wanted: ServerProfile | str | None) -> ServerProfile:
        """Return which server to be: the one that is wanted, or the one whose streams these are.

        Raises:
            InvalidArgumentError: these are two.
        """
        wanted = profile_of(wanted) if isinstance(wanted, str) else wanted
        found = None if self.version is None else profile_of(self.version)
        if wanted is not None and found is not None and wanted != found:
            raise InvalidArgumentError(
                f"store_dir {str(self.path)!r} holds the streams of a nats-server {found.version}, not {wanted.version}"
            )
        return wanted or found or NEWEST

    def load(self) -> list[Kept]:
        """Return all that is kept here.

        Raises:
            InvalidArgumentError: it cannot be read.
            DamagedFileError: a file was changed since it was written.
        """
        kept = []
        for path in sorted(self.path.glob(f"*{_ENDING}")):
            with self._usable():
                data = path.read_bytes()
            kept.append(_stream_file.read(data, str(path)))
        return kept

    def begin(self, core: SimCore) -> None:
        """Keep the streams of a server from now on, in place of what is here.

        Raises:
            InvalidArgumentError: it cannot be written.
        """
        version = core.context.profile.version
        known = {file_name(name) for name in core.streams}
        with self._usable():
            if version != self.version:
                _replace(self.path / _SERVER, [json.dumps({"nats-server": version}).encode() + b"\n"])
                self.version = version
            for path in [*self.path.glob(f"*{_ENDING}"), *self.path.glob(f"*{_UNFINISHED}")]:
                if path.name not in known:
                    path.unlink()
        self.look_through(core, thorough=True)

    def write(self, core: SimCore) -> None:
        """Write what must not be lost: before it, no client may hear that it was done."""
        requests = core.context.api_requests
        if requests != self._requests_seen:
            self._requests_seen = requests
            self.look_through(core, thorough=False)
        for file in list(self._changed):
            self._try(file, thorough=False)

    def look_through(self, core: SimCore, *, thorough: bool) -> None:
        """Write all that has changed, and if *thorough* what has changed among consumers."""
        kept = {name: stream for name, stream in core.streams.items() if stream.log.on_file}
        for name in [name for name, file in self._files.items() if kept.get(name) is not file.stream]:
            self._files.pop(name).end(remove=name not in kept)
        for name, stream in kept.items():
            if name in self._files:
                self._try(self._files[name], thorough=thorough)
            else:
                try:
                    self._files[name] = _File(self.path / file_name(name), stream, self._changed)
                except OSError as error:
                    self._complain(name, error)

    def _try(self, file: _File, *, thorough: bool) -> None:
        try:
            file.write(thorough=thorough)
        except OSError as error:
            self._complain(file.stream.config.name, error)

    def _complain(self, stream: str, error: OSError) -> None:
        _log.error("stream %s cannot be kept in %s: %s", stream, self.path, error.strerror)

    def close(self, core: SimCore | None = None) -> None:
        """Write all that is left to be written of a server, and let another one use the folder."""
        if core is not None:
            self.look_through(core, thorough=True)
        for file in self._files.values():
            file.end()
        self._files.clear()
        self._lock.close()
