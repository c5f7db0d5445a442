"""What happens on the page: every handler turns a move of the visitor into a fusion in the service's queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import Any

import gradio as gr

from lexifuse.errors import LexifuseError
from lexifuse.instruction import SETTABLE, Instruction
from lexifuse.service.page import telling, view
from lexifuse.service.page.command import command_line
from lexifuse.service.page.layout import MOST_PROMPTS, Page
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.session import Move, Session
from lexifuse.service.page.understanding import Ask, Loaded, Upload, asked_of, differs, values_of
from lexifuse.service.page.workbench import Outcome, Workbench
from lexifuse.service.problems import ProblemError
from lexifuse.service.queue import WorkQueue

Updates = dict[Any, Any]
"""Components and their new values; those that are not named stay as they are."""

Told = dict[str, Any]
"""What the controls were told to show, as the browser sends it back."""

_FIRST_SAMPLE = next(iter(SAMPLES))
_LONGEST_NAME = 80


class Events:
    """The page's handlers.

    Args:
        page: the components.
        bench: does the work.
        queue: in which it is done, together with the service's requests.
    """

    def __init__(self, page: Page, bench: Workbench, queue: WorkQueue) -> None:
        self.page = page
        self.bench = bench
        self.queue = queue

    def connect(self, blocks: gr.Blocks) -> None:
        """Say which component's event calls which handler."""
        page, controls = self.page, list(self.page.controls.values())
        asked = [page.session, page.words, page.automatic, page.model, page.told, *controls]
        shown: list[Any] = [
            page.viewer, page.account, page.downloads, page.command, page.tries, page.infrared, page.visible,
            page.words, page.automatic, page.model, page.resize, page.told, *controls,
        ]  # fmt: skip

        # Without Gradio's own queue: the service's stands behind, and a slider need not wait twice.
        quiet: dict[str, Any] = {
            "outputs": shown, "queue": False, "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip

        def on(listeners: list[Any], handler: Callable[..., Any], inputs: list[Any], **options: Any) -> None:
            gr.on(listeners, handler, inputs, **quiet, **options)

        # A text box has `input` for keys alone; `change` comes whatever changes it, a paste and ourselves included.
        moves = [page.words.change, page.automatic.input, page.model.input]
        on([*moves, *(control.input for control in controls)], self.change, asked, trigger_mode="always_last")  # type: ignore[attr-defined]
        on([page.words.submit, page.fuse.click], self.settle, asked)
        on([page.reset.click], self.reset, asked)
        # The last choice counts: none is thrown away because an earlier one is still being carried out.
        on([page.samples.select], self.sample, [page.session], trigger_mode="multiple")
        on([page.tries.select, page.compared.select], self.go_back, [page.session], trigger_mode="multiple")
        on([page.infrared.upload], self.upload_infrared, [page.session, page.resize], trigger_mode="multiple")
        on([page.visible.upload], self.upload_visible, [page.session, page.resize], trigger_mode="multiple")
        on([page.resize.input], self.stretch, [page.session, page.resize], trigger_mode="always_last")
        several = [page.session, page.automatic, page.model, page.prompts]
        aside = {**quiet, "outputs": [page.compared, page.account], "queue": True}
        page.compare.click(self.compare, several, **aside)
        on([page.viewer.end], self.finish, [page.session], trigger_mode="multiple")  # type: ignore[attr-defined]
        blocks.load(self.begin, [page.session], **quiet)

    async def begin(self, session: Session) -> Updates:
        """The page was opened: show the first sample, so that there is something to see."""
        session.ask = Ask(model=self.bench.models()[0].name)
        return await self._load(session, lambda: self.bench.load_sample(_FIRST_SAMPLE))

    async def change(
        self, session: Session, words: str, automatic: bool, model: str, told: Told, *values: Any
    ) -> Updates:
        """A word was typed or a control was moved."""
        ask, cause = session.asked(words, automatic, model, told, dict(zip(SETTABLE, values, strict=True)))
        if ask == session.ask:
            return {self.page.account: gr.skip()}
        return await self._fuse(session, session.loaded, ask, cause, own=True)

    async def settle(
        self, session: Session, words: str, automatic: bool, model: str, told: Told, *values: Any
    ) -> Updates:
        """Enter, or the button: what stands there is a try of its own."""
        ask, cause = session.asked(words, automatic, model, told, dict(zip(SETTABLE, values, strict=True)))
        return await self._fuse(session, session.loaded, ask, cause, own=True, settles=True)

    async def finish(self, session: Session) -> Updates:
        """The viewer has drawn what there is more to come of, and nothing moves: make the full picture of a preview."""
        move, session.previewed = session.previewed, None
        if move is not None:
            return await self._carry_out(session, move)
        if session.loaded is not None:
            with suppress(LexifuseError, ProblemError):  # It was told when the move itself failed.
                await self.queue.run(partial(self.bench.prepare_preview, session.loaded, session.ask))
        return {self.page.account: gr.skip()}

    async def reset(
        self, session: Session, words: str, automatic: bool, model: str, told: Told, *values: Any
    ) -> Updates:
        """Give the controls back to the words."""
        session.asked(words, automatic, model, told, dict(zip(SETTABLE, values, strict=True)))
        return await self._fuse(session, session.loaded, Ask(words, automatic, model), "reset", own=True)

    async def sample(self, session: Session, event: gr.EventData) -> Updates:
        """A sample was chosen."""
        key = str(event._data["id"])  # noqa: SLF001 - Gradio keeps an event's own data there
        session.uploads = {}
        return await self._load(session, lambda: self.bench.load_sample(key))

    async def go_back(self, session: Session, event: gr.EventData) -> Updates:
        """A try of the history, or one of several prompts, was chosen."""
        found = session.find(int(event._data["id"]))  # noqa: SLF001
        if found is None:
            return {self.page.account: telling.tell_error("this try is no longer held: type its words again")}
        session.choose()
        session.uploads = found.loaded.uploads
        if found in session.tries:
            session.current = found.number
        cause = None if found in session.tries else "prompt"
        return await self._fuse(session, found.loaded, found.ask, cause, settles=True)

    async def upload_infrared(self, session: Session, resize: bool, event: gr.EventData) -> Updates:
        """An infrared picture was dropped or chosen."""
        return await self._upload(session, "infrared", resize, event._data)  # noqa: SLF001

    async def upload_visible(self, session: Session, resize: bool, event: gr.EventData) -> Updates:
        """A visible picture was dropped or chosen."""
        return await self._upload(session, "visible", resize, event._data)  # noqa: SLF001

    async def stretch(self, session: Session, resize: bool) -> Updates:
        """The box for pictures of different size was ticked or cleared."""
        return await self._load_uploads(session, resize) if len(session.uploads) == 2 else {self.page.resize: resize}

    async def compare(self, session: Session, automatic: bool, model: str, prompts: str) -> AsyncIterator[Updates]:
        """Fuse the pair at work under every one of several prompts."""
        lines = [line.strip() for line in prompts.splitlines() if line.strip()][:MOST_PROMPTS]
        loaded = session.loaded
        if loaded is None or not lines:
            yield {self.page.account: telling.tell_hint("Two pictures and a prompt per line are needed.")}
            return
        # The visitor may choose other pictures, or ask anew, while these are made: what belongs together is held here.
        session.compared = compared = []
        for line in lines:
            try:
                outcome = await self.queue.run(partial(self.bench.fuse, loaded, Ask(line, automatic, model)))
            except (LexifuseError, ProblemError) as error:
                yield {self.page.account: telling.tell_error(_message(error))}
                return
            if session.compared is not compared:
                return
            compared.append(session.new_try(outcome.ask, loaded, line, outcome.thumbnail, "prompt"))
            yield {self.page.compared: view.cards(compared)}

    async def _upload(self, session: Session, which: str, resize: bool, data: Mapping[str, Any]) -> Updates:
        if "error" in data:
            return {self.page.account: telling.tell_error(str(data["error"]))}
        name = PurePath(str(data["name"]).replace("\\", "/")).name[:_LONGEST_NAME] or f"{which}.png"
        session.uploads = {**session.uploads, which: Upload(str(data["file"]), name)}
        return await self._load_uploads(session, resize)

    async def _load(self, session: Session, load: Callable[[], Loaded]) -> Updates:
        """Put other pictures on the table, whatever is typed until they are here."""
        choice, before = session.choose(), session.ask
        try:
            loaded = await self.queue.run(load)
        except (LexifuseError, ProblemError) as error:
            if choice != session.choice:
                return {self.page.account: gr.skip()}
            session.notice = telling.tell_error(_message(error))
            return {self.page.account: session.notice, self.page.resize: gr.update(visible=bool(session.uploads))}
        if choice != session.choice:
            return {self.page.account: gr.skip()}
        ask = asked_of(loaded, session.loaded, before, session.ask)
        return await self._fuse(session, loaded, ask, "pictures", own=ask == session.ask)

    async def _load_uploads(self, session: Session, resize: bool) -> Updates:
        infrared, visible = session.uploads.get("infrared"), session.uploads.get("visible")
        if infrared is not None and visible is not None:
            return await self._load(session, partial(self.bench.load_uploads, infrared, visible, resize=resize))
        there, other = ("infrared", "visible") if infrared else ("visible", "infrared")
        hint = f"Now drop the {other} picture of the same scene; until then the pictures below stay as they were."
        session.notice = telling.tell_hint(hint)
        empty = {"url": "", "name": ""}
        return {
            self.page.account: session.notice,
            getattr(self.page, other): empty,
            getattr(self.page, there): {"url": "", "name": session.uploads[there].name},
        }

    async def _fuse(
        self,
        session: Session,
        loaded: Loaded | None,
        ask: Ask,
        cause: str | None,
        *,
        own: bool = False,
        settles: bool = False,
    ) -> Updates:
        """Answer a move: with a preview where the pair is on the table and slow to fuse, else with the full picture.

        Args:
            session: of the visitor.
            loaded: the pair, if there is one.
            ask: what is asked.
            cause: see :class:`Move`, as for the others.
            own: likewise.
            settles: likewise.
        """
        turn, session.ask, session.loaded = session.begin(), ask, loaded
        if loaded is None:
            return {self.page.account: telling.tell_hint("Drop two pictures, or choose a sample.")}
        move = Move(turn, loaded, ask, cause, own, settles)
        preview = None
        if loaded is session.viewed_pair:
            try:
                preview = await self.queue.run(partial(self.bench.preview, loaded, ask))
            except (LexifuseError, ProblemError) as error:
                return self._tell_failure(session, error)
            if turn != session.turn:
                return {self.page.account: gr.skip()}
        if preview is None:
            return await self._carry_out(session, move, more=True)
        session.previewed = move
        shown = {self.page.viewer: view.preview_value(session.viewed, preview, turn)}
        return shown | self._follow(session, preview.instruction)

    async def _carry_out(self, session: Session, move: Move, *, more: bool = False) -> Updates:
        """Make the full picture and show it, unless the visitor has moved on meanwhile.

        Args:
            session: of the visitor.
            move: what to do.
            more: let the viewer call :meth:`finish` afterwards, to prepare the next preview.
        """
        async with session.fusing:
            if move.turn != session.turn:
                return {self.page.account: gr.skip()}
            try:
                outcome = await self.queue.run(partial(self.bench.fuse, move.loaded, move.ask))
            except (LexifuseError, ProblemError) as error:
                return self._tell_failure(session, error)
        if move.turn != session.turn:
            return {self.page.account: gr.skip()}
        # A way back takes away what was dropped and never came to work, even where it leads to the same pictures.
        new_pictures = session.viewed_pair is not move.loaded or not move.own
        session.viewed_pair = move.loaded
        if move.cause is not None:
            session.record(move.ask, move.loaded, view.title_of(outcome), outcome.thumbnail, move.cause)
        if move.settles:
            session.settle()
        ask = move.ask
        said: Updates = {} if move.own else dict(zip(self._said(), (ask.words, ask.automatic, ask.model), strict=True))
        follow = self._follow(session, outcome.account.result.carried_out)
        session.viewed = view.viewer_value(outcome, move.turn, more=more)
        return said | self._show(session, outcome, new_pictures) | follow

    def _tell_failure(self, session: Session, error: LexifuseError | ProblemError) -> Updates:
        """Say what is wrong; no preview stays of what could not be made."""
        updates: Updates = {self.page.account: telling.tell_error(_message(error))}
        return updates | ({self.page.viewer: session.viewed} if session.viewed else {})

    def _said(self) -> tuple[Any, ...]:
        return self.page.words, self.page.automatic, self.page.model

    def _show(self, session: Session, outcome: Outcome, new_pictures: bool) -> Updates:
        page, ask = self.page, outcome.ask
        updates: Updates = {
            page.viewer: session.viewed,
            page.account: telling.tell(outcome, session.notice),
            page.downloads: telling.tell_downloads(outcome),
            page.command: command_line(outcome.loaded, ask, outcome.model.name),
            page.tries: view.try_cards(session),
        }
        if new_pictures:
            updates |= {
                page.infrared: view.drop_value(outcome, session.uploads, "infrared"),
                page.visible: view.drop_value(outcome, session.uploads, "visible"),
                page.resize: gr.update(value=outcome.loaded.resized, visible=bool(session.uploads)),
            }
        return updates

    def _follow(self, session: Session, instruction: Instruction) -> Updates:
        """Let the controls say what is carried out; what already says so is left alone, for a hand may be on it."""
        values = values_of(instruction)
        updates: Updates = {
            self.page.controls[name]: value
            for name, value in values.items()
            if session.overtaken or differs(session.shown[name], value)
        }
        session.told = session.shown = values
        session.overtaken = False
        return updates | {self.page.told: values}


def _message(error: LexifuseError | ProblemError) -> str:
    return error.detail if isinstance(error, ProblemError) else str(error)
