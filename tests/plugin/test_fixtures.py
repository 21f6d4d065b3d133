"""The fixtures as a user's suite sees them: own processes, every warning an error."""

from __future__ import annotations

import os

import pytest

from tests.plugin.suites import COROUTINE_TESTS, COROUTINES, STYLES, Style, write_suite

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

AUTO, *_ = STYLES


@pytest.mark.nats
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_coroutines_on_both_backends(pytester: pytest.Pytester, style: Style) -> None:
    write_suite(pytester, style, COROUTINES)
    result = pytester.runpytest_subprocess("--lattice-backend=sim,nats")
    result.assert_outcomes(passed=2 * COROUTINE_TESTS + 1)


def test_the_simulator_is_the_default_and_loads_no_client(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        import sys

        async def test_simulated(lattice, lattice_backend):
            assert lattice_backend == "sim"
            assert (await lattice.rebuild()).revision == 0
            assert "nats" not in sys.modules
        """,
    )
    result = pytester.runpytest_subprocess("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_simulated[[]sim] PASSED*"])


def test_time_moves_when_the_test_says_so(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        from lattice_store import StreamConfig

        async def test_ages(lattice_sim, lattice_storage):
            await lattice_storage.create_stream(StreamConfig(name="AGING", max_age_ns=60 * 10**9))
            await lattice_storage.publish("AGING", b"")
            lattice_sim.clock.advance(59)
            assert (await lattice_storage.stream_info("AGING")).state.messages == 1
            lattice_sim.clock.advance(1)
            assert (await lattice_storage.stream_info("AGING")).state.messages == 0

        def test_servers_are_not_shared(lattice_sim):
            assert lattice_sim.clock.monotonic_ns() == 0
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.nats
def test_clients_connect_to_a_simulated_server(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        import asyncio
        import nats

        async def store(url):
            client = await nats.connect(url)
            await client.jetstream().add_stream(name="S", subjects=["s"])
            ack = await client.jetstream().publish("s", b"one")
            await client.close()
            return ack.seq

        def test_without_an_event_loop(lattice_sim_server, lattice_sim_url):
            assert asyncio.run(store(lattice_sim_url)) == 1
            assert lattice_sim_server.url == lattice_sim_url

        async def test_in_a_coroutine(lattice_sim_url):
            assert await store(lattice_sim_url) == 1
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_other_tests_run_once(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        import asyncio

        def test_without_fixtures(): pass

        def test_of_the_simulator(lattice_sim): pass

        def test_of_the_simulator_and_a_storage(lattice_sim, lattice_storage, lattice_backend):
            assert lattice_backend == "sim"

        def test_no_coroutine(lattice_storage):
            for _ in range(2):
                assert asyncio.run(lattice_storage.list_streams()) == ()
        """,
    )
    result = pytester.runpytest_subprocess("--lattice-backend=nats,sim,nats", "-rs")
    result.assert_outcomes(passed=5, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * uses lattice_sim, and a real server is not the simulator"])


@pytest.mark.nats
def test_the_server_ends_with_the_test(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        import asyncio, pathlib

        async def test_running(lattice, _lattice_server):
            await lattice.rebuild()
            pathlib.Path("pid").write_text(str(_lattice_server.pid))

        async def test_a_broken_test_too(lattice, _lattice_server):
            pathlib.Path("pid-of-broken").write_text(str(_lattice_server.pid))
            async with lattice.watch():
                assert await lattice.list(int) == ()
        """,
    )
    pytester.runpytest_subprocess("--lattice-backend=nats").assert_outcomes(passed=1, failed=1)
    for name in ("pid", "pid-of-broken"):
        with pytest.raises(ProcessLookupError):
            os.kill(int((pytester.path / name).read_text()), 0)


@pytest.mark.nats
def test_the_storage_may_be_wrapped(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        from lattice_store.testing import FaultyStorage, RecordingStorage, Refuse

        @pytest.fixture
        def lattice_storage(lattice_storage, request):
            if request.node.originalname == "test_refused":
                return FaultyStorage(lattice_storage, [Refuse("create_stream")])
            return RecordingStorage(lattice_storage)

        async def test_recorded(lattice, lattice_storage):
            await lattice.rebuild()
            assert [call.method for call in lattice_storage.calls][:3] == ["stream_info", "create_stream", "replay"]

        async def test_refused(lattice): pass
        """,
    )
    result = pytester.runpytest_subprocess("--lattice-backend=sim,nats")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["E * lattice_store.errors.StorageUnavailableError: *"])


def test_a_missing_server_is_an_error_of_one_line(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATTICE_STORE_NATS_SERVER", "no-such-server")
    write_suite(pytester, AUTO, COROUTINES)
    result = pytester.runpytest_subprocess("--lattice-backend=sim,nats")
    result.assert_outcomes(passed=COROUTINE_TESTS + 1, errors=COROUTINE_TESTS)
    result.stdout.fnmatch_lines(["$LATTICE_STORE_NATS_SERVER=no-such-server is not a program that can be run"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("*During handling of*")
    result.stdout.no_fnmatch_line("*StorageUnavailableError*")


def test_an_unknown_backend_is_refused(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--lattice-backend=sim,redis")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--lattice-backend: 'redis' is no backend; choose sim, nats or sim,nats"])


def test_fixtures_that_are_not_named_as_arguments(pytester: pytest.Pytester) -> None:
    write_suite(
        pytester,
        AUTO,
        """
        import asyncio, unittest

        def test_by_name(request):
            lattice = request.getfixturevalue("lattice")
            assert asyncio.run(lattice.rebuild()).revision == 0

        async def test_in_a_coroutine(request):
            lattice = request.getfixturevalue("lattice")
            assert (await lattice.rebuild()).revision == 0

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _storage(self, lattice_storage):
                self.storage = lattice_storage

            def test_unittest(self):
                self.assertEqual(asyncio.run(self.storage.list_streams()), ())
        """,
    )
    pytester.runpytest_subprocess("--lattice-backend=sim").assert_outcomes(passed=3)
    result = pytester.runpytest_subprocess("--lattice-backend=sim,nats")
    result.assert_outcomes(failed=2, errors=1)
    result.stdout.fnmatch_lines(["*choose one with --lattice-backend=sim or --lattice-backend=nats*"])
