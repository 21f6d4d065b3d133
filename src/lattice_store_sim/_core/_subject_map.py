"""Values by subject, some of them with wildcards: finds all that a literal subject matches (nats-server sublist.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from lattice_store.subjects import is_literal

T = TypeVar("T")

_FOUND_KEPT: Final = 4096
"""For how many literal subjects it is remembered what is found; clients ask for the same ones time and again."""


class _Node(Generic[T]):
    """What can follow a token: literal tokens, any token, any rest; and the value whose subject ends here."""

    __slots__ = ("any_rest", "any_token", "literal", "value")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.any_token: _Node[T] | None = None
        self.any_rest: T | None = None
        self.value: T | None = None

    @property
    def empty(self) -> bool:
        return not self.literal and self.any_token is None and self.any_rest is None and self.value is None


class SubjectMap(Generic[T]):
    """A value for each subject; those without wildcards are found in a dictionary, the rest in a tree of tokens."""

    def __init__(self) -> None:
        self._literal: dict[str, T] = {}
        self._wildcard: dict[str, T] = {}
        self._root: _Node[T] = _Node()
        self._found: dict[str, tuple[tuple[T, ...], tuple[T, ...]]] = {}

    def __iter__(self) -> Iterator[str]:
        yield from self._literal
        yield from self._wildcard

    def get(self, subject: str) -> T | None:
        """Return the value of just that subject, wildcards and all."""
        return self._literal.get(subject) or self._wildcard.get(subject)

    def set(self, subject: str, value: T) -> None:
        if is_literal(subject):
            self._literal[subject] = value
            return
        self._wildcard[subject] = value
        self._found.clear()
        node = self._root
        *tokens, last = subject.split(".")
        if last == ">":
            self._path(node, tokens).any_rest = value
        else:
            self._path(node, [*tokens, last]).value = value

    def _path(self, node: _Node[T], tokens: list[str]) -> _Node[T]:
        for token in tokens:
            if token == "*":
                node.any_token = node.any_token or _Node()
                node = node.any_token
            else:
                node = node.literal.setdefault(token, _Node())
        return node

    def remove(self, subject: str) -> None:
        """Forget a subject.

        Raises:
            KeyError: it has no value.
        """
        if subject in self._literal:
            del self._literal[subject]
            return
        del self._wildcard[subject]
        self._found.clear()
        self._prune(self._root, subject.split("."))

    def _prune(self, node: _Node[T], tokens: list[str]) -> None:
        if not tokens:
            node.value = None
            return
        token, *rest = tokens
        if token == ">":
            node.any_rest = None
        elif token == "*":
            assert node.any_token is not None
            self._prune(node.any_token, rest)
            if node.any_token.empty:
                node.any_token = None
        else:
            self._prune(node.literal[token], rest)
            if node.literal[token].empty:
                del node.literal[token]

    def match(self, subject: str) -> tuple[T, ...]:
        """Return the values of all subjects that the literal *subject* matches; one with an empty token matches none.

        They come in the order in which the server comes across them, which receivers of several can see.
        """
        literal = self._literal.get(subject)
        if not self._wildcard:
            return () if literal is None else (literal,)
        root = self._root
        first, _, _ = subject.partition(".")
        if first not in root.literal and root.any_token is None and root.any_rest is None:
            return () if literal is None else (literal,)
        found = self._found.get(subject)
        if found is None:
            if len(self._found) >= _FOUND_KEPT:
                self._found.clear()
            found = self._found[subject] = self._walk(subject.split("."))
        before, after = found
        return before + after if literal is None else (*before, literal, *after)

    def _walk(self, tokens: list[str]) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Return what comes before and behind the value of the literal subject itself."""
        found: list[T] = []
        last = None if "" in tokens else self._descend(self._root, tokens, found)
        return tuple(found), () if last is None else (last,)

    def _descend(self, node: _Node[T], tokens: list[str], found: list[T]) -> T | None:
        """Find all but what ends with any token just here, which is returned (sublist.go, ``matchLevel``)."""
        for at, token in enumerate(tokens, 1):
            if node.any_rest is not None:
                found.append(node.any_rest)
            any_token, rest = node.any_token, tokens[at:]
            if any_token is not None and rest and (ending := self._descend(any_token, rest, found)) is not None:
                found.append(ending)
            literal = node.literal.get(token)
            if not rest:
                if literal is not None and literal.value is not None:
                    found.append(literal.value)
                return None if any_token is None else any_token.value
            if literal is None:
                break
            node = literal
        return None
