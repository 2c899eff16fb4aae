"""Guards: ask, obey, report. The body of a guard runs only where it may."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from answerable._claims import NOT_CLAIMED, TAKEN
from answerable._directive import Directive, Effective
from answerable._engine import Engine
from answerable._exceptions import AlreadyExecuted, Held, Refused, Stopped, UseFallback
from answerable._modes import Mode

P = ParamSpec("P")
R = TypeVar("R")
_current: ContextVar["Decision | None"] = ContextVar("answerable_decision", default=None)


class Decision:
    """What a guarded body acts on: a human may have changed outcome and output."""

    def __init__(self, engine: Engine, fields: Mapping[str, Any], directive: Directive) -> None:
        self._engine, self._fields = engine, fields
        self.directive = directive
        self.effective: Effective | None = None
        outcome = fields.get("outcome")
        self.outcome: str = str(outcome.value if isinstance(outcome, Enum) else outcome)
        self.output: Any = fields.get("output")
        self._is_confirmed = False
        self._via = ""
        self.entered: Token[Decision | None] | None = None
        """Of a `with`: what was current before."""

    @property
    def id(self) -> str:
        return self.directive.decision_id

    def effect(self, outcome: str | None, detail: str = "") -> None:
        """Say what was really done (None: nothing). Without it a body that ends well confirms `outcome`.

        In a fallback it is what the fallback came to; a fallback that says nothing confirms nothing.
        """
        self._is_confirmed = True
        self._engine.confirm_effect(self.id, outcome, detail, via=self._via)

    def check(self) -> None:
        """For long bodies: go on? Errors: `Stopped` where a stop is in force whose work in flight may not drain."""
        scope = self._scope
        control = self._engine.control
        if control.mode(*scope) is Mode.STOP and control.entry(*scope).in_flight in ("cancel", "hold"):
            raise Stopped("a stop breaks off work in flight", decision=self)

    @property
    def _scope(self) -> tuple[Any, Any, Any]:
        return self._fields.get("system"), self._fields.get("model_version"), self._fields.get("capability")

    # --- the steps of a guard -------------------------------------------------------------------------------------
    def take(self, effective: Effective) -> Effective:
        """Obey what a human decided; what they approved is taken, once, and comes back. Errors: `Refused`."""
        self._obey_human(effective)
        self._obey_what_came_since()
        taken = self._engine.claims.take(effective)
        self._obey_human(taken)
        try:
            self._obey_what_came_since()
        except Refused as refused:  # nobody else can take it any more, so people have to hear of it
            self._engine.confirm_effect(self.id, None, str(refused), failed=True)
            raise
        self.outcome = taken.effective_outcome or self.outcome
        self.output = self.output if taken.output is None else taken.output
        return taken

    def _obey_human(self, effective: Effective) -> None:
        self.effective = effective
        if effective.reason_code == NOT_CLAIMED:
            raise Held("approved, but the service does not say whether it is ours to carry out", decision=self)
        if effective.is_pending:
            raise Held("a human has to decide, and has not yet", decision=self)
        if effective.status == "frozen":
            raise Stopped("approved, but a stop is in force", decision=self)
        if effective.reason_code == TAKEN:
            raise AlreadyExecuted("another worker carries it out, or has", decision=self)
        if effective.action in ("stop", "fallback"):
            self.effect(None, effective.action)  # the human's word is obeyed, and that is told
        self.obey(effective.action, effective.reason_code)

    def obey(self, action: str, reason: str | None) -> None:
        """Errors: `Refused`, but for `proceed`."""
        if action == "proceed":
            return
        self._via = "fallback" if action == "fallback" else ""
        kind = {"hold": Held, "fallback": UseFallback}.get(action, Stopped)
        raise kind(f"{action}: {reason or 'no reason given'}", decision=self)

    def _obey_what_came_since(self) -> None:
        """While a human decided, a switch may have been thrown. (A review is what the human has just done.)"""
        now = self._engine.local_directive(self._fields, self.id)
        if now.mode in (Mode.FALLBACK, Mode.STOP):
            self.obey(now.action, now.reason_code)

    def begin(self) -> None:
        self._engine.running.enter(self._system)

    def end(self, error: BaseException | None) -> None:
        if self._engine.running.leave(self._system) and self._engine.control.mode(*self._scope) is not Mode.RUN:
            self._engine.acknowledger.wake()
        if self._is_confirmed:
            return
        if error is None:
            self.effect(self.outcome)
        elif isinstance(error, Refused) and error.decision is self:
            self.effect(None, "broken off by a stop")
        else:
            self._engine.confirm_effect(self.id, None, type(error).__name__, failed=True)

    @property
    def _system(self) -> str:
        return str(self._fields.get("system") or self._engine.settings.system)


def current_decision() -> Decision | None:
    """The decision whose guard, or whose fallback, this code runs in."""
    return _current.get()


@contextmanager
def _within(decision: Decision | None) -> Iterator[None]:
    token = _current.set(decision)
    try:
        yield
    finally:
        _current.reset(token)


class _Guard:
    """What both kinds of guard have in common."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        fields: Mapping[str, Any],
        *,
        describe: Callable[..., Mapping[str, Any]] | None,
        fallback: Callable[..., Any] | None,
        wait: float | None,
        timeout: float | None,
    ) -> None:
        self._engine, self._fields, self._describe = engine, dict(fields), describe
        self._fallback, self._wait, self._timeout = fallback, wait, timeout

    def _enter(self, decision: Decision) -> Decision:
        """One guard may be entered by many threads and tasks, and within itself: what is entered is kept by each."""
        decision.entered = _current.set(decision)
        return decision

    def _leave(self) -> Decision:
        decision = _current.get()
        if decision is None or decision.entered is None:
            raise RuntimeError("a guard is left by the thread or task that entered it")
        _current.reset(decision.entered)
        decision.entered = None
        return decision

    def _for_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        described = self._describe(*args, **kwargs) if self._describe else {}
        return {**self._fields, **described}


