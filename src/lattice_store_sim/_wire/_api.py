"""What a server does with a message that a client publishes: an API request, an ack, or a message for a stream."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from lattice_store.errors import ApiError
from lattice_store_sim._core._advisories import ACCOUNT, API_AUDIT, audit
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._requirement import check_api_level
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire import _account, _acks, _cluster, _consumers, _direct, _messages, _streams
from lattice_store_sim._wire._domain import without_domain
from lattice_store_sim._wire._publish import error_to_wire, publish
from lattice_store_sim._wire._routes import API, SERVED_APART, Request, Route

ROUTES: Final[tuple[Route, ...]] = (
    *_account.ROUTES,
    *_streams.ROUTES,
    *_consumers.ROUTES,
    *_acks.ROUTES,
    *_messages.ROUTES,
    *_direct.ROUTES,
    *_cluster.ROUTES,
)
_BY_WORDS: Final = {words: [one for one in ROUTES if one.words == words] for words in {one.words for one in ROUTES}}
_MOST_WORDS: Final = max(words.count(".") + 1 for words in _BY_WORDS)
_encode: Final = msgspec.json.Encoder().encode
NOBODY: Final[Mapping[str, Any]] = MappingProxyType({})
_CLIENT: Final = {"acc": ACCOUNT, "kind": "Client", "client_type": "nats"}
"""What is true of every client."""


class JetStreamApi:
    """The API of one simulated server. Answers go to the core's outbox.

    Args:
        core: the server; clients' interest is told to it.
    """

    def __init__(self, core: SimCore) -> None:
        self.core = core

    def send(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        headers: bytes = b"",
        reply: str = "",
        now_ns: int,
        client: Mapping[str, Any] = NOBODY,
    ) -> None:
        """Take a message that a client publishes.

        Args:
            subject: literal; it is not checked here.
            payload: as sent.
            headers: the raw header block, empty for none.
            reply: where answers go; without one nothing is answered.
            now_ns: when it arrives.
            client: what advisories tell of who sent it, such as ``name``, ``user`` and ``host``.
        """
        subject = self.mapped(subject)
        sent = Request(subject, payload, headers, reply, now_ns, client)
        if subject.startswith(API):
            self._request(sent)
        elif subject.startswith(_acks.TO_CONSUMERS):
            _acks.tell_consumer(self.core, sent)
        else:
            publish(self.core, sent)
        if self.core.context.inside:
            self.core.store_told()

    def mapped(self, subject: str) -> str:
        """Return what the server makes of a subject before it looks who listens: it may name the server's domain."""
        domain = self.core.context.domain
        return without_domain(subject, domain) if domain and subject.startswith("$JS.") else subject

    # -- API requests ---------------------------------------------------------------------------

    def _request(self, request: Request) -> None:
        context = self.core.context
        tokens = request.subject.removeprefix(API).split(".")
        if "" in tokens:  # which no subscription matches
            context.tell_unheard(request.subject, request.reply)
            return
        for count in range(1, _MOST_WORDS + 1):
            for route in _BY_WORDS.get(".".join(tokens[:count]), ()):
                names = _names(route, tokens[count:])
                if names is not None and route.offered(context.profile):
                    self._answer(route, request, names)
                    return
        # The API listens to all of its subjects, but for those that streams and consumers serve themselves.
        if request.subject.startswith(SERVED_APART) and context.profile.served_apart:
            context.tell_unheard(request.subject, request.reply)

    def _answer(self, route: Route, request: Request, names: list[str]) -> None:
        context = self.core.context
        try:
            if route.type and not route.level_after_body:
                check_api_level(request.headers, context.profile)
            fields = route.handler(self.core, request, *names)
        except ApiError as error:
            context.api_refusals += route.audited
            fields = {"error": error_to_wire(error), **route.refused}
        if fields is None:
            return
        answer = _encode({"type": f"io.nats.jetstream.api.v1.{route.type}_response", **fields})
        if request.reply:
            context.send(Outgoing(request.reply, answer))
        if route.audited:
            context.api_requests += 1
            self._audit(request, answer)

    def _audit(self, request: Request, answer: bytes) -> None:
        """Tell who wants to know of it that there was an API request."""
        context = self.core.context
        if not context.is_heard(API_AUDIT):
            return
        asked = {"request": request.payload.decode(errors="replace")} if request.payload else {}
        said = {"subject": request.subject, **asked, "response": answer.decode()}
        name = context.server_name
        audit(context, self.core.now_ns, server=name, client={**_CLIENT, "server": name, **request.client}, **said)


def _names(route: Route, tokens: list[str]) -> list[str] | None:
    """Return the names in what follows a route's words, if they are as many as it has."""
    if len(tokens) == route.names:
        return tokens
    if route.rest and len(tokens) > route.names:
        last = route.names - 1
        return [*tokens[:last], ".".join(tokens[last:])]
    return None
