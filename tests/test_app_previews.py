"""What the page shows before the picture is there, and boxes over it: previews that announce, moves that overtake."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lexifuse.boxes import Detection
from lexifuse.datasets.synthetic import Scene
from lexifuse.errors import InputError
from lexifuse.pair import ImagePair

gradio = pytest.importorskip("gradio", reason="the page needs lexifuse[service]")

from lexifuse.pixels import to_float
from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.page.events import Events
from lexifuse.service.page.layout import lay_out
from lexifuse.service.page.report import counted
from lexifuse.service.page.session import Session
from lexifuse.service.page.store import FileStore
from lexifuse.service.page.understanding import Ask, Loaded
from lexifuse.service.page.view import viewer_value
from lexifuse.service.page.workbench import Preview, Workbench
from lexifuse.service.queue import WorkQueue

HAZE = "visible.haze"


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(create_api(ServiceSettings(threads=1)).state.service, FileStore())


@pytest.fixture
def loaded(day: Scene) -> Loaded:
    names = {"infrared": "day ir.png", "visible": "day.png"}
    return Loaded(ImagePair(day.infrared, day.visible, name="day"), names)


# ---- previews ----


def picture(preview: Preview) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(preview.file.data)))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(to_float(one) - to_float(other)).mean() * 255)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Ask("it is dark"), Ask("it is dark", by_hand={"visible.low_light": 0.9})),
        (Ask(), Ask("it is dark; make people stand out")),
        (Ask("auto"), Ask("no haze", automatic=True, by_hand={"balance": 0.8})),
    ],
    ids=["slider", "words", "automatic"],
)
def test_a_preview_looks_like_what_it_announces(
    before: Ask, after: Ask, bench: Workbench, night: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexifuse.service.page.workbench.QUICK_SECONDS", 0.0)
    monkeypatch.setattr("lexifuse.service.page.preview.SMALL_PIXELS", 7_000)  # A quarter of this pair, as on the page.
    loaded = Loaded(ImagePair(night.infrared, night.visible, name="night"), {"infrared": "a.png", "visible": "b.png"})
    assert bench.preview(loaded, after) is None  # Nothing to start from yet.
    start = bench.fuse(loaded, before).account.result
    preview = bench.preview(loaded, after)
    assert preview is not None
    result = bench.fuse(loaded, after).account.result
    assert preview.instruction == result.carried_out and picture(preview).shape == result.image.shape
    off, change = distance(picture(preview), result.image), distance(start.image, result.image)
    assert off < 0.5 * change, (off, change)
    same = bench.preview(loaded, after)
    assert same is not None and distance(picture(same), result.image) < off  # The full picture itself, as JPEG.


def test_no_preview_where_it_would_flicker_or_guess(
    bench: Workbench, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fuse(loaded, Ask("dark"))
    monkeypatch.setattr("lexifuse.service.page.workbench.QUICK_SECONDS", 1e9)
    assert bench.preview(loaded, Ask("foggy")) is None
    monkeypatch.setattr("lexifuse.service.page.workbench.QUICK_SECONDS", 0.0)
    assert bench.preview(loaded, Ask("foggy")) is not None
    assert bench.preview(loaded, Ask(automatic=True)) is None  # The pixels were not looked at yet.


def test_a_preview_of_a_large_deep_grey_pair_is_no_larger_than_the_viewer(bench: Workbench) -> None:
    rng = np.random.default_rng(0)
    pair = ImagePair(rng.integers(0, 2**16, (800, 900), np.uint16), rng.random((800, 900), np.float32), name="large")
    loaded = Loaded(pair, {"infrared": "a.png", "visible": "b.png"})
    bench.fuse(loaded, Ask("more infrared"))
    preview = bench.preview(loaded, Ask("more visible"))
    if preview is not None:  # Else this machine is quick.
        height, width = picture(preview).shape
        assert height * width <= 501_000 and abs(width / height - 900 / 800) < 0.01


def test_moves_overtake_each_other_and_only_the_last_is_carried_out(
    bench: Workbench, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexifuse.service.page.workbench.QUICK_SECONDS", 0.0)
    carried_out: list[Ask] = []
    fuse = bench.fuse
    monkeypatch.setattr(bench, "fuse", lambda loaded, ask: carried_out.append(ask) or fuse(loaded, ask))
    session = Session(loaded=loaded, ask=Ask(model="compact"))

    async def drive() -> None:
        with gradio.Blocks():
            page = lay_out(bench.models(), 1)
        events = Events(page, bench, WorkQueue(2, 8, 60.0))

        def move(haze: float) -> Any:
            return events.change(session, "", False, "compact", session.told, *(session.shown | {HAZE: haze}).values())

        full = await move(0.3)  # The first of a pair has no preview.
        assert page.account in full and full[page.viewer]["fused"]["url"] == session.viewed["fused"]["url"]
        moves = [await move(haze) for haze in (0.4, 0.5, 0.6)]
        turns = [updates[page.viewer]["turn"] for updates in moves]
        assert turns == sorted(set(turns)) and page.account not in moves[-1]
        assert all(updates[page.viewer]["preview"]["url"].startswith("data:image/jpeg") for updates in moves)
        answers = await asyncio.gather(events.finish(session), events.finish(session))
        (shown,) = (updates for updates in answers if page.viewer in updates)
        assert "preview" not in shown[page.viewer] and shown[page.viewer]["turn"] == turns[-1]
        assert [ask.by_hand[HAZE] for ask in carried_out] == [0.3, 0.6] and len(session.tries) == 1
        await move(0.7)
        late = asyncio.ensure_future(events.finish(session))
        await asyncio.sleep(0)
        await move(0.8)  # While the full picture of 0.7 is made.
        assert page.viewer not in await late
        monkeypatch.setattr(bench, "fuse", lambda *_: (_ for _ in ()).throw(InputError("no more")))
        failed = await events.finish(session)
        assert "No more" in failed[page.account] and failed[page.viewer] == session.viewed  # No preview stays.

    asyncio.run(drive())


def test_prompts_side_by_side_belong_to_one_pair_whatever_the_visitor_does_meanwhile(
    bench: Workbench, loaded: Loaded
) -> None:
    session, other = Session(loaded=loaded), replace(loaded)

    async def drive() -> None:
        with gradio.Blocks():
            page = lay_out(bench.models(), 1)
        events = Events(page, bench, WorkQueue(2, 8, 60.0))
        running = events.compare(session, False, "compact", "dark\nfoggy\nrain")
        first = await anext(running)
        session.loaded = other  # Other pictures are chosen before the second prompt.
        second = await anext(running)
        assert len(first[page.compared]) == 1 and [card["title"] for card in second[page.compared]] == ["dark", "foggy"]
        assert all(one.loaded is loaded for one in session.compared)
        again = [updates async for updates in events.compare(session, False, "compact", "night")]
        with pytest.raises(StopAsyncIteration):  # The visitor asked anew: the earlier prompts are not mixed in.
            await anext(running)
        assert [(one.title, one.loaded) for one in session.compared] == [("night", other)]
        assert [card["id"] for card in again[-1][page.compared]] == [session.compared[0].number]

    asyncio.run(drive())


# ---- boxes ----


def content(bench: Workbench, bundle: str, file: str) -> bytes:
    found = bench.store.get(bundle, file)
    assert found is not None
    return found.data


def test_boxes_are_looked_for_when_they_are_asked_for(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    class Finder:
        name, threshold = "finder", 0.3

        def detect(self, image: np.ndarray) -> list[Detection]:
            asked.append(image.shape)
            return [Detection((4, 4, 12, 28), "person", 0.9), Detection((20, 10, 44, 24), "vehicle", 0.7)]

    monkeypatch.setattr("lexifuse.service.engine.load_detector", lambda name, **_: {"mine": Finder()}[name])
    bench = Workbench(create_api(ServiceSettings(threads=1, detector="mine")).state.service, FileStore())
    outcome = bench.fuse(loaded, Ask("dark"))
    assert viewer_value(outcome)["boxes"].endswith(f"boxes/{outcome.fused}") and not asked
    told = json.loads(content(bench, outcome.fused, "boxes.json"))
    content(bench, outcome.fused, "boxes.json")
    assert (
        asked == [outcome.account.result.image.shape]
        and told["found"] == "1 person, 1 vehicle"
        and told["threshold"] == 0.3
    )
    height, width = outcome.account.result.image.shape[:2]
    assert np.allclose(told["boxes"][0]["box"], [4 / width, 4 / height, 12 / width, 28 / height], atol=1e-4)


def test_without_a_detector_no_boxes_are_offered(
    bench: Workbench, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexifuse.service.engine.detectors", list)
    without = Workbench(create_api(ServiceSettings(threads=1)).state.service, FileStore())
    outcome = without.fuse(loaded, Ask("dark"))
    assert viewer_value(outcome)["boxes"] == "" and without.store.get(outcome.fused, "boxes.json") is None
    assert counted(["vehicle", "person", "person", "vehicle"]) == "2 people, 2 vehicles" and counted([]) == ""
