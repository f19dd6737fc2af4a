"""A stop at a boundary: what there is to see is described, sent, and served until the user goes on."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from stepdbg.listing.effect_names import counted
from stepdbg.protocol import messages as m
from stepdbg.tracer.breakpoints.check import BreakpointChecks
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.effects import effects
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.effects.step_progress import midstep
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.graph.refusals import Refusal
from stepdbg.tracer.handler import AtStop
from stepdbg.tracer.inspect.inspector import Inspector
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.nonfinite.explained import explained
from stepdbg.tracer.nonfinite.words import in_words
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.session.connection import HubLost
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.session.signal_handlers import GoOn, Handlers
from stepdbg.tracer.stops import raised
from stepdbg.tracer.stops.callers import Names, PhaseOwner
from stepdbg.tracer.stops.cause import STEPPING, Cause
from stepdbg.tracer.stops.decide import StopPolicy
from stepdbg.tracer.stops.remarks import Remarks, modes
from stepdbg.tracer.stops.watch import PhaseWatch
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.watches.at_stop import WatchesAtStop
from stepdbg.tracer.watches.history import Histories
from stepdbg.tracer.watches.parameters import ParameterHistory
from stepdbg.tracer.watches.watches import Watches

_UNSEEN = "the values cannot be read at this stop, only where training stands"
"""What is said of a stop that cannot be described."""


class StopServer:
    """Describes a stop, sends it, and serves the hub until training goes on."""

    def __init__(
        self,
        rank: Rank,
        returns: Returns,
        watch: PhaseWatch,
        gradient_scaling: GradientScaling,
        handlers: Handlers,
        policy: StopPolicy,
        points: Breakpoints,
    ) -> None:
        self._policy = policy
        self._rank = rank
        self._phases, self._registry = returns.phases, returns.registry
        self._handlers = handlers
        self._returns = returns
        self._watch, self._effects = watch, watch.effects
        self._points, self._breakpoints = points, BreakpointChecks(points, returns.phases)
        self.watches = Watches(points.evaluation, returns.phases, rank)
        """What the user watches."""
        self._watched = WatchesAtStop(self.watches)
        self.history = ParameterHistory(points.owners.all_parameters, returns.phases)
        """What becomes of each parameter."""
        interruptions = points.listener.interruptions
        further = (self._breakpoints, self._watched, Histories(self._registry, self.history))
        self._inspector = Inspector(self._registry, watch.copies, gradient_scaling, interruptions, further)
        self._notices: set[str] = set()
        """The notices on what cannot be seen that were sent already."""
        self._remarks = Remarks()

    def begin(self, welcome: m.RankWelcome) -> None:
        """The session has been entered."""
        self._inspector.readonly = welcome.readonly
        self._watch.copies.share = welcome.keep / 100

    def wait(self, boundary: m.Boundary, cause: Cause) -> None:
        """Say what there is to see, then serve until told to go on.

        Raises:
            HubLost: nobody is there any more.
        """
        try:
            with Unobserved() as unobserved:
                with uncollected():
                    stop = self._described(boundary, cause, unobserved.gradients)
                self._rank.link.send(m.Stopped(stop))
                self._serve(boundary, cause)
        finally:
            self._registry.release()
            self._inspector.close()

    def let_go(self) -> None:
        """Keep nothing."""
        self._watch.rules.note(False)
        self._effects.forget()
        self._let_go_of_names()

    def _let_go_of_names(self) -> None:
        """Nobody steps: keep no copies, no names and no rows."""
        self._watch.let_go()
        self._inspector.let_go()

    def _described(self, boundary: m.Boundary, cause: Cause, gradients: bool) -> m.Stop:
        """The stop. It stands even where nothing can be read: with the stack and the traceback, and a word on why."""
        try:
            stop = self._describe(boundary, cause, gradients)
        except HubLost:
            raise
        except Exception as error:
            self._tell(f"{_UNSEEN}: {_in_words(error)}")
            stop = self._bare(boundary, cause, gradients)
        if failure := devices.failure():
            self._tell(f"a kernel of the phase just done has failed, and values cannot be read any more: {failure}")
        return stop

    def _bare(self, boundary: m.Boundary, cause: Cause, gradients: bool) -> m.Stop:
        """A stop at which nothing is known but where training stands."""
        self._effects.forget()
        self._watch.copies.let_go()
        self._registry.release()
        self._inspector.open(
            AtStop(boundary, cause.stack, gradients=gradients, pending_backward=self._phases.pending_backward)
        )
        return m.Stop(
            boundary=boundary,
            reason=cause.reason,
            detail=cause.detail,
            frames=frames.describe(cause.stack, cause.lines),
            registry=self._registry.version,
            pending_backward=self._phases.pending_backward,
            failure=cause.failure,
        )

    def _tell(self, text: str) -> None:
        """Tell the user why something cannot be seen: once, not at each stop."""
        if text not in self._notices:
            self._notices.add(text)
            self._rank.link.send(m.Notice(text, "error"))

    def _without_gradients(self, of_call: list[m.Effect]) -> bool:
        """Whether no parameter that a step has written has a `.grad`, or none at all where it has written none."""
        owners = {entry.owner for entry in self._registry.alive.values() if entry.kind == "grad"}
        written = [effect.object for effect in of_call if effect.kind == "parameter"]
        return owners.isdisjoint(written) if written else not owners

    def _describe(self, boundary: m.Boundary, cause: Cause, gradients: bool) -> m.Stop:
        phases, registry = self._phases, self._registry
        seen = cause.seen
        if cause.inner is None and seen is None:
            self._effects.find_batch(boundary, cause.stack)
        registry.refresh(cause.stack, cause.returning, pending_backward=phases.pending_backward)
        after = effects.take(registry) if seen is None else seen.after
        done = phases.last if boundary.done is not None else None
        before, evaluations = self._effects.before, self._effects.evaluations(boundary)
        within = done is None and bool(boundary.inside) and cause.inner is None and before is not None
        over = done is None and not boundary.inside and cause.reason in ("exit", "nan")
        named: list[m.Effect] = []
        basis: m.Basis | None = None
        if seen is not None:
            named, basis = seen.effects, seen.basis
        elif done is not None or within or over:
            named, basis = self._effects.of_phase(None if over else phases.last, after)
        found = self._effects.counted(named, basis, after) if basis is not None else None
        if found is not None and done is not None and basis == "fingerprint":
            of_call = [effect for effect in named if not (effect.after or effect.before)]
            beyond = self._beyond(done, named) if done.name == "step" else ""
            bare = done.name == "step" and self._without_gradients(of_call)
            why = self._why(boundary, of_call, done)
            found = msgspec.structs.replace(found, why=why, beyond=beyond, without_gradients=bare)
        ended = done if cause.failure is None else phases.last  # an exception may have left it before it was done
        if ended is not None and before is not None and basis is not None:
            self._effects.record(ended, named, basis)
        findings = seen.findings if seen is not None else []
        if cause.inner is None:
            if seen is None:
                last, asked = cause.reason in ("exit", "exception"), self._policy.findings.wanted
                findings = self._watch.look(boundary, done, before, after, cause.stack, last=last, asked=asked)
            self._watch.arrived(boundary, after, named)
        elif before is not None:
            named = self._effects.so_far(before, after)
            found = counted(named, "fingerprint")
        self._watch.kept_alive.keep(registry.named)
        made_in = phases.made_in()
        if registry.newest.at_backward or phases.pending_backward:
            if not registry.newest.called.undecided:
                loss, made_in["loss"] = registry.newest.loss(), boundary.opens or phases.update
                number = None if loss is None else tensors.single(loss)
                boundary = msgspec.structs.replace(boundary, loss=None if number is None else float(number))
            elif made_in.get("loss") != phases.update:  # of the last update, when this one's is being made
                boundary = msgspec.structs.replace(boundary, loss=None)
        inner = cause.inner(registry) if cause.inner is not None else None
        running = phases.running.owner if phases.running is not None else None
        self._inspector.open(
            AtStop(
                boundary,
                cause.stack,
                after,
                named,
                gradients,
                phases.pending_backward,
                phases.opened_ns(),
                inner,
                _optimizer(cause.coming, registry),
                midstep(boundary, inner, _optimizer(running, registry), named if found is not None else None),
            )
        )
        not_training, evaluating = modes(registry)
        names = Names(registry, (*phases.before, *phases.done))
        bad = explained(self._policy.checks, registry) if cause.reason == "nan" else None
        described = frames.describe(cause.stack, cause.lines)
        mine = next((frame for frame in described if not frame.library), None)
        return m.Stop(
            boundary=boundary,
            reason=cause.reason,
            detail=in_words(bad) if bad is not None else cause.detail,
            bad=bad,
            effects=found,
            phases=names.with_owners(phases.records(), phases.done),
            previous=names.with_owners(phases.previous(), phases.before),
            next_of=names.loss(registry.newest.loss_name()) if boundary.next == "backward" else names.of(cause.coming),
            done_of=names.of(done.owner) if done is not None and not done.in_order and evaluations == 1 else "",
            evaluations=evaluations,
            unmet=self._breakpoints.unmet(self._points.all),
            frames=described,
            line_done=(os.path.abspath(done.place[0]), done.place[1]) if done and done.place else None,
            line_next=(mine.file, frames.line_after(cause.returning) or mine.line) if mine and boundary.next else None,
            census=registry.census(),
            registry=registry.version,
            pending_backward=phases.pending_backward,
            loss_name=registry.newest.loss_name(),
            walked_from=done.loss if done is not None else None,
            watched=self._watched.values(),
            failure=self._failure(cause, seen=basis == "fingerprint"),
            made_in=made_in,
            inner=inner,
            suspicion=self._remarks.suspicion(boundary, named, registry, {one.rule for one in findings}),
            modes=not_training,
            evaluating=evaluating,
        )

    def _failure(self, cause: Cause, *, seen: bool) -> m.Failure | None:
        """The exception, with where it was raised and on what; that alone where nobody can say.

        Args:
            cause: Why training stops.
            seen: Somebody looked before the phase that it has left.
        """
        if cause.failure is None:
            return None
        try:
            found = raised.located(cause.failure, cause.traceback, self._registry)
            if not seen and cause.left[-1:] == ("backward",):
                found = raised.with_gradients(found, self._registry)
            refusal = Refusal(cause.stack, self._registry, self._phases)
            return msgspec.structs.replace(found, why=refusal.why(found.message))
        except Exception as error:
            self._tell(f"what the exception was raised on cannot be read: {_in_words(error)}")
            return cause.failure

    def _why(self, boundary: m.Boundary, named: list[m.Effect], done: Phase) -> str:
        """Why the phase done has changed less than it is for."""
        if done.name == "step" and done.doubt is not None and not any(effect.kind == "parameter" for effect in named):
            return m.NOT_LISTED  # a step by hand is one that has moved something
        _, optimizer = self._optimizer_of(done)
        return self._remarks.why(boundary, named, optimizer, self._registry, self._effects.before or ())

    def _beyond(self, done: Phase, named: list[m.Effect]) -> str:
        """The optimizer of the step done, where it holds none of the parameters that changed after it."""
        later = {effect.object for effect in named if effect.after and effect.kind == "parameter"}
        name, optimizer = self._optimizer_of(done) if later else ("", None)
        if optimizer is None or not later.isdisjoint(self._returns.parameter_names(optimizer)):
            return ""
        for entry, other in self._registry.optimizers():  # one that was just made for them, and bears the name now
            if other is not optimizer and entry.steps == 0 and later <= self._returns.parameter_names(other):
                return ""
        return name

    def _optimizer_of(self, done: Phase) -> tuple[str, Any]:
        """The optimizer whose phase it was, and its name; None where that is not known."""
        known = self._registry.optimizers()
        owned = done.owner() if done.owner is not None else None
        found = [(named.name, one) for named, one in known if one is owned or (len(known) == 1 and done.owner is None)]
        return found[0] if found else ("", None)

    def _serve(self, boundary: m.Boundary, cause: Cause) -> None:
        link = self._rank.link
        while True:
            try:
                self._handlers.wait(link.wait)
            except GoOn:
                until = self._policy.until or "next"
                with uncollected():
                    self._resume(until, boundary, cause)
                link.send(m.Resumed(self._phases.index, until))
                return
            match link.receive():
                case m.Resume(until=until):
                    with uncollected():
                        self._resume(until, boundary, cause)
                    link.send(m.Resumed(self._phases.index, until))
                    return
                case m.Ask(number=number, query=query):
                    link.send(m.Answer(number, self._inspector.answer(query)))
                    wrote = isinstance(query, m.ApplyEdit | m.UndoEdit | m.Evaluate)
                    if wrote:
                        self._watch.rules.forget()
                    if self.watches.any and wrote:
                        link.send(m.WatchesRead(self._watched.values()))
                case m.SetBreakpoints(breakpoints=points):
                    self._policy.set_breakpoints(points)
                case m.SetWatches(watches=watches):
                    self.watches.hold(watches)
                    link.send(m.WatchesRead(self._watched.values()))
                case m.Disarm():
                    raise HubLost("the session has ended")
                case _:
                    pass

    def _resume(self, until: m.Go, boundary: m.Boundary, cause: Cause) -> None:
        self._policy.go_on(until)
        gone = cause.inner is None and self._watch.kept_alive.let_go(self._registry.named)
        if self._inspector.edited or gone:  # neither is an effect of the phase that comes
            self._registry.refresh(cause.stack, cause.returning)
            self._effects.edited(effects.take(self._registry), inner=cause.inner is not None)
        watching = until in (*STEPPING, "finish") or self._policy.findings.wanted
        self._effects.go_on(stepping=until in STEPPING, watching=watching)
        self._watch.rules.note(watching)
        if not watching:
            self._let_go_of_names()
        elif boundary.next is not None and self._effects.before is not None and cause.inner is None:
            self._watch.copies.before(boundary.next, self._registry, self._effects.before)


def _in_words(error: Exception) -> str:
    """An exception, and where it was raised: so that it can be reported."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" ({where.tb_frame.f_code.co_filename}:{where.tb_lineno})" if where is not None else ""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}{place}"


def _optimizer(owner: PhaseOwner, registry: Registry) -> Any:
    """The optimizer that this is; None where it is none, or not known."""
    owned = owner() if owner is not None else None
    return next((optimizer for _, optimizer in registry.optimizers() if optimizer is owned), None)
