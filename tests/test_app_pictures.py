"""Pictures that a visitor drops while going on to do other things: they come to work, or it is told why they do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from lexifuse.datasets.synthetic import Scene
from lexifuse.errors import InputError
from lexifuse.pair import ImagePair

gradio = pytest.importorskip("gradio", reason="the page needs lexifuse[service]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.page.events import Events, Updates
from lexifuse.service.page.layout import Page, lay_out
from lexifuse.service.page.session import Session
from lexifuse.service.page.store import FileStore
from lexifuse.service.page.understanding import Ask, Loaded, Upload, asked_of
from lexifuse.service.page.workbench import Workbench
from lexifuse.service.queue import WorkQueue

SAMPLE_WORDS = "it is too dark"
HAZE = "visible.haze"


@dataclass
class Visit:
    """A page with a sample at work, whose uploads load when they are let."""

    bench: Workbench
    events: Events
    page: Page
    session: Session
    gate: threading.Event = field(default_factory=threading.Event)

    async def type(self, words: str, **by_hand: Any) -> Updates:
        values = self.session.shown | by_hand
        return await self.events.change(self.session, words, False, "compact", self.session.told, *values.values())

    async def type_unanswered(self, words: str, earlier: dict[str, Any]) -> Updates:
        """A key that was hit before the controls had the last answer."""
        return await self.events.change(self.session, words, False, "compact", earlier, *earlier.values())

    async def drop(self, which: str, name: str) -> Updates:
        take = self.events.upload_infrared if which == "infrared" else self.events.upload_visible
        return await take(self.session, False, gradio.EventData(None, {"file": name, "name": name}))

    async def drop_both(self) -> asyncio.Task[Updates]:
        """Drop two pictures; the second one's answer, which waits for the gate."""
        await self.drop("infrared", "ir.png")
        answer = asyncio.create_task(self.drop("visible", "vi.png"))
        while self.session.choice == 0:
            await asyncio.sleep(0.001)
        return answer

    async def come(self, answer: asyncio.Task[Updates]) -> Updates:
        self.gate.set()
        return await answer


Visitor = Callable[[Visit], Coroutine[Any, Any, None]]


