"""A progress bar for what takes long enough to be worth one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lattice_store.cli._session import Session

_WORTH_A_BAR: Final = 5_000  # messages; fewer are there before the eye is


@contextmanager
def progress_bar(session: Session, what: str, *, while_printing: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with the messages read and those to come; it draws on stderr, if that is a terminal."""
    if not session.stderr.isatty() or (while_printing and session.stdout.isatty()):
        yield _ignore
        return
    from rich.progress import Progress

    with Progress(console=session.console(session.stderr), transient=True) as progress:
        task = progress.add_task(what, total=None, visible=False)

        def update(done: int, pending: int) -> None:
            total = done + pending
            progress.update(task, completed=done, total=total, visible=total > _WORTH_A_BAR)

        yield update


@contextmanager
def steps_bar(session: Session, total: int) -> Iterator[Callable[[str, int], None]]:
    """Yield a function to call with name and number of each of *total* steps as it begins."""
    if not session.stderr.isatty():
        yield _ignore
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    layout = TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*layout, console=session.console(session.stderr), transient=True) as progress:
        task = progress.add_task("", total=total, visible=False)
        begun = 0

        def update(name: str, number: int) -> None:
            nonlocal begun
            progress.update(task, completed=begun, description=f"{name}, run {number + 1}", visible=True)
            begun += 1

        yield update


def _ignore(*_: object) -> None:
    pass
