"""JetStream's API as one function: a verb and a JSON object in, a JSON object or our error out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lattice_store.errors import InvalidArgumentError, NoRespondersError, UnexpectedAnswerError
from lattice_store.nats._connection import Connection
from lattice_store.nats._translate import answer_from_wire, encode_json
from lattice_store.subjects import is_literal


class JetStreamApi:
    """The API of the connection's account, or of one JetStream domain.

    Raises:
        InvalidArgumentError: *domain* is not a single token.
    """

    def __init__(self, connection: Connection, domain: str | None) -> None:
        if domain is not None and (domain == "" or "." in domain or not is_literal(domain)):
            raise InvalidArgumentError(f"JetStream domain {domain!r} is not a single token")
        self._connection = connection
        self._prefix = "$JS.API" if domain is None else f"$JS.{domain}.API"

    async def call(
        self, verb: str, body: Mapping[str, Any] | None = None, *, timeout_ns: int | None = None
    ) -> dict[str, Any]:
        """Ask for *verb*, such as ``STREAM.INFO.orders``, and return the answer.

        Raises:
            ApiError: JetStream said no.
            NoRespondersError: nobody listens there.
            UnexpectedAnswerError: somebody listens there, but it is not JetStream.
        """
        subject = f"{self._prefix}.{verb}"
        payload = b"" if body is None else encode_json(body)
        answer = await self._connection.request(subject, payload, timeout_ns=timeout_ns)
        if answer is None:
            raise NoRespondersError(f"nobody answers on {self._prefix}: JetStream is off there, or the domain is wrong")
        try:
            return answer_from_wire(answer)
        except ValueError as error:
            raise UnexpectedAnswerError(f"{subject} was answered by something else than JetStream: {error}") from error
