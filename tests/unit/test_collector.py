import gc

import pytest

from lattice_store._collector import paused


@pytest.fixture(autouse=True)
def collector():
    before = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if before else gc.disable)()


def test_it_is_off_until_the_last_of_several_ends():
    with paused():
        assert not gc.isenabled()
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_on_again_after_an_error():
    with pytest.raises(ZeroDivisionError), paused():
        1 / 0  # noqa: B018  # the error
    assert gc.isenabled()


def test_it_is_left_alone_if_that_is_not_wanted_or_it_was_off():
    with paused(wanted=False):
        assert gc.isenabled()
    gc.disable()
    with paused():
        assert not gc.isenabled()
    assert not gc.isenabled()
