"""Brings messages to whoever listens: what clients publish, and what the server itself sends.

A message of a client goes to the subscriptions that match, and to JetStream: both count as having heard it. What
the core has put into its outbox goes to subscriptions by `Outgoing.to`, and into the stream that is bound to it.

Sources: nats-server client.go, ``processInboundClientMsg``, ``processMsgResults``, ``deliverMsg``, ``processSubEx``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import msgspec

from lattice_store.errors import LatticeStoreError
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire import _protocol
from lattice_store_sim._wire._api import NOBODY, JetStreamApi
from lattice_store_sim._wire._auth import Auth
from lattice_store_sim._wire._clients import Client, Subscription
from lattice_store_sim._wire._events import (
    Complaint,
    Connect,
    ConnectOptions,
    Failure,
    Ping,
    Pong,
    Publish,
    Subscribe,
    Unsubscribe,
    publish_refused,
    reply_refused,
    subscription_refused,
)
from lattice_store_sim._wire._faults import Faults
from lattice_store_sim._wire._frames import Frame, bytes_of, text_of
from lattice_store_sim._wire._listeners import Listeners, Subscriptions, in_turn, is_subscribable
from lattice_store_sim._wire._permissions import ANYTHING, Rights
from lattice_store_sim._wire._protocol import MAX_CONTROL_LINE, Protocol
from lattice_store_sim._wire._server_info import USER_INFO, ServerInfo

MAX_PENDING: Final = 64 << 20
_GATEWAYS: Final = ("_GR_.", "$GR.")
"""What only gateways publish to; the second is how the first was called once."""
_RAFT: Final = "$NRG."
_RESERVED_REPLIES: Final = (b"_R_.", b"$JS.ACK.")
_JETSTREAM: Final = "$JS."
_SYSTEM_GROUP: Final = b"_sys_"
_NOT_SIMULATED: Final = 501


def _nothing() -> None:
    pass


class Router:
    """All clients of one simulated server.

    Args:
        core: the server.
        info: what clients are told of it.
        auth: who may connect; everybody by default.
        seed: of what is left to chance.
        max_control_line: the most bytes of the arguments of an operation.
        max_pending: the most bytes that may wait for a client.
        max_subscriptions: of one client, 0 for any number.
        stored: is called when something may have been stored.
    """

    def __init__(
        self,
        core: SimCore,
        info: ServerInfo,
        *,
        auth: Auth | None = None,
        seed: int = 0,
        max_control_line: int = MAX_CONTROL_LINE,
        max_pending: int = MAX_PENDING,
        max_subscriptions: int = 0,
        stored: Callable[[], None] = _nothing,
    ) -> None:
        self.info = info
        self.clients: dict[int, Client] = {}
        self.touched: list[Client] = []
        """Clients with something to be sent, or whose connection is to end; whoever carries it out clears the list."""
        self.faults: Faults | None = None
        """What goes wrong, if anything does."""
        self._auth = auth
        self._max_control_line = max_control_line
        self._max_pending = max_pending
        self._max_subscriptions = max_subscriptions
        self._stored = stored
        self._subscriptions = Subscriptions(seed)
        self._last_cid = 0
        self._infos = 0
        self._now_ns = 0
        self._heard = True
        self.set_core(core)

    def set_core(self, core: SimCore) -> None:
        """Serve another server from now on; nobody may be connected."""
        self.core = core
        self._api = JetStreamApi(core)
        self._profile = core.context.profile
        self._in_domain = bool(core.context.domain)
        self._gateways = _GATEWAYS if self._profile.old_gateway_subjects_refused else _GATEWAYS[:1]
        self._reserved_replies = (*_RESERVED_REPLIES, *map(str.encode, self._gateways))

    # -- connections ----------------------------------------------------------------------------

    def attach(self, ip: str, *, nonce: str = "") -> Client:
        """Take a new client, which has to be greeted next.

        Args:
            ip: where it comes from.
            nonce: what it has to sign if it has a key.
        """
        self._last_cid += 1
        protocol = Protocol(
            max_control_line=self._max_control_line,
            max_payload=self.info.max_payload,
            auth_required=self._auth is not None and not self._auth.default_user,
        )
        nonce = nonce if self._auth is not None and self._auth.nonce_needed else ""
        cid, max_pending = self._last_cid, self._max_pending
        client = Client(cid, ip, protocol, max_pending=max_pending, touched=self.touched, nonce=nonce)
        if self._auth is not None and self._auth.default_user:
            client.rights = self._rights(self._auth.named(client.options), "") or ANYTHING
        self.clients[cid] = client
        return client

    def _rights(self, options: ConnectOptions, nonce: str) -> Rights | None:
        assert self._auth is not None
        return self._auth.rights(options, nonce, counts_anew=self._profile.requests_counted_anew)

    def greet(self, client: Client) -> None:
        """Send INFO."""
        client.send(self.info.line(client.cid, client.ip, nonce=client.nonce))

    def detach(self, client: Client, now_ns: int) -> None:
        """Forget a client whose connection has ended."""
        self._now_ns = now_ns
        if self.clients.pop(client.cid, None) is not None:
            self._drop_all(client)
            self.deliver(now_ns)

    def receive(self, client: Client, data: bytes, now_ns: int) -> None:
        """Do what a client asks for."""
        self._now_ns = now_ns
        for event in client.protocol.receive_data(data):
            if type(event) is Publish:
                client.active = True
                if self.faults is None or self._arrives(client, event, self.faults):
                    self._publish(client, event)
            else:
                self._operate(client, event)
            if client.ending is not None:
                break
        self.deliver(now_ns)

    def _arrives(self, client: Client, event: Publish, faults: Faults) -> bool:
        """Return whether no fault keeps a message from what it would do."""
        faults.note_published()
        subject = text_of(event.subject)
        if faults.drops((subject,), "in"):
            return False
        if event.reply and faults.is_unheard(subject):
            self._tell_unheard(client, event.subject, text_of(event.reply))
            return False
        return True

    def _operate(self, client: Client, event: object) -> None:
        match event:
            case Subscribe():
                client.active = True
                self._subscribe(client, event)
            case Unsubscribe():
                client.active = True
                self._unsubscribe(client, event)
            case Ping():
                client.active = True
                self._answer_ping(client)
            case Pong():
                client.pings_out = 0
            case Connect(options):
                self._connect(client, options)
            case Complaint(text):
                client.complain(text)
            case Failure(text):
                if text:
                    client.complain(text)
                client.end()
            case _:
                pass

    def _answer_ping(self, client: Client) -> None:
        client.send(_protocol.PONG)
        if client.connected and not client.answered_ping:
            client.answered_ping = True
            if client.options.protocol >= 1 and self._profile.info_after_connect:
                client.send(self.info.line(client.cid, client.ip, connected=True))

    def _connect(self, client: Client, options: ConnectOptions) -> None:
        if self._profile.second_connect_unsubscribes:
            self._drop_all(client)
        rights: Rights | None = ANYTHING
        if self._auth is not None:
            options = self._auth.named(options)
            rights = self._rights(options, client.nonce)
        if rights is None or options.new_account or options.account:
            self._refuse(client, "Authorization Violation")
        elif not 0 <= options.protocol <= 1:
            self._refuse(client, "invalid client protocol")
        elif options.no_responders and not options.headers:
            self._refuse(client, "no responders requires headers support")
        else:
            client.rights = rights
            client.take_options(options)
            if client.verbose:
                client.send(_protocol.OK)

    def _refuse(self, client: Client, text: str) -> None:
        client.complain(text)
        client.end()

    # -- subscriptions --------------------------------------------------------------------------

    def _subscribe(self, client: Client, event: Subscribe) -> None:
        subject, group = text_of(event.subject), text_of(event.group) if event.group else None
        if not client.rights.may_subscribe(subject, group) or event.group == _SYSTEM_GROUP:
            client.complain(subscription_refused(event.subject, event.group))
        elif 0 < self._max_subscriptions <= len(client.subscriptions):
            client.complain("maximum subscriptions exceeded")
        elif event.sid in client.subscriptions:
            self._confirm(client)
        elif not is_subscribable(subject):
            client.complain("Invalid Subject")
        else:
            subscription = Subscription(client, subject, group, event.sid)
            client.subscriptions[event.sid] = subscription
            self._subscriptions.add(subscription)
            self._confirm(client)
            self.core.subscribe(subject, group, now_ns=self._now_ns)

    def _confirm(self, client: Client) -> None:
        if client.verbose:
            client.send(_protocol.OK)

    def _unsubscribe(self, client: Client, event: Unsubscribe) -> None:
        subscription = client.subscriptions.get(event.sid)
        if subscription is not None:
            if event.after > subscription.count:
                subscription.limit = event.after
            else:
                self._drop(subscription)
        self._confirm(client)

    def _drop(self, subscription: Subscription) -> None:
        del subscription.client.subscriptions[subscription.sid]
        self._subscriptions.remove(subscription)
        self.core.unsubscribe(subscription.subject, subscription.group, now_ns=self._now_ns)

    def _drop_all(self, client: Client) -> None:
        for subscription in list(client.subscriptions.values()):
            self._drop(subscription)

    # -- what clients publish -------------------------------------------------------------------

    def _publish(self, client: Client, event: Publish) -> None:
        subject, reply = text_of(event.subject), event.reply
        rights = client.rights
        refused = rights.limited and not rights.may_publish(subject, self._now_ns)
        raft = subject.startswith(_RAFT) and self._profile.raft_subjects_refused
        if refused or raft or (subject.startswith(self._gateways) and subject not in self._gateways):
            client.complain(publish_refused(event.subject))
            return
        if reply.startswith(self._reserved_replies) and reply not in self._reserved_replies[1:]:
            client.complain(reply_refused(reply))
            return
        if client.verbose:
            client.send(_protocol.OK)
        if self._in_domain and (mapped := self._api.mapped(subject)) != subject:
            subject, event = mapped, msgspec.structs.replace(event, subject=mapped.encode())
        heard = False
        found = self._subscriptions.match(subject)
        if found:
            headers, payload = event.headers, event.payload
            frame = Frame(event.subject, reply, headers, payload, event.sizes)
            heard = self._fan_out(found, subject, frame, client)
        if subject.startswith(_JETSTREAM) or self.core.binds(subject):
            heard |= self._to_jetstream(subject, event, client)
        elif subject == USER_INFO and reply:
            heard |= self._tell_user(client, text_of(reply))
        if reply and not heard and client.no_responders:
            self._tell_unheard(client, event.subject, text_of(reply))

    def _to_jetstream(self, subject: str, event: Publish, client: Client) -> bool:
        """Let the server itself listen; return whether it does."""
        if not event.subject.isascii():  # to JetStream it is text
            subject = event.subject.decode("utf-8", "replace")
        context = self.core.context
        self._heard, context.note_unheard = True, self._note_unheard
        reply = text_of(event.reply)
        try:
            self._api.send(
                subject,
                event.payload,
                headers=event.headers,
                reply=reply,
                now_ns=self._now_ns,
                client=client.told_in_advisories() if context.events_wanted else NOBODY,
            )
        except LatticeStoreError as error:  # what is not simulated is refused by name
            refusal = {"error": {"code": _NOT_SIMULATED, "description": str(error)}}
            if reply:
                context.send(Outgoing(reply, json.dumps(refusal).encode()))
        finally:
            context.note_unheard = None
        self._stored()
        return self._heard

    def _note_unheard(self) -> None:
        self._heard = False

    def _tell_user(self, client: Client, reply: str) -> bool:
        """Answer $SYS.REQ.USER.INFO; return whether this version does."""
        self._infos += 1
        told = self.info.user_info(client.user, client.rights.to_wire(), self._infos, self._now_ns)
        if told is not None:
            self.core.context.send(Outgoing(reply, told))
        return told is not None

    def _tell_unheard(self, client: Client, subject: bytes, reply: str) -> None:
        """Tell a client that nobody listens, if it listens for an answer (client.go, ``subForReply``)."""
        for listeners in self._subscriptions.match(reply):
            for subscription in listeners.single:
                if subscription.client is client:
                    shown = b"Nats-Subject: %b\r\n" % subject if self._profile.no_responders_subject else b""
                    headers = b"NATS/1.0 503\r\n%b\r\n" % shown
                    size = len(headers)
                    client.send(b"HMSG %b %b %d %d\r\n" % (bytes_of(reply), subscription.sid, size, size))
                    client.send(headers, b"\r\n")
                    return

    # -- what the server sends ------------------------------------------------------------------

    def deliver(self, now_ns: int) -> None:
        """Bring what the core has sent to those it is for."""
        self._now_ns = now_ns
        outbox = self.core.outbox
        while outbox:
            sent = outbox.copy()
            outbox.clear()
            if self.faults is not None:
                sent = [
                    one
                    for one in sent
                    if self.core.binds(one.to) or not self.faults.drops((one.to, one.subject), "out")
                ]
            at = 0
            while at < len(sent):
                lone = self._lone(sent[at].to)
                if lone is None:
                    self._route(sent[at])
                    at += 1
                else:
                    at = self._deliver_in_a_row(lone, sent, at)

    def _lone(self, to: str) -> Subscription | None:
        """Return the only subscription there is, if nothing has to be looked at for a delivery to it."""
        found = self._subscriptions.match(to)
        if len(found) != 1 or found[0].groups or len(found[0].single) != 1 or self.core.binds(to):
            return None
        (lone,) = found[0].single
        plain = not lone.limit and lone.client.ending is None and not lone.client.rights.limited
        return lone if plain else None

    @staticmethod
    def _deliver_in_a_row(lone: Subscription, sent: list[Outgoing], begin: int) -> int:
        """Deliver what goes to the same subject, one after the other; return where something else begins."""
        client, to, sid = lone.client, sent[begin].to, text_of(lone.sid)
        takes_headers, at, pieces = client.headers, begin, list[bytes]()
        add = pieces.append
        while at < len(sent) and (outgoing := sent[at]).to == to:
            at += 1
            headers, payload = outgoing.headers, outgoing.payload
            words = (
                f"{outgoing.subject or to} {sid} {outgoing.reply}"
                if outgoing.reply
                else f"{outgoing.subject or to} {sid}"
            )
            if headers and takes_headers:
                size = len(headers)
                add(bytes_of(f"HMSG {words} {size} {size + len(payload)}\r\n"))
                add(headers)
            else:
                add(bytes_of(f"MSG {words} {len(payload)}\r\n"))
            add(payload)
            add(b"\r\n")
        lone.count += at - begin
        client.send(*pieces)
        return at

    def _route(self, outgoing: Outgoing) -> None:
        to = outgoing.to
        found = self._subscriptions.match(to)
        if found:
            headers, payload = outgoing.headers, outgoing.payload
            frame = Frame(bytes_of(outgoing.subject or to), bytes_of(outgoing.reply), headers, payload)
            self._fan_out(found, to, frame, None)
        if not outgoing.streams_had_it and self.core.binds(to):
            self.core.store(outgoing, now_ns=self._now_ns)
            self._stored()

    def show(self, subject: str, payload: bytes, headers: bytes, now_ns: int) -> None:
        """Show subscribers what somebody else has published and stored already."""
        self._now_ns = now_ns
        found = self._subscriptions.match(subject)
        if found:
            self._fan_out(found, subject, Frame(bytes_of(subject), b"", headers, payload), None)

    def _fan_out(self, found: tuple[Listeners, ...], subject: str, frame: Frame, source: Client | None) -> bool:
        """Deliver to all that listen alone, and to one of each queue group; return whether anybody got it."""
        delivered = False
        groups: dict[str, None] = {}
        for listeners in found:
            if listeners.single:
                for subscription in tuple(listeners.single):
                    delivered |= self._hand_over(subscription, subject, frame, source)
            if listeners.groups:
                groups |= dict.fromkeys(listeners.groups)
        for group in groups:
            delivered |= any(self._hand_over(member, subject, frame, source) for member in in_turn(found, group))
        return delivered

    def _hand_over(self, subscription: Subscription, subject: str, frame: Frame, source: Client | None) -> bool:
        delivered = subscription.deliver(frame, subject, source, self._now_ns)
        if subscription.exhausted:
            self._drop(subscription)
        return delivered
