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
        self._found: dict[str, tuple[T, ...]] = {}

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
        """Return the values of all subjects that the literal *subject* matches; one with an empty token matches none."""
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
        return found if literal is None else (literal, *found)

    def _walk(self, tokens: list[str]) -> tuple[T, ...]:
        found: list[T] = []
        if "" in tokens:
            return ()
        level = [self._root]
        for token in tokens:
            below: list[_Node[T]] = []
            for node in level:
                if node.any_rest is not None:
                    found.append(node.any_rest)
                if (literal := node.literal.get(token)) is not None:
                    below.append(literal)
                if node.any_token is not None:
                    below.append(node.any_token)
            if not below:
                return tuple(found)
            level = below
        found += [node.value for node in level if node.value is not None]
        return tuple(found)
