from lattice_store.clock import SystemClock


async def test_the_system_clock_goes_on():
    clock = SystemClock()
    assert clock.now_ns() > 1_700_000_000 * 10**9
    before = clock.monotonic_ns()
    await clock.sleep(0)
    await clock.sleep(-5)
    assert clock.monotonic_ns() >= before
