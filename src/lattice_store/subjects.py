"""Subjects, filters, stream names and prefixes: what is allowed, what matches what. Pure.

A subject is a list of tokens joined by dots. A filter may hold ``*`` (one token) and, as its last
token, ``>`` (one or more tokens). Both count only as whole tokens: ``a*`` is a literal token
(nats-server ``sublist.go``).
"""

from __future__ import annotations

import re
from typing import Final

from lattice_store.errors import InvalidPrefixError, InvalidSubjectError
from lattice_store.limits import MAX_STREAM_NAME_BYTES, MAX_SUBJECT_BYTES

_TOKENS: Final = re.compile(r"[!-\-/-~]+(?:\.[!-\-/-~]+)*")  # printable ASCII without space and dot
_WILDCARD: Final = re.compile(r"(?:^|\.)[*>](?:\.|$)")
_STREAM_NAME: Final = re.compile(r"(?:(?![.*>/\\])[!-~])+")
_NEW_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_literal(subject: str) -> bool:
    """Return whether *subject* has no wildcard token."""
    return ("*" not in subject and ">" not in subject) or _WILDCARD.search(subject) is None


def check_subject(subject: str) -> None:
    """Accept a literal subject to publish on: printable ASCII tokens, no wildcard, at most 1024 bytes.

    Raises:
        InvalidSubjectError: it is not one.
    """
    check_filter(subject)
    if not is_literal(subject):
        raise InvalidSubjectError(f"subject {subject!r} has a wildcard token; a publish needs a literal subject")


def check_filter(subject: str) -> None:
    """Accept a subject that may hold ``*`` and a final ``>``.

    Raises:
        InvalidSubjectError: it is not one.
    """
    if len(subject) > MAX_SUBJECT_BYTES:
        raise InvalidSubjectError(f"subject of {len(subject)} bytes; at most {MAX_SUBJECT_BYTES} are allowed")
    if _TOKENS.fullmatch(subject) is None:
        raise InvalidSubjectError(
            f"subject {subject!r} is not a dot-separated list of non-empty tokens of printable ASCII"
        )
    if ">" in subject and ".>." in f".{subject}":
        raise InvalidSubjectError(f"subject {subject!r} has '>' before its last token")


def check_stream_name(name: str) -> None:
    r"""Accept a stream name: 1-255 printable ASCII characters, none of ``. * > / \`` and no space.

    Raises:
        InvalidSubjectError: it is not one.
    """
    if len(name) > MAX_STREAM_NAME_BYTES or _STREAM_NAME.fullmatch(name) is None:
        raise InvalidSubjectError(
            f"stream name {name!r} is not 1-{MAX_STREAM_NAME_BYTES} printable ASCII characters without . * > / \\"
        )


def check_prefix(prefix: str) -> None:
    """Accept the prefix of an existing lattice: any single literal token that may also end a stream name.

    Raises:
        InvalidPrefixError: it is not one.
    """
    if len(prefix) > MAX_STREAM_NAME_BYTES // 2 or _STREAM_NAME.fullmatch(prefix) is None:
        raise InvalidPrefixError(f"lattice prefix {prefix!r} is not a single token without . * > / \\ or space")


def check_new_prefix(prefix: str) -> None:
    """Accept the prefix of a lattice to be created: ``[A-Za-z0-9_-]{1,64}``.

    Raises:
        InvalidPrefixError: it is not one.
    """
    if _NEW_PREFIX.fullmatch(prefix) is None:
        raise InvalidPrefixError(f"lattice prefix {prefix!r} is not 1-64 characters of A-Z a-z 0-9 _ -")


def matches(filter_: str, subject: str) -> bool:
    """Return whether the literal *subject* is matched by *filter_*."""
    if filter_ in (">", subject):
        return True
    if is_literal(filter_):
        return False
    wanted, given = filter_.split("."), subject.split(".")
    for position, token in enumerate(wanted):
        if token == ">":
            return len(given) > position
        if position >= len(given) or (token != "*" and token != given[position]):
            return False
    return len(wanted) == len(given)


def overlap(left: str, right: str) -> bool:
    """Return whether some literal subject is matched by both filters ("collide" in nats-server)."""
    lefts, rights = left.split("."), right.split(".")
    for a, b in zip(lefts, rights, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(lefts) == len(rights)


def covers(filter_: str, narrower: str) -> bool:
    """Return whether every literal subject that *narrower* matches is matched by *filter_* too."""
    wide, narrow = filter_.split("."), narrower.split(".")
    for position, token in enumerate(wide):
        if token == ">":
            return len(narrow) > position
        if position >= len(narrow) or narrow[position] == ">":
            return False
        if token != "*" and token != narrow[position]:
            return False
    return len(wide) == len(narrow)
