"""Purges: which messages go, and where the sequences stand afterwards.

Source: nats-server memstore.go and filestore.go, ``PurgeEx`` and ``Compact``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING

from lattice_store.subjects import is_literal
from lattice_store_sim._core._filters import compile_filters

if TYPE_CHECKING:
    from lattice_store_sim._core._log import Log


def purge(log: Log, filter_: str, before: int, keep: int) -> int:
    """Remove messages, return how many.

    Args:
        filter_: of these subjects; empty or ``>`` of all, and then the sequences move too.
        before: those below this sequence, 0 for no bound.
        keep: but for so many of the newest, 0 for none; never together with *before*.
    """
    profile, everything = log.profile, filter_ in ("", ">")
    if before == 1:
        if profile.purge_below_1 == "none" or (
            profile.purge_below_1 == "by storage" and everything and not log.on_file
        ):
            return 0
        return log.remove_all(_matching(log, filter_))
    if everything:
        if not before and not keep:
            return _purge_all(log)
        if keep and profile.memory_keeps_by_sequence and not log.on_file:
            return _purge_below(log, log.last_sequence - keep + 1) if keep < len(log.messages) else 0
        if before:
            return _purge_below(log, before)
    matching = _matching(log, filter_)
    if before:
        return log.remove_all(takewhile(before.__gt__, matching))
    return log.remove_all(matching[: max(0, len(matching) - keep)])


def _matching(log: Log, filter_: str) -> list[int]:
    if filter_ in ("", ">"):
        return list(log.messages)
    if is_literal(filter_):  # a rollup of its subject must not look at the others
        return log.subjects.of(filter_)
    return log.subjects.sequences(compile_filters((filter_,)))


def _purge_all(log: Log) -> int:
    removed = log.remove_all(list(log.messages))
    log.first_sequence = log.last_sequence + 1  # 1 on a stream that was never used
    return removed


def _purge_below(log: Log, before: int) -> int:
    """Remove what is below; beyond the end the next message to be stored gets that sequence."""
    if before > log.last_sequence:
        removed = log.remove_all(list(log.messages))
        log.first_sequence, log.last_sequence = before, before - 1
        return removed
    first_sequence, first_time_ns = log.first_sequence, log.first_time_ns
    removed = log.remove_all(_below(log.messages, before))
    if not log.messages and log.profile.memory_purge_leaves_first and not log.on_file:
        log.first_sequence, log.left_time_ns = first_sequence, first_time_ns
    return removed


def _below(sequences: Iterable[int], before: int) -> list[int]:
    return list(takewhile(before.__gt__, sequences))
