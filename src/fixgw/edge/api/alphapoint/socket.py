"""One WebSocket: frames in, replies in the order asked, and events between them where they happened."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from fastapi import WebSocket

from fixgw.core.errors import Refusal, failed, invalid
from fixgw.edge.api.alphapoint import login
from fixgw.edge.api.alphapoint.asking import Ask, Caller, oms_id_of
from fixgw.edge.api.alphapoint.events import Listener, Listeners, Subscription
from fixgw.edge.api.alphapoint.frames import BadFrame, Frame, FrameType, parse, write
from fixgw.edge.api.alphapoint.keys import read
from fixgw.edge.api.alphapoint.models import Login, OfAccount
from fixgw.edge.api.alphapoint.reference import may_see_account
from fixgw.edge.api.alphapoint.table import CALLS, Call, Kind, away, begin, our_mistake, run
from fixgw.edge.api.alphapoint.views import OK, Event, events_of, standard
from fixgw.edge.api.connections import CONNECTION, WebSocketConnection
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.outbound import TRY_AGAIN_LATER, Outbound
from fixgw.edge.api.tokens import key_of
from fixgw.edge.engine_link import EngineAwayError
from fixgw.engine.turn import Answered, Happened

log = structlog.get_logger("fixgw.api")

LOGIN_SECONDS = 30.0  # a WebSocket on which nobody has logged in by then is closed
WAITING_MAX = 1_000  # replies of one WebSocket that wait for the engine; no more requests are read until then
LOGIN_ENDED = 1008  # close code of RFC 6455: policy violation
RESTARTED = 1012  # close code: the service restarts; the client subscribes and reads anew
WAITED_FOR = frozenset(call.name for call in CALLS.values() if call.run is None)
"""The functions of a connection's own: logins, subscriptions and their ends. What comes behind one waits."""


class _Waiting:
    """A reply that is not on its way yet, and what is sent right after it (`then`).

    `answer` is None until the engine has answered.
    """

    def __init__(self, call: Call, frame: Frame, ask: Ask, user_id: int) -> None:
        self.answer: Answered | EngineAwayError | None = None
        self.call = call
        self.frame = frame
        self.ask = ask
        self.user_id = user_id
        self.then: list[bytes] = []

    def reply(self, answer: Answered | EngineAwayError) -> tuple[bytes, Event | None]:
        """The reply to this answer, and the event besides."""
        event = None
        try:
            if isinstance(answer, EngineAwayError):
                body: object = away(self.call, answer)
            else:
                body, event = self.ask.reply(answer)
        except Exception:
            log.exception("our mistake", call=self.call.name)
            body = our_mistake(self.call)
        return write(FrameType.REPLY, self.frame.number, self.frame.function, body), event