class Guard(_Guard):
    """`with client.guard(...) as decision:`, or a decorator."""

    def __enter__(self) -> Decision:
        return self._enter(self._open(self._fields))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave().end(error)

    def _open(self, fields: Mapping[str, Any]) -> Decision:
        engine = self._engine()
        decision = Decision(engine, fields, engine.decide(fields, self._timeout))
        if decision.directive.action == "hold" and self._wait:
            decision.take(engine.wait_for_human(decision.id, self._wait))
        else:
            decision.obey(decision.directive.action, decision.directive.reason_code)
        decision.begin()
        return decision

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError("calling it runs nothing yet: a coroutine function is guarded by an AsyncClient")

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                decision = self._open(self._for_call(args, kwargs))
            except UseFallback as instead:
                if self._fallback is None:
                    raise
                with _within(instead.decision):
                    found: R = self._fallback(*args, **kwargs)
                    return found
            token = _current.set(decision)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                decision.end(error)
                raise
            finally:
                _current.reset(token)
            decision.end(None)
            return result

        return guarded


class AsyncGuard(_Guard):
    """`async with client.guard(...) as decision:`, or a decorator of a coroutine function."""

    def __init__(self, client: Any, fields: Mapping[str, Any], **rest: Any) -> None:
        super().__init__(client._engine_to_write, fields, **rest)
        self._client = client

    async def __aenter__(self) -> Decision:
        return self._enter(await self._open(self._fields))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client._written(self._leave().end, error)

    async def _open(self, fields: Mapping[str, Any]) -> Decision:
        engine: Engine = await self._client._in_thread(self._engine)
        directive = await self._client._in_thread(engine.decide, fields, self._timeout)
        decision = Decision(engine, fields, directive)
        if directive.action == "hold" and self._wait:
            found = await self._client._human_word(decision.id, self._wait)
            await self._client._claimed(engine, decision.take, found)
        else:
            decision.obey(directive.action, directive.reason_code)
        decision.begin()
        return decision

    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        if not inspect.iscoroutinefunction(function):
            raise TypeError("an AsyncClient guards coroutine functions")

        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                decision = await self._open(self._for_call(args, kwargs))
            except UseFallback as instead:
                if self._fallback is None:
                    raise
                with _within(instead.decision):
                    found: R = await self._fallback(*args, **kwargs)
                    return found
            token = _current.set(decision)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                await self._client._written(decision.end, error)
                raise
            finally:
                _current.reset(token)
            await self._client._written(decision.end, None)
            return result

        return guarded


__all__ = ["AsyncGuard", "Decision", "Guard", "Refused", "current_decision"]