@pytest.fixture
def drive(day: Scene, night: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[[Visitor], None]:
    bench = Workbench(create_api(ServiceSettings(threads=1)).state.service, FileStore())
    names = {"infrared": "night_infrared.png", "visible": "night_visible.png"}
    sample = Loaded(ImagePair(night.infrared, night.visible, name="night"), names, words=SAMPLE_WORDS)

    async def open_and(visitor: Visitor) -> None:
        with gradio.Blocks():
            page = lay_out(bench.models(), 1)
        session = Session(loaded=sample, ask=Ask(SAMPLE_WORDS, model="compact"))
        visit = Visit(bench, Events(page, bench, WorkQueue(2, 8, 60.0)), page, session)

        def load(infrared: Upload, visible: Upload, *, resize: bool) -> Loaded:
            assert visit.gate.wait(30)
            if infrared.name == "damaged.png":
                raise InputError("the infrared picture is damaged: export it again")
            brought = {"infrared": infrared, "visible": visible}
            pair = ImagePair(day.infrared, day.visible, name="day")
            return Loaded(pair, {which: one.name for which, one in brought.items()}, resize, uploads=brought)

        monkeypatch.setattr(bench, "load_uploads", load)
        await visitor(visit)

    return lambda visitor: asyncio.run(open_and(visitor))


def shows(updates: Updates, page: Page) -> tuple[str, str]:
    """What the drop zones are told to name."""
    return updates[page.infrared]["name"], updates[page.visible]["name"]


def test_pictures_come_to_work_whatever_is_typed_while_they_load(drive: Callable[[Visitor], None]) -> None:
    async def visitor(visit: Visit) -> None:
        dropped = await visit.drop_both()
        meanwhile = await visit.type("foggy")  # Fused with the sample, which is still there.
        assert visit.page.viewer in meanwhile and not visit.session.tries[-1].loaded.uploads
        await visit.type("foggy; more infrared")
        shown = await visit.come(dropped)
        assert shows(shown, visit.page) == ("ir.png", "vi.png") and shown[visit.page.infrared]["url"]
        assert visit.page.words not in shown  # A hand is on it.
        assert visit.session.tries[-1].ask.words == "foggy; more infrared"
        assert visit.session.tries[-1].loaded is visit.session.loaded and "ir.png" in shown[visit.page.command]
        assert shown[visit.page.infrared]["url"] == (await visit.type("rain"))[visit.page.viewer]["infrared"]["url"]

    drive(visitor)


def test_what_other_pictures_do_to_the_sliders_is_not_done_by_hand(drive: Callable[[Visitor], None]) -> None:
    async def visitor(visit: Visit) -> None:
        await visit.type("it is dark")
        earlier = visit.session.told
        visit.gate.set()
        await (await visit.drop_both())
        assert visit.session.told["visible.low_light"] != earlier["visible.low_light"]
        shown = await visit.type_unanswered("it is dark;", earlier)
        assert not visit.session.ask.by_hand
        # Two answers are on their way: the later one says it all.
        assert set(shown) >= {visit.page.told, *visit.page.controls.values()}
        await visit.type("it is dark")
        assert not visit.session.ask.by_hand

    drive(visitor)


def test_pictures_come_to_work_whatever_is_typed_while_they_are_fused(
    drive: Callable[[Visitor], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visitor(visit: Visit) -> None:
        fuse, fusing, go_on = visit.bench.fuse, threading.Event(), threading.Event()

        def wait(loaded: Loaded, ask: Ask) -> Any:
            fusing.set()
            assert go_on.wait(30)
            return fuse(loaded, ask)

        await visit.type("night")
        monkeypatch.setattr(visit.bench, "fuse", wait)
        visit.gate.set()
        dropped = await visit.drop_both()
        await asyncio.to_thread(fusing.wait, 30)
        typed = asyncio.create_task(visit.type("foggy"))
        await asyncio.sleep(0.01)
        go_on.set()
        assert visit.page.viewer not in await dropped  # Overtaken by the words, which take the pictures with them.
        shown = await typed
        assert shows(shown, visit.page) == ("ir.png", "vi.png")
        assert visit.session.tries[-1].ask.words == "foggy" and visit.session.tries[-1].loaded.uploads
        assert len(visit.session.tries) == 2  # Other pictures are a try of their own, however soon they come.

    drive(visitor)


def test_why_pictures_are_not_at_work_stays_told_until_others_are_chosen(drive: Callable[[Visitor], None]) -> None:
    async def visitor(visit: Visit) -> None:
        visit.gate.set()
        await visit.drop("infrared", "damaged.png")
        assert "Now drop the visible picture" in (await visit.type("dark"))[visit.page.account]
        assert "is damaged" in (await visit.drop("visible", "vi.png"))[visit.page.account]
        assert "is damaged" in (await visit.type("foggy"))[visit.page.account]
        assert "is damaged" not in (await visit.drop("infrared", "ir.png"))[visit.page.account]
        assert "is damaged" not in (await visit.type("rain"))[visit.page.account]

    drive(visitor)


def test_pictures_that_were_chosen_later_win_and_a_picture_alone_waits_for_its_other(
    drive: Callable[[Visitor], None],
) -> None:
    async def visitor(visit: Visit) -> None:
        await visit.type("foggy")
        dropped = await visit.drop_both()
        back = await visit.events.go_back(visit.session, gradio.EventData(None, {"id": visit.session.tries[0].number}))
        assert shows(back, visit.page) == ("night_infrared.png", "night_visible.png") and not visit.session.uploads
        assert visit.page.viewer not in await visit.come(dropped)
        sample = asyncio.create_task(visit.events.sample(visit.session, gradio.EventData(None, {"id": "rain"})))
        while not visit.session.choice > 2:
            await asyncio.sleep(0.001)
        await visit.drop("visible", "vi.png")
        assert shows(await sample, visit.page) == ("", "vi.png")
        assert shows(await visit.drop("infrared", "ir.png"), visit.page) == ("ir.png", "vi.png")

    drive(visitor)


def test_a_sample_brings_its_words_and_goes_with_them_but_what_was_said_since_stays() -> None:
    pair: Any = None
    sample, own = Loaded(pair, {}, words=SAMPLE_WORDS), Loaded(pair, {})
    before = Ask(SAMPLE_WORDS, automatic=True, by_hand={"balance": 0.5})
    assert asked_of(sample, own, Ask("fog", automatic=True), Ask("fog", automatic=True)) == Ask(SAMPLE_WORDS)
    assert asked_of(own, sample, before, before) == Ask(automatic=True)
    moved = Ask(SAMPLE_WORDS, automatic=True, by_hand={"balance": 0.5, HAZE: 0.3})
    assert asked_of(own, sample, before, moved) == Ask(automatic=True, by_hand={HAZE: 0.3})
    typed = Ask("fog", automatic=True, by_hand={"balance": 0.5})
    assert asked_of(own, sample, before, typed) == asked_of(sample, None, before, typed) == typed
    assert asked_of(own, own, moved, moved) == moved
