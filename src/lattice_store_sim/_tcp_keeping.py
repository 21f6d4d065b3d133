"""When a server on TCP writes its streams into its folder: before clients hear that something was done, and now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from lattice_store_sim._core._server import SimCore
from lattice_store_sim._store_dir import StoreDir

_LOOKED_THROUGH_S: Final = 0.25
"""After so long what consumers have delivered and what is acked is on file, too."""


class Keeping:
    """Keeps a server in a folder.

    Args:
        store: the folder.
        core: returns the server as it is now.
    """

    def __init__(self, store: StoreDir, core: Callable[[], SimCore]) -> None:
        self._store = store
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Write the server as it is now."""
        self._store.begin(self._core())

    def write(self) -> None:
        """Write what clients are about to hear of; a little later the rest."""
        self._store.write(self._core())
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOKED_THROUGH_S, self.look_through)

    def look_through(self) -> None:
        """Write the rest."""
        self._timer = None
        self._store.look_through(self._core(), thorough=True)

    def end(self) -> None:
        """Write all that is left to be written."""
        if self._timer is not None:
            self._timer.cancel()
        self._store.close(self._core())