class Socket(Listener):
    """One client, from the accepted connection to its end."""

    def __init__(self, context: Context, websocket: WebSocket, listeners: Listeners) -> None:
        self._context = context
        self._websocket = websocket
        self._listeners = listeners
        self._outbound = Outbound(websocket, context.settings.backlog_bytes_max, context.engine.soon)
        self._waiting: deque[_Waiting] = deque()
        self._held = self._held_bytes = 0
        self._room = asyncio.Event()
        self._login: login.LoggedIn | None = None
        self._login_key = b""
        self._forget_login: Callable[[], None] | None = None
        self._subscriptions: dict[int, Subscription] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_idle = False
        connection: WebSocketConnection = websocket.scope["state"][CONNECTION]
        connection.take = self.take

    async def run(self) -> None:
        """Serve it until it ends."""
        await self._websocket.accept()
        writer = asyncio.ensure_future(self._outbound.run())
        self._await_login()
        try:
            while not self._outbound.is_cut_off:
                self._is_idle = True
                message = await self._websocket.receive()
                self._is_idle = False
                if message["type"] == "websocket.disconnect":
                    break
                while self._held >= WAITING_MAX and not self._outbound.is_cut_off:
                    self._room.clear()
                    await self._room.wait()
                await self._take_in_turn(message["text"])
        finally:
            self._log_out()
            self._set_timer(None)
            if self._outbound.is_cut_off:
                await writer  # which closes the connection
            writer.cancel()

    def take(self, text: str) -> bool:
        """Begin what a frame asks for; False if it has to wait, and then `run` gets it."""
        if not self._is_idle or self._held >= WAITING_MAX or self._outbound.is_cut_off:
            return False
        frame = parse(text)
        if isinstance(frame, Frame) and frame.function in WAITED_FOR:
            return False
        self._begin(frame)
        return True

    async def _take_in_turn(self, text: str) -> None:
        """Begin what a frame asks for; only logins and subscriptions are waited for."""
        frame = parse(text)
        waited_for = self._begin(frame)
        if waited_for is None or isinstance(frame, BadFrame):
            return
        call, caller = waited_for
        try:
            await self._own(call, frame, caller)
        except EngineAwayError as error:
            self._say(FrameType.REPLY, frame, away(call, error))
        except Exception:
            log.exception("our mistake", call=call.name)
            self._say(FrameType.REPLY, frame, our_mistake(call))

    def _begin(self, frame: Frame | BadFrame) -> tuple[Call, Caller] | None:
        """Begin what a frame asks for, or return the call that is waited for."""
        if isinstance(frame, BadFrame):
            self._say(FrameType.ERROR, frame, standard(frame.refusal))
            return None
        caller = Caller(self._context, self._identity())
        call = begin(frame.function, caller)
        if not isinstance(call, Call):
            is_known = frame.function in CALLS
            self._say(FrameType.REPLY if is_known else FrameType.ERROR, frame, call)
            return None
        if call.run is None:
            return call, caller
        try:
            begun = run(call, caller, frame.payload)
        except Exception:
            log.exception("our mistake", call=call.name)
            begun = our_mistake(call)
        if isinstance(begun, Ask):
            self._wait_for(_Waiting(call, frame, begun, caller.user_id))
        else:
            self._say(FrameType.REPLY, frame, begun)
        return None

    def _wait_for(self, waiting: _Waiting) -> None:
        """Ask the engine; the reply follows when the answer is there."""

        def answered(answer: Answered | EngineAwayError) -> None:
            waiting.answer = answer
            self._flush()

        self._waiting.append(waiting)
        self._held += 1
        self._context.engine.ask_for(self._context.door, waiting.ask.request, answered)

    def _flush(self) -> None:
        """Send every reply that is known and that no earlier one has to come before."""
        waiting = self._waiting
        while waiting and (answer := waiting[0].answer) is not None:
            first = waiting.popleft()
            self._held -= 1
            reply, event = first.reply(answer)
            self._outbound.send(reply)
            for text in first.then:
                self._held -= 1
                self._held_bytes -= len(text)
                self._outbound.send(text)
            self._listeners.tell(first.user_id, event)
        if self._held < WAITING_MAX or self._outbound.is_cut_off:
            self._room.set()

    def _say(self, frame_type: FrameType, frame: Frame | BadFrame, body: object) -> None:
        """Reply, after the replies to what was asked before."""
        self._send_in_order(write(frame_type, frame.number, frame.function, body), self._waiting)

    def _send_in_order(self, text: bytes, earlier: deque[_Waiting] | list[_Waiting]) -> None:
        """Send a text after the last of these replies; what is held back for it is bounded, too."""
        if not earlier:
            self._outbound.send(text)
            return
        earlier[-1].then.append(text)
        self._held += 1
        self._held_bytes += len(text)
        if self._held_bytes > self._context.settings.backlog_bytes_max:
            self._end(TRY_AGAIN_LATER, "too much waits for this client")

    # events

    def _happened(self, subscription: Subscription, told: Happened) -> None:
        """Something happened to an order of the account."""
        for event in events_of(told, self._context.reference):
            self._pass_on(subscription, event)

    def tell(self, event: Event) -> None:
        """Pass on a reject to the subscription of its account; what is about every account, once."""
        subscription = self._subscriptions.get(event.account_id)
        if subscription is None and not event.account_id:
            subscription = next(iter(self._subscriptions.values()), None)
        if subscription is not None:
            self._pass_on(subscription, event)

    def _pass_on(self, subscription: Subscription, event: Event) -> None:
        """Send an event after the replies to which it is later: those whose answers are there."""
        if subscription.keeps(event):
            return
        text = write(FrameType.EVENT, subscription.number, event.name, event.body)
        known = [waiting for waiting in self._waiting if waiting.answer is not None]
        self._send_in_order(text, known)

    # logins and subscriptions

    def _identity(self) -> Identity | None:
        """Who is logged in; asking keeps the login alive."""
        return None if self._login is None else self._context.tokens.use(self._login_key)

    async def _own(self, call: Call, frame: Frame, caller: Caller) -> None:
        """Do what only a connection can: log in and out, subscribe."""
        if call.kind is Kind.LOGOUT:
            ended = self._login
            self._log_out()
            if ended is not None:
                self._context.tokens.revoke(ended.token)
            self._await_login()
            self._say(FrameType.REPLY, frame, OK)
            return
        asked = read(call.model, call.name, frame.payload)
        match asked:
            case Refusal():
                self._say(FrameType.REPLY, frame, standard(asked))
            case Login():
                await self._log_in(frame, asked)
            case OfAccount():
                if call.kind is Kind.SUBSCRIBE:
                    await self._subscribe(frame, caller, asked)
                else:
                    self._end_subscription(asked.AccountId)
                    self._say(FrameType.REPLY, frame, {"Unsubscribed": True})

    async def _log_in(self, frame: Frame, asked: Login) -> None:
        client = self._websocket.client
        outcome = await login.log_in(self._context, asked, "" if client is None else client.host)
        if isinstance(outcome, login.LoggedIn):
            self._log_out()
            self._login, self._login_key = outcome, key_of(outcome.token)
            self._forget_login = self._context.tokens.when_ended(outcome.token, self._login_ended)
            self._listeners.add(outcome.identity.user_id, self)
            self._keep_alive()
        self._say(FrameType.REPLY, frame, login.reply(self._context, outcome))

    def _await_login(self) -> None:
        """Somebody has to log in, in time."""
        why = f"nobody has logged in within {LOGIN_SECONDS:g} s"
        self._set_timer(asyncio.get_running_loop().call_later(LOGIN_SECONDS, self._end, LOGIN_ENDED, why))

    def _keep_alive(self) -> None:
        """A login lives as long as its connection: one that only listens does not use it by itself."""
        self._identity()
        seconds = self._context.settings.token_seconds / 3
        self._set_timer(asyncio.get_running_loop().call_later(seconds, self._keep_alive))

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def _end(self, code: int, why: str) -> None:
        """Close the connection, with a close code of RFC 6455."""
        self._outbound.cut_off(code, why)
        self._room.set()

    def _log_out(self) -> None:
        """Nobody is logged in any more, and nothing is subscribed to."""
        for account_id in list(self._subscriptions):
            self._end_subscription(account_id)
        if self._login is not None:
            self._listeners.remove(self._login.identity.user_id, self)
            self._login = None
        if self._forget_login is not None:
            self._forget_login()
            self._forget_login = None

    def _login_ended(self) -> None:
        """The token is good no more: nothing more is told, and nothing taken."""
        self._end(LOGIN_ENDED, "the login has ended")

    async def _subscribe(self, frame: Frame, caller: Caller, asked: OfAccount) -> None:
        """Ask the engine whether the account may be seen, and listen to it from before the reply on."""
        oms_id = oms_id_of(self._context, asked.OMSId)
        known = self._subscriptions.get(asked.AccountId)
        problem = oms_id if isinstance(oms_id, Refusal) else self._problem(asked, known)
        if problem is not None:
            self._say(FrameType.REPLY, frame, standard(problem))
            return
        subscription = Subscription(asked.AccountId, frame.number)
        engine = self._context.engine
        ask = may_see_account(caller, asked, {"Subscribed": True})
        answer = await engine.ask(self._context.door, ask.request)
        body, _ = ask.reply(answer)
        if answer.refusal is None:
            subscription.watch = await engine.watch(
                [asked.AccountId], lambda told: self._happened(subscription, told), self._lost
            )
            self._end_subscription(asked.AccountId)
            self._subscriptions[asked.AccountId] = subscription
        self._say(FrameType.REPLY, frame, body)
        for event in subscription.begin():
            self._pass_on(subscription, event)

    def _problem(self, asked: OfAccount, known: Subscription | None) -> Refusal | None:
        if not asked.AccountId:
            return invalid("AccountId is missing, or 0")
        most = self._context.settings.subscriptions_max
        if known is None and len(self._subscriptions) >= most:
            return failed(f"this connection is subscribed to {most} accounts already, which is the most")
        return None

    def _end_subscription(self, account_id: int) -> None:
        subscription = self._subscriptions.pop(account_id, None)
        if subscription is not None and subscription.watch is not None:
            self._context.engine.unwatch(subscription.watch)

    def _lost(self) -> None:
        """Events may have been missed."""
        self._end(RESTARTED, "the gateway starts again; subscribe and read anew")
