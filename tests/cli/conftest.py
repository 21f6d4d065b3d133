"""Where the command runs in these tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from lattice_store.nats import LocalServer
from tests.cli.harness import Place, real, simulated

_numbers = itertools.count(1)
_VARIABLES = ("LATTICE_STORE_URL", "NATS_URL", "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN", "NATS_CREDS", "NATS_NKEY")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own NATS set-up reaches a test."""
    for variable in (*_VARIABLES, "NATS_CA", "NATS_CERT", "NATS_KEY", "NATS_TIMEOUT", "WASMCLOUD_LATTICE_PREFIX"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """A server shared by all tests; they keep apart by prefix."""
    with LocalServer() as running:
        yield running


@pytest.fixture(params=["sim", pytest.param("nats", marks=pytest.mark.nats)])
def place(request: pytest.FixtureRequest) -> Place:
    """A lattice that does not exist yet, on each backend."""
    if request.param == "sim":
        return simulated()
    return real(request.getfixturevalue("server").url, f"test-{next(_numbers)}")


@pytest.fixture
def filled(place: Place) -> Place:
    """The same, with five recorded records at revisions 1 to 5; one link holds a secret."""
    assert place.fill() == [1, 2, 3, 4, 5]
    return place
