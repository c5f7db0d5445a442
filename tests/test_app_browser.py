"""The page in headless Chromium, driven as a visitor would; the program it talks to runs in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest

import lexifuse

pytest.importorskip("gradio", reason="the page needs lexifuse[service]")
sync_api = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright, of lexifuse[dev]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.page.privacy import POLICY
from lexifuse.service.server import serve_in_background

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 1000 * int(os.environ.get("LEXIFUSE_TEST_PATIENCE", "60"))
"""Milliseconds that a step may take on a busy machine."""

# The program, with every connection that it opens itself written to stderr, previews however quick the machine is, a
# detector that always finds the same, and pictures that take their time to load where their name says so.
WATCHED = """
import sys, time
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print("WENT OUT", event, arguments[-1], file=sys.stderr, flush=True)
import lexifuse.service.page.workbench
lexifuse.service.page.workbench.QUICK_SECONDS = 0.0
load = lexifuse.service.page.workbench.Workbench.load_uploads
def load_slowly(self, infrared, visible, *, resize):
    time.sleep(1.5 if visible.name.startswith("slow") else 0)
    return load(self, infrared, visible, resize=resize)
lexifuse.service.page.workbench.Workbench.load_uploads = load_slowly
from lexifuse.boxes import Detection
class Finder:
    name, threshold = "finder", 0.3
    def detect(self, image):
        return [Detection((4, 4, 12, 28), "person", 0.9), Detection((20, 10, 44, 24), "vehicle", 0.7)]
