"""Subject filters made ready for use: many subjects are asked, so the filter is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lattice_store.subjects import is_literal, matches

Wants = Callable[[str], bool]


def everything(subject: str) -> bool:
    """Want any subject; compared by identity, so that nothing is asked where everything is wanted."""
    return True


def nothing(subject: str) -> bool:
    """Want no subject."""
    return False


def compile_filters(filters: Sequence[str]) -> Wants:
    """Return whether a literal subject is matched by any of *filters*; no filter at all wants everything."""
    if not filters or ">" in filters:
        return everything
    wanted = [_compile(one) for one in filters]
    return wanted[0] if len(wanted) == 1 else lambda subject: any(wants(subject) for wants in wanted)


def _compile(filter_: str) -> Wants:
    if is_literal(filter_):
        return filter_.__eq__
    prefix = filter_.removesuffix(">")
    if prefix.endswith(".") and is_literal(prefix[:-1]):
        return lambda subject: subject.startswith(prefix)
    return lambda subject: matches(filter_, subject)
