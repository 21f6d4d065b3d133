"""Running the command in this process, on a storage that the test can look into."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs

from lattice_store import Lattice, Storage
from lattice_store._json import decode
from lattice_store._open import open_storage
from lattice_store._records import Kind
from lattice_store.cli._app import run
from lattice_store.cli._session import Opener, Session
from lattice_store.limits import DEFAULT_LIMITS, Limits
from lattice_store_sim import SimServer, SimStorage
from tests.unit.samples import CLAIMS, LINKS, REFERENCES

T = TypeVar("T")

KVCOUNTER, HTTP_SERVER = CLAIMS[0], CLAIMS[1]
HTTP_LINK, KEYVALUE_LINK = LINKS[0], LINKS[1]
ECHO = REFERENCES[1][0]
SECRET = "redis://user:hunter2@db"
RECORDS = [KVCOUNTER, HTTP_SERVER, HTTP_LINK, {**KEYVALUE_LINK, "values": {"URL": SECRET}}, ECHO]


@attrs.frozen
class Result:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def jsonl(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]

    @property
    def complaint(self) -> str:
        """The one line on stderr, without the name of the command."""
        (line,) = self.err.splitlines()
        assert line.startswith("lattice-store: ")
        return line.removeprefix("lattice-store: ")


def command(
    *arguments: str,
    stdin: str | bytes = b"",
    opener: Opener = open_storage,
    terminal: bool = False,
    errors_to_terminal: bool = False,
) -> Result:
    """Run the command; it sees pipes, or else terminals."""
    out = _Terminal() if terminal else io.StringIO()
    err = _Terminal() if terminal or errors_to_terminal else io.StringIO()
    given = io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin)
    code = run(arguments, Session(given, out, err, opener))
    return Result(code, out.getvalue(), err.getvalue())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@attrs.frozen
class Place:
    """A lattice on some backend: the command runs there, and so does what a test does behind its back."""

    prefix: str
    opener: Opener

    def command(self, *arguments: str, **options: Any) -> Result:
        return command(*arguments, "--lattice", self.prefix, opener=self.opener, **options)

    def do(self, work: Callable[[Storage, Lattice], Awaitable[T]]) -> T:
        async def working() -> T:
            async with self.opener("the place") as storage:
                return await work(storage, Lattice(storage, self.prefix))

        return asyncio.run(working())

    def ensure(self) -> None:
        self.do(lambda _, lattice: lattice.ensure())

    def publish(self, tail: str, value: Any) -> int:
        """Store a value as any client might: bytes as they are, everything else as JSON."""
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.do(lambda storage, _: storage.publish(f"lc.{self.prefix}.{tail}", payload)).sequence

    def fill(self, values: Iterable[dict[str, Any]] = RECORDS) -> list[int]:
        """Make the lattice and store records, as a host would; return their revisions."""

        async def filling(_: Storage, lattice: Lattice) -> list[int]:
            await lattice.ensure()
            return [await lattice.put(record_of(value)) for value in values]

        return self.do(filling)


def record_of(value: dict[str, Any]) -> Any:
    kinds = {"sub": Kind.CLAIMS, "actor_id": Kind.LINK, "oci_url": Kind.OCI_REFERENCE}
    return decode(next(kind for field, kind in kinds.items() if field in value), json.dumps(value).encode())


def simulated(prefix: str = "test") -> Place:
    server = SimServer()

    @asynccontextmanager
    async def opener(url: str, **options: Any) -> AsyncIterator[Storage]:
        async with SimStorage(server) as storage:
            yield storage

    return Place(prefix, opener)


def real(url: str, prefix: str) -> Place:
    @asynccontextmanager
    async def opener(_: str, *, limits: Limits = DEFAULT_LIMITS, **options: Any) -> AsyncIterator[Storage]:
        async with open_storage(url, limits=limits) as storage:
            yield storage

    return Place(prefix, opener)
