"""Test suites as users write them, in the three styles of asynchronous tests."""

from __future__ import annotations

from textwrap import dedent

import attrs
import pytest


@attrs.frozen
class Style:
    """How a suite says that its coroutines are tests and fixtures."""

    name: str
    ini: str
    header: str
    fixture: str = "@pytest.fixture"


STYLES = (
    Style(
        "asyncio-auto",
        ini="asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function",
        header="import pytest",
    ),
    Style(
        "asyncio-strict",
        ini="asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function",
        header="import pytest, pytest_asyncio\npytestmark = pytest.mark.asyncio",
        fixture="@pytest_asyncio.fixture",
    ),
    Style(
        "asyncio-one-loop",
        ini=(
            "asyncio_mode = auto\n"
            "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session"
        ),
        header="import pytest",
    ),
    Style(
        "anyio",
        ini="addopts = -p no:asyncio",
        header=(
            "import pytest\npytestmark = pytest.mark.anyio\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'"
        ),
    ),
)

COROUTINES = """
import asyncio
from lattice_store import LinkDefinition, OciReference

IMAGE = OciReference(oci_url="registry.example/echo:1", public_key="MECHO")

{fixture}
async def live(lattice):
    async with lattice.attach() as live:
        yield live
    # The connection still stands when the fixtures that use it are torn down.
    assert await lattice.list(LinkDefinition) == ()

async def test_put_and_get(lattice):
    assert lattice.prefix == "default"
    assert await lattice.put(IMAGE) == 1
    assert (await lattice.get(IMAGE.key)).record == IMAGE

async def test_each_test_has_its_own(lattice):
    assert await lattice.list(OciReference) == ()

async def test_a_fixture_of_the_user(live, lattice):
    assert await lattice.put(IMAGE) == 1
    assert live.view.oci_references[IMAGE.key].record == IMAGE

async def test_the_storage_is_empty(lattice_storage):
    assert await lattice_storage.list_streams() == ()

async def test_first_calls_at_once(lattice_storage):
    assert await asyncio.gather(*[lattice_storage.list_streams() for _ in range(5)]) == [()] * 5

async def test_the_storage_may_be_closed_by_the_test(lattice_storage):
    async with lattice_storage:
        await lattice_storage.list_streams()

async def test_fixtures_leave_no_task_behind():
    leftovers = [task.get_name() for task in asyncio.all_tasks() if "nats" in repr(task)]
    assert leftovers == []
"""
COROUTINE_TESTS = 6  # that use a fixture of ours; one more does not


def write_suite(pytester: pytest.Pytester, style: Style, body: str) -> None:
    """Write a project of one test module in *style*; every warning is an error there."""
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{style.ini}\n")
    pytester.makepyfile(test_suite=f"{style.header}\n{dedent(body).replace('{fixture}', style.fixture)}")
