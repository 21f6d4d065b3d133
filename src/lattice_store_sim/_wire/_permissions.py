"""What a client may publish and listen to (nats-server client.go, ``pubAllowedFullCheck``, ``canSubscribe``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import SECOND_NS
from lattice_store.subjects import check_filter, matches

_ANSWERS_KEPT: Final = 4096


def _subjects(value: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    subjects = (value,) if isinstance(value, str) else tuple(value)
    for subject in subjects:
        words = subject.split()
        if not 1 <= len(words) <= 2:
            raise InvalidArgumentError(f"{subject!r} is neither a subject nor a subject and a queue group")
        check_filter(words[0])
    return subjects


def _denied(value: Sequence[str] | str) -> tuple[str, ...]:
    return _subjects(value) or ()


@attrs.frozen
class Allowance:
    """Subjects, with wildcards, that may be used and that may not; those of subscriptions with a queue group behind.

    Args:
        allow: everything if not given.
        deny: of what is allowed.
    """

    allow: tuple[str, ...] | None = attrs.field(default=None, converter=_subjects)
    deny: tuple[str, ...] = attrs.field(default=(), converter=_denied)


@attrs.frozen(kw_only=True)
class Responses:
    """How a client may answer requests that reached it, whatever it may publish else.

    Args:
        max_messages: to one reply subject, below 0 for any number.
        expires_ns: how long after the request, below 0 for ever.
    """

    max_messages: int = 1
    expires_ns: int = 120 * SECOND_NS


@attrs.frozen(kw_only=True)
class Permissions:
    """What a user may do."""

    publish: Allowance = Allowance()
    subscribe: Allowance = Allowance()
    responses: Responses | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return them as $SYS.REQ.USER.INFO tells them."""
        wire: dict[str, Any] = {
            "publish": _allowance_to_wire(self.publish),
            "subscribe": _allowance_to_wire(self.subscribe),
        }
        if self.responses is not None:
            wire["responses"] = {"max": self.responses.max_messages, "ttl": self.responses.expires_ns}
        return wire


def _allowance_to_wire(allowance: Allowance) -> dict[str, list[str]]:
    lists = {"allow": list(allowance.allow or ()), "deny": list(allowance.deny)}
    return {name: subjects for name, subjects in lists.items() if subjects}


class Rights:
    """What one client may do: its user's permissions, and the requests it may answer.

    Args:
        permissions: None for anything.
        counts_anew: whether a request that comes once more is another one; else it takes one answer away.
    """

    def __init__(self, permissions: Permissions | None = None, *, counts_anew: bool = False) -> None:
        self.permissions = permissions
        self.limited = permissions is not None
        self._counts_anew = counts_anew
        self.filtered = permissions is not None and bool(permissions.subscribe.deny)
        """Whether deliveries have to be looked at: a wildcard may be wider than what is denied."""
        self._publishes: dict[str, bool] = {}
        self._replies: dict[str, tuple[int, int]] = {}

    def to_wire(self) -> dict[str, Any]:
        return {} if self.permissions is None else self.permissions.to_wire()

    # -- publish --------------------------------------------------------------------------------

    def may_publish(self, subject: str, now_ns: int) -> bool:
        return self._always_publishes(subject) or self._may_answer(subject, now_ns)

    def _always_publishes(self, subject: str) -> bool:
        known = self._publishes.get(subject)
        if known is None:
            if len(self._publishes) >= _ANSWERS_KEPT:
                self._publishes.clear()
            known = self._publishes[subject] = self._judge(subject)
        return known

    def _judge(self, subject: str) -> bool:
        if self.permissions is None:
            return True
        allow, deny = self.permissions.publish.allow, self.permissions.publish.deny
        allowed = allow is None or any(matches(one, subject) for one in allow)
        return allowed and not any(matches(one, subject) for one in deny)

    def note_request(self, reply: str, now_ns: int) -> None:
        """Note that a request reached the client, which it may answer.

        Whether it may already is looked at as if it did so (client.go, ``deliverMsg``): where it listens to the request
        several times, that counts.
        """
        if self.permissions is None or self.permissions.responses is None or self._always_publishes(reply):
            return
        if self._counts_anew or not self._may_answer(reply, now_ns):
            if len(self._replies) >= _ANSWERS_KEPT:
                del self._replies[next(iter(self._replies))]
            self._replies[reply] = (now_ns, 0)

    def _may_answer(self, subject: str, now_ns: int) -> bool:
        if subject not in self._replies or self.permissions is None or self.permissions.responses is None:
            return False
        limits = self.permissions.responses
        since_ns, count = self._replies[subject]
        if 0 < limits.max_messages <= count or 0 < limits.expires_ns < now_ns - since_ns:
            del self._replies[subject]
            return False
        self._replies[subject] = (since_ns, count + 1)
        return True

    # -- subscribe ------------------------------------------------------------------------------

    def may_subscribe(self, subject: str, group: str | None) -> bool:
        if self.permissions is None:
            return True
        allow, deny = self.permissions.subscribe.allow, self.permissions.subscribe.deny
        allowed = allow is None or _covered(subject, group, allow, plain_or_group=False)
        return allowed and not _covered(subject, group, deny, plain_or_group=True)

    def may_receive(self, subject: str, group: str | None) -> bool:
        """Return whether a message may be delivered; what is denied may lie within a wildcard that is not."""
        if self.permissions is None:
            return True
        deny = [one.split() for one in self.permissions.subscribe.deny]
        return not any(matches(one[0], subject) and (len(one) == 1 or one[1] == group) for one in deny)


ANYTHING: Final = Rights()


def _covered(subject: str, group: str | None, entries: Sequence[str], *, plain_or_group: bool) -> bool:
    """Return whether a subscription lies within one of the entries; those with a queue group count for that group.

    As the server has it, a wildcard of the subscription is a token like any other.

    Args:
        subject: what is subscribed to.
        group: as one of which queue group.
        entries: subjects, with a queue group behind or without.
        plain_or_group: whether plain ones count too where some for a queue group match.
    """
    found = [one.split() for one in entries]
    found = [one for one in found if matches(one[0], subject)]
    plain = any(len(one) == 1 for one in found)
    groups = [one[1] for one in found if len(one) == 2]
    if group is None or not groups:
        return plain
    in_group = any(matches(one, group) for one in groups)
    return in_group or (plain_or_group and plain)
