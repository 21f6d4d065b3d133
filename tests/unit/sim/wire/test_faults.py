"""Faults on the wire: how they are said, and that their dice always fall alike."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import faults
from lattice_store_sim.faults import (
    CutAfter,
    Delay,
    Drop,
    Fault,
    Faults,
    NoResponders,
    Refuse,
    RestartAfter,
    StallAfter,
    parse,
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop=0.1", Drop(chance=0.1)),
        ("drop", Drop()),
        ("drop=0.5,subject=orders.>,way=in,times=3", Drop(subject="orders.>", way="in", chance=0.5, times=3)),
        ("delay=0.05", Delay(0.05)),
        ("cut-after=4096", CutAfter(4096)),
        ("cut-after=4096,times=2,chance=0.5", CutAfter(4096, times=2, chance=0.5)),
        ("refuse", Refuse()),
        ("refuse,times=2", Refuse(times=2)),
        ("refuse=0.5", Refuse(chance=0.5)),
        ("no-responders=$JS.API.>", NoResponders("$JS.API.>")),
        ("no-responders", NoResponders()),
        ("stall-after=10,seconds=0.5", StallAfter(10, seconds=0.5)),
        ("restart-after=100,times=1", RestartAfter(100, times=1)),
    ],
)
def test_faults_as_text(text, fault):
    assert parse(text) == fault
    assert pickle.loads(pickle.dumps(fault)) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no fault: those are cut-after, delay, drop, no-responders"),
        ("dropp=1", "'dropp=1' is no fault"),
        ("drop=x", "'x' in 'drop=x' is no number"),
        ("drop=2", "chance=2.0 is no probability"),
        ("drop,sometimes=1", "'sometimes=1' in 'drop,sometimes=1' is no option of drop: "),
        ("drop,subject=a..b", "subject 'a..b' is not a dot-separated list"),
        ("drop,way=up", "way='up' is none of both, in, out"),
        ("cut-after", "'cut-after' does not say bytes: cut-after=…"),
        ("cut-after=1.5", "'1.5' in 'cut-after=1.5' is no number"),
        ("delay=-1", "seconds=-1.0 is below 0"),
        ("restart-after=0", "messages=0 is below 1"),
        ("refuse,times=-1", "times=-1 is below 0"),
    ],
)
def test_what_is_no_fault(text, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        parse(text)
    assert str(caught.value).startswith(problem)


def test_without_faults_nothing_goes_wrong():
    none = Faults()
    assert not none
    none.note_published()
    assert not none.drops(("a",), "in")
    assert not none.is_unheard("a")
    assert not none.refuses()
    assert (none.cut_after(), none.stall_after(), none.delay_s()) == (None, None, 0)


def seen(holder: Faults, subjects: list[str]) -> list[bool]:
    return [holder.drops((subject,), "out") for subject in subjects]


subjects = st.lists(st.sampled_from(["a", "a.b", "c"]), min_size=20, max_size=60)


@given(subjects, st.floats(0.2, 0.8), st.integers(0, 2**64))
def test_the_same_seed_does_the_same(names, chance, seed):
    runs = []
    for others in ([], [Refuse(chance=0.5), Drop(subject="nothing", chance=0.5)]):
        holder = Faults(seed)
        holder.set(Drop(chance=chance), *others)
        runs.append(seen(holder, names))
        holder.set(Drop(chance=chance), *others)
        runs.append(seen(holder, names))
    assert runs == runs[:1] * 4


def test_other_seeds_do_something_else():
    runs = set()
    for seed in range(20):
        holder = Faults(seed)
        holder.set(Drop(chance=0.5))
        runs.add(tuple(seen(holder, ["a"] * 40)))
    assert len(runs) == 20
    assert 0.4 < sum(map(sum, runs)) / 800 < 0.6


@given(subjects, st.integers(0, 5))
def test_it_happens_no_more_often_than_it_may(names, times):
    holder = Faults()
    holder.set(Drop(times=times, subject="a.>"))
    assert sum(seen(holder, names)) == min(times, names.count("a.b"))


def test_on_which_way():
    holder = Faults()
    holder.set(Drop(way="in"))
    assert holder.drops(("a",), "in")
    assert not holder.drops(("a",), "out")
    holder.set(Drop(subject="b"))
    assert not holder.drops(("", "a"), "out")
    assert holder.drops(("a", "b"), "out")


def test_the_server_restarts_after_so_many_messages():
    restarts = []
    holder = Faults(restart=lambda: restarts.append(None))
    holder.set(RestartAfter(3, times=2))
    counted = []
    for _ in range(10):
        holder.note_published()
        counted.append(len(restarts))
    assert counted == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]


def test_several_faults_of_a_kind():
    holder = Faults()
    holder.set(CutAfter(10, times=1), CutAfter(5, times=2), Delay(0.1), Delay(0.2))
    assert [holder.cut_after() for _ in range(3)] == [5, 5, None]
    assert holder.delay_s() == pytest.approx(0.3)
    assert list(holder)[:1] == [CutAfter(10, times=1)]
    assert repr(holder).startswith("Faults(CutAfter(bytes=10, chance=1.0, times=1), ")


def test_every_kind_can_be_said_in_a_text():
    kinds = {value for name in faults.__all__ if isinstance(value := getattr(faults, name), type)}
    assert {type(parse(f"{name}=1")) for name in faults_by_name()} == {
        kind for kind in kinds if issubclass(kind, Fault) and kind is not Fault
    }


def faults_by_name() -> list[str]:
    with pytest.raises(InvalidArgumentError) as caught:
        parse("?")
    return str(caught.value).partition("those are ")[2].split(", ")


def test_a_chance_without_its_name_is_no_subject():
    with pytest.raises(InvalidArgumentError) as caught:
        Drop(0.1)
    assert str(caught.value) == "subject=0.1 is no subject; a chance is given as chance=…"