lexifuse.service.engine.load_detector = lambda name, **_: {"mine": Finder()}[name]
from lexifuse.cli import main
sys.addaudithook(watch)
main()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """`lexifuse app` on a free port: its URL, the process, and what it says on stderr."""
    log = tmp_path_factory.mktemp("app") / "stderr.txt"
    command = [sys.executable, "-c", WATCHED, "app", "--port", "0", "--detector", "mine"]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    said = re.search(r"http://\S+", process.stdout.readline())
    assert said, log.read_text()
    try:
        yield said[0], process, log
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.fixture(scope="module")
def url(program: tuple[str, subprocess.Popen[str], Path]) -> str:
    return program[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield opened
        opened.close()


class Visit:
    """A visitor's tab, and what it asked for."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.goto(url)
        self.words = page.locator("#lf-words textarea")
        self.account = page.locator("#lf-account")
        self.tries = page.locator("#lf-tries button")
        self.drops = page.locator(".lf-drop input")
        self.seen = ""
        self.wait()

    def wait(self) -> None:
        """Wait until the viewer shows another fused picture than before."""
        shows = "seen => ![undefined, seen].includes(document.querySelector('.lf-viewer')?.dataset.shown)"
        self.page.wait_for_function(shows, arg=self.seen)
        self.seen = self.page.locator(".lf-viewer").get_attribute("data-shown") or ""

    def slider(self, name: str) -> Locator:
        return self.page.locator(f"#lf-{name} input[type=range]")

    def pixels(self) -> np.ndarray:
        """The fused picture as the browser got it."""
        taken = urllib.request.urlopen(self.page.url + self.seen, timeout=60).read()
        path = Path(os.environ.get("TMPDIR", "/tmp")) / f"lexifuse-{os.getpid()}.png"
        path.write_bytes(taken)
        try:
            return lexifuse.read_image(path)
        finally:
            path.unlink()


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page(), url)
    yield visit
    context.close()
    elsewhere = {asked for asked in visit.requests if urlsplit(asked).scheme not in ("data", "blob")}
    assert {urlsplit(asked).netloc for asked in elsewhere} == {urlsplit(url).netloc}
    assert not visit.complaints


def test_words_sliders_and_a_way_back(visit: Visit) -> None:
    first = visit.pixels()
    # It is dark, as the words say, and how dark the pictures say.
    assert "people" in visit.account.inner_text()
    assert f", {float(visit.slider('visible-low-light').input_value()):.2f})" in visit.account.inner_text()
    visit.words.fill("it is foggy")
    visit.wait()
    # There is none: what is shown is what is done.
    assert float(visit.slider("visible-haze").input_value()) < 0.2 and "left nearly alone" in visit.account.inner_text()
    assert visit.slider("visible-low-light").input_value() == "0"
    visit.slider("visible-haze").fill("0.35")
    visit.wait()
    assert "By hand" in visit.account.inner_text()
    assert "--set=visible.haze=0.35" in visit.page.locator("#lf-command textarea").input_value()
    assert visit.words.input_value() == "it is foggy" and visit.slider("visible-haze").input_value() == "0.35"
    assert visit.tries.count() == 3
    visit.tries.last.click()
    visit.wait()
    assert visit.words.input_value() == "it is too dark; make people stand out"
    assert visit.slider("visible-haze").input_value() == "0" and np.array_equal(visit.pixels(), first)
    assert visit.tries.count() == 3 and visit.tries.last.get_attribute("aria-current") == "true"
    visit.words.fill("")
    visit.wait()
    assert "plain, faithful fusion" in visit.account.inner_text()


def test_the_pictures_are_looked_at_and_a_sample_is_chosen(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Haze, stripes").click()
    visit.wait()
    assert "hazy" in visit.words.input_value() and visit.slider("infrared-stripes").input_value() != "0"
    visit.words.fill("")
    visit.wait()
    visit.page.get_by_label("Look at the pictures for me").check()
    visit.wait()
    assert "The pictures say" in visit.account.inner_text()
    assert "--auto" in visit.page.locator("#lf-command textarea").input_value()
    assert float(visit.slider("visible-haze").input_value()) > 0.2


def test_comparing_by_swipe_difference_and_zoom_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Swipe").focus()
    page.keyboard.press("Enter")
    split = page.get_by_label("Where the swipe divides the pictures")
    split.focus()
    page.keyboard.press("ArrowRight")
    assert split.input_value() == "51"
    assert "infrared" in page.locator(".lf-main figcaption").inner_text()
    page.get_by_role("button", name="Difference").press("Space")
    page.get_by_label("against").select_option("plain")
    page.locator(".lf-main figcaption", has_text="brighter than without words").wait_for()
    assert page.evaluate("document.querySelector('canvas').width") == 640
    stage = page.locator(".lf-stage")
    stage.focus()
    for key, shown in (("+", "%"), ("1", "100 %"), ("ArrowRight", "100 %"), ("0", "fit")):
        page.keyboard.press(key)
        assert shown in page.locator(".lf-zooms output").inner_text()
    for image in page.locator(".lf-stage img:not([aria-hidden])").all():
        assert image.get_attribute("alt")
    assert page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')].every(one => one.tabIndex >= -1)"
    )


def test_own_pictures_with_everything_that_can_be_wrong(visit: Visit, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    infrared, visible = rng.integers(0, 256, (96, 128), np.uint8), rng.integers(0, 256, (96, 128, 3), np.uint8)
    for name, image in (
        ("ir.tif", infrared.astype(np.uint16) * 257),
        ("small.png", infrared[::2, ::2]),
        ("rgb.png", visible),
    ):
        lexifuse.write_image(tmp_path / name, image)
    (tmp_path / "notes.png").write_text("no picture")
    page = visit.page
    visit.drops.nth(0).set_input_files(tmp_path / "small.png")
    page.locator(".lf-hint", has_text="visible").wait_for()
    visit.drops.nth(1).set_input_files(tmp_path / "notes.png")
    page.get_by_role("alert").filter(has_text="damaged or not a PNG").wait_for()
    visit.drops.nth(1).set_input_files(tmp_path / "rgb.png")
    page.get_by_role("alert").filter(has_text="differ in size").wait_for()
    page.get_by_label("Stretch the infrared").check()
    visit.wait()
    assert "resized from 64x48 to 128x96" in visit.account.inner_text()
    # A 16-bit TIFF, which the browser itself cannot show, dropped as from a folder.
    content = list((tmp_path / "ir.tif").read_bytes())
    dropped = page.evaluate_handle(
        "data => { const t = new DataTransfer(); t.items.add(new File([new Uint8Array(data)], 'ir.tif')); return t }",
        content,
    )
    page.locator(".lf-drop").first.dispatch_event("drop", {"dataTransfer": dropped})
    visit.wait()
    assert visit.pixels().shape == (96, 128, 3)
    assert "ir.tif" in page.locator("#lf-command textarea").input_value()
    page.wait_for_function("document.querySelector('.lf-drop img').naturalWidth === 128")
    with page.expect_download() as download:
        page.get_by_role("link", name="Picture").click()
    assert download.value.suggested_filename == "rgb_fused.png"
    assert lexifuse.read_image(download.value.path()).shape == (96, 128, 3)


def test_whoever_does_not_wait_loses_nothing(visit: Visit, tmp_path: Path) -> None:
    rng, page = np.random.default_rng(0), visit.page
    for name in ("ir.png", "slow.png", "slow 2.png"):
        lexifuse.write_image(tmp_path / name, rng.integers(0, 256, (96, 128, 3), np.uint8))
    page.get_by_role("button", name="Haze, stripes").click()
    page.get_by_role("button", name="Rain", exact=True).click()
    page.locator(".lf-drop-name", has_text="rain_visible.png").wait_for()
    visit.drops.nth(0).set_input_files(tmp_path / "ir.png")
    page.locator(".lf-hint", has_text="visible").wait_for()
    for name in ("slow.png", "slow 2.png"):
        visit.drops.nth(1).set_input_files(tmp_path / name)
        page.locator(".lf-drop-name", has_text=name).wait_for()  # It was received, and is still being loaded.
    visit.words.fill("more infrared")
    page.wait_for_function("document.querySelector('.lf-main figcaption').innerText.startsWith('Fused, 128×96')")
    page.locator("#lf-tries li:first-child button[aria-current]", has_text="more infrared").wait_for()
    assert visit.words.input_value() == "more infrared"
    assert "slow 2.png" in page.locator("#lf-command textarea").input_value()
    page.wait_for_function("[...document.querySelectorAll('.lf-drop img')].every(one => one.naturalWidth === 128)")


def test_a_preview_comes_first_and_goes_and_boxes_follow_each_picture(visit: Visit) -> None:
    page = visit.page

    def asked() -> int:
        return sum("/page/boxes/" in asked for asked in visit.requests)

    pictures = "const image = document.querySelector('.lf-fused'); new MutationObserver("
    pictures += "() => window.pictures.push(image.src.slice(0, 10))).observe(image, { attributeFilter: ['src'] })"
    page.evaluate(f"() => {{ {pictures} }}")
    # A preview is prepared when nothing has moved for a while: how long that takes depends on the machine.
    for value in ("0.3", "0.35", "0.4", "0.45", "0.5"):
        page.evaluate("() => { window.pictures = [] }")
        visit.slider("visible-low-light").fill(value)
        visit.wait()
        if len(page.evaluate("pictures")) > 1:
            break
        page.wait_for_timeout(700)
    assert page.evaluate("pictures") == ["data:image", page.url[:10]] and asked() == 0
    assert "preview" not in page.locator(".lf-main figcaption").inner_text()
    boxes, found = page.locator(".lf-boxes"), page.locator(".lf-found")
    assert not boxes.is_visible()
    page.get_by_label("Boxes").check()
    found.filter(has_text="Found: 1 person, 1 vehicle").wait_for()
    assert boxes.get_attribute("aria-label") == "1 person, 1 vehicle" and asked() == 1
    assert boxes.locator("text").all_text_contents() == ["vehicle 0.70", "person 0.90"]
    drawn = boxes.locator(".lf-vehicle rect").first.bounding_box()
    frame = page.locator(".lf-main .lf-frame").bounding_box()
    assert drawn and frame and abs(drawn["width"] / frame["width"] - 24 / 640) < 0.02
    assert abs((drawn["x"] - frame["x"]) / frame["width"] - 20 / 640) < 0.02
    visit.slider("visible-low-light").fill("0.8")
    visit.wait()
    found.filter(has_text="Found").wait_for()
    page.wait_for_timeout(700)
    assert asked() == 2
    page.get_by_label("Boxes").uncheck()
    assert not boxes.is_visible() and found.inner_text() == ""


def test_several_prompts_side_by_side(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Several prompts side by side").click()
    page.get_by_label("A prompt per line").fill("more infrared\n\nkeep the colours")
    page.get_by_role("button", name="Fuse them all").click()
    page.locator("#lf-compared li:nth-child(2)").wait_for()
    page.locator("#lf-compared button").first.click()
    visit.wait()
    assert visit.words.input_value() == "more infrared" and visit.tries.count() == 2


def test_a_telephone_has_room_for_it_in_the_dark_too(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    visit = Visit(context.new_page(), url)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    widest = (
        "Math.max(...[...document.querySelectorAll('#lf-columns *')].map(one => one.getBoundingClientRect().right))"
    )
    assert visit.page.evaluate(widest) <= 390
    order = "['lf-words', 'lf-viewer', 'lf-sliders'].map(id => document.getElementById(id).getBoundingClientRect().top)"
    tops = visit.page.evaluate(order)
    assert tops == sorted(tops)
    assert visit.page.evaluate("document.body.classList.contains('dark')")
    context.close()


# ---- without a browser ----


def test_the_page_may_fetch_from_nowhere_else(url: str) -> None:
    with urllib.request.urlopen(url, timeout=60) as answer:
        html = answer.read().decode()
        assert answer.headers["Content-Security-Policy"] == POLICY
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", html)
    for asked in ("theme.css", "openapi.json", "healthz"):
        with urllib.request.urlopen(f"{url}/{asked}", timeout=60) as answer:
            text = answer.read().decode()
    assert json.loads(text) == {"status": "ok"}


def test_beside_the_page_the_service_answers_as_it_does_alone(url: str) -> None:
    def answers(place: str, method: str, path: str) -> tuple[int, str | None, set[str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(place).netloc, timeout=60)
        connection.request(method, path, headers={"X-Request-ID": "same"})
        answer = connection.getresponse()
        allowed = set(answer.getheader("allow", "").split(", "))
        told = answer.status, answer.getheader("content-type"), allowed, answer.read()
        connection.close()
        return told

    with serve_in_background(create_api(ServiceSettings(threads=1))) as alone:
        for path in ("/v1/models", "/v1/fuse", "/v1/nothing", "/v1/", "/v1", "/healthz", "/openapi.json"):
            for method in ("GET", "POST"):
                assert answers(url, method, path) == answers(alone, method, path), (method, path)


def test_files_are_refused_and_missed_in_words(url: str) -> None:
    big = urllib.request.Request(f"{url}/page/files", b"x" * (65 * 2**20), method="POST")
    for asked, status in ((big, 413), (f"{url}/page/files/nobody/knows", 404), (f"{url}/page/samples/moon", 404)):
        with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as refused:
            urllib.request.urlopen(asked, timeout=60)
        if isinstance(refused.value, urllib.error.HTTPError):
            assert refused.value.code == status and json.loads(refused.value.read())["detail"]


def test_ctrl_c_ends_it_at_once_and_nothing_ever_went_out(
    program: tuple[str, subprocess.Popen[str], Path], browser: Browser
) -> None:
    url, process, log = program
    page = browser.new_page()
    page.goto(url)
    page.wait_for_selector("#lf-viewer")
    page.wait_for_timeout(500)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    assert process.wait(timeout=PATIENCE / 1000) == 0
    assert time.monotonic() - started < PATIENCE / 2000
    page.close()
    assert "WENT OUT" not in log.read_text() and "Traceback" not in log.read_text()
