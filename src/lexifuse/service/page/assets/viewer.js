// The viewer: the fused picture beside its sources, with swipe, difference and a zoom that all three share.
const root = element.querySelector(".lf-viewer");
const find = (selector) => root.querySelector(selector);
const stage = find(".lf-stage"), frame = find(".lf-main .lf-frame"), split = find(".lf-split");
const fused = find(".lf-fused"), over = find(".lf-over"), canvas = find("canvas"), caption = find(".lf-main figcaption");
const boxes = find(".lf-boxes"), boxing = find(".lf-boxing input");
const NAMES = { infrared: "infrared", visible: "visible", plain: "without words" };
const GAIN = 4, MOST_LABELS = 24, MOST_ZOOM = 32, STEP = 1.25, STILL = 150; // Milliseconds without a move.
let mode = "fused", against = "infrared", zoom = 1, x = 0, y = 0;
let value = null; // What is shown, or about to be.

// ---- pictures ----

async function show(image, picture) {
  if (image.dataset.url === picture.url) return;
  image.dataset.url = picture.url;
  const next = new Image();
  next.src = picture.url;
  await next.decode().catch(() => undefined); // While it comes, the earlier one stays.
  if (image.dataset.url !== picture.url) return;
  image.src = picture.url;
  image.alt = picture.alt;
  image.hidden = false;
  await image.decode().catch(() => undefined);
}

// A preview stands in for the fused picture until that comes; answers that overtake each other take no newer one away.
function take() {
  const next = props.value;
  if (!next?.fused || (next.preview && value && next.turn <= value.turn)) return;
  value = { ...next };
  update();
}

// Once this is on the screen and nothing moves: full pictures made during a drag would only hold up its previews.
let movedAt = 0;
document.addEventListener("input", () => { movedAt = performance.now(); }, { capture: true, passive: true });

async function askForMore(shown) {
  shown.more = false;
  await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
  for (let rest; (rest = movedAt + STILL - performance.now()) > 0; ) await new Promise((later) => setTimeout(later, rest));
  if (value.turn === shown.turn) trigger("end", {});
}

async function update() {
  if (!value) return;
  const showing = value;
  if (root.dataset.size !== `${value.width}x${value.height}`) fit();
  root.dataset.size = `${value.width}x${value.height}`;
  stage.style.setProperty("--aspect", `${value.width} / ${value.height}`);
  const shown = [show(fused, value.preview || value.fused), show(find(".lf-infrared"), value.infrared), show(find(".lf-visible"), value.visible)];
  if (mode !== "fused") shown.push(show(over, value[against]));
  await Promise.all(shown);
  if (showing !== value) return; // Something newer is on its way.
  if (mode === "difference") drawDifference();
  tell();
  place();
  root.classList.toggle("lf-previewing", Boolean(value.preview));
  if (value.more) askForMore(value);
  if (value.preview) return;
  root.dataset.shown = value.fused.url;
  findBoxes();
}

function pixels(image, width, height) {
  const sheet = new OffscreenCanvas(width, height);
  const context = sheet.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, sheet.width, sheet.height);
}

function drawDifference() {
  const width = fused.naturalWidth, height = fused.naturalHeight;
  if (!width || !over.naturalWidth) return;
  const one = pixels(fused, width, height), other = pixels(over, width, height).data, data = one.data;
  for (let i = 0; i < data.length; i += 4) {
    const luma = 0.299 * (data[i] - other[i]) + 0.587 * (data[i + 1] - other[i + 1]) + 0.114 * (data[i + 2] - other[i + 2]);
    const strength = GAIN * luma;
    data[i] = Math.max(strength, 0);
    data[i + 1] = 0.45 * Math.abs(strength);
    data[i + 2] = Math.max(-strength, 0);
    data[i + 3] = 255;
  }
  canvas.width = one.width;
  canvas.height = one.height;
  canvas.getContext("2d").putImageData(one, 0, 0);
}

function tell() {
  const [width, height] = (root.dataset.size || "").split("x");
  const size = width ? `${width}×${height}` : "";
  caption.textContent = {
    fused: `Fused, ${size}${value?.preview ? ", preview" : ""}`,
    swipe: `Left of the line: ${NAMES[against]}; right of it: fused`,
    difference: `Orange: the fused picture is brighter than ${NAMES[against]}; blue: darker (×${GAIN})`,
  }[mode];
  find(".lf-tag-left").textContent = NAMES[against];
}

// ---- boxes: asked for when they are wanted, drawn over the fused picture in shares of it ----

async function findBoxes() {
  const wanted = boxing.checked && value.boxes;
  find(".lf-boxing").hidden = !value.boxes;
  if (wanted && boxes.dataset.url === wanted) return;
  if (!wanted || boxes.dataset.size !== root.dataset.size) drawBoxes([], "", "");
  if (!wanted) return;
  boxes.dataset.url = wanted;
  boxes.dataset.size = root.dataset.size;
  tellFound("Looking for people and vehicles …");
  let told;
  try {
    const answer = await fetch(wanted);
    told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
  } catch (error) {
    told = { boxes: [], found: "", trouble: `No boxes: ${error.message}` };
  }
  if (boxes.dataset.url !== wanted) return;
  drawBoxes(told.boxes, wanted, told.found || "no people or vehicles");
  tellFound(told.trouble || `Found: ${told.found || "no people or vehicles"} (${told.detector}, score ${told.threshold} or more)`);
}

function drawBoxes(found, url, words) {
  boxes.replaceChildren(...found.map((one, number) => box(one, number < MOST_LABELS)).reverse()); // The surest on top.
  boxes.dataset.url = url;
  boxes.setAttribute("aria-label", words);
  boxes.toggleAttribute("hidden", !url);
  tellFound("");
}

function box({ box: [left, top, right, bottom], label, score }, labelled) {
  const group = drawn("g", { class: `lf-box lf-${label}` });
  const frame = { x: percent(left), y: percent(top), width: percent(right - left), height: percent(bottom - top) };
  group.append(drawn("rect", frame), drawn("rect", frame)); // A dark line below a light one is seen on anything.
  if (!labelled) return group;
  const leftwards = left > 0.8, below = top < 0.06;
  const words = drawn("text", {
    x: percent(leftwards ? right : left), y: percent(below ? bottom : top), dy: below ? "1.1em" : "-0.35em",
    "text-anchor": leftwards ? "end" : "start",
  });
  words.textContent = `${label} ${score.toFixed(2)}`;
  group.append(words);
  return group;
}

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, text] of Object.entries(attributes)) made.setAttribute(key, text);
  return made;
}

const percent = (share) => `${100 * share}%`;

function tellFound(words) {
  const place = find(".lf-found");
  if (place.textContent !== words) place.textContent = words;
}

// ---- modes ----

function setMode(next) {
  mode = root.dataset.mode = next;
  for (const button of root.querySelectorAll(".lf-modes button")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  update();
}

function setSplit(percent) {
  split.value = Math.min(100, Math.max(0, percent));
  place();
}

// ---- zoom: the layer of every frame is scaled by `zoom` and moved by x and y, shares of the frame's size ----

function place() {
  x = Math.min(0, Math.max(1 - zoom, x));
  y = Math.min(0, Math.max(1 - zoom, y));
  const cut = (Number(split.value) / 100 - x) / zoom;
  for (const [name, value] of [["zoom", zoom], ["x", `${100 * x}%`], ["y", `${100 * y}%`], ["split", `${split.value}%`], ["cut", `${100 * (1 - cut)}%`]]) {
    stage.style.setProperty(`--${name}`, value);
  }
  const scale = zoom / oneToOne();
  stage.classList.toggle("lf-zoomed", zoom > 1);
  stage.classList.toggle("lf-pixels", scale > 1.5);
  find("output").textContent = zoom === 1 ? "fit" : `${Math.round(100 * scale)} %`;
}

function oneToOne() {
  return (value?.width || frame.clientWidth) / (frame.clientWidth * window.devicePixelRatio) || 1;
}

function zoomTo(next, atX = 0.5, atY = 0.5) {
  next = Math.min(MOST_ZOOM, Math.max(1, next));
  x = atX - ((atX - x) / zoom) * next;
  y = atY - ((atY - y) / zoom) * next;
  zoom = next;
  place();
}

function fit() {
  zoom = 1;
  place();
}

const ZOOMS = { in: () => zoomTo(zoom * STEP), out: () => zoomTo(zoom / STEP), fit, one: () => zoomTo(oneToOne()) };
const KEYS = {
  "+": ZOOMS.in, "=": ZOOMS.in, "-": ZOOMS.out, 0: ZOOMS.fit, 1: ZOOMS.one,
  ArrowLeft: () => move(0.1, 0), ArrowRight: () => move(-0.1, 0), ArrowUp: () => move(0, 0.1), ArrowDown: () => move(0, -0.1),
};

function move(dx, dy) {
  if (zoom === 1 && mode === "swipe" && dx) return setSplit(Number(split.value) - 20 * dx);
  if (zoom === 1) return false;
  x += dx;
  y += dy;
  place();
  return true;
}

// ---- hands ----

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.mode) setMode(button.dataset.mode);
  if (button?.dataset.zoom) ZOOMS[button.dataset.zoom]();
});
find("select").addEventListener("change", (event) => {
  against = root.dataset.against = event.target.value;
  if (mode === "fused") setMode("swipe");
  else update();
});
split.addEventListener("input", place);
boxing.addEventListener("change", () => value && !value.preview && findBoxes());
stage.addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  if (!action || event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
  if (action() !== false) event.preventDefault();
});
stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return; // A wheel without Ctrl scrolls the page.
  event.preventDefault();
  const box = event.target.closest(".lf-frame")?.getBoundingClientRect();
  if (box) zoomTo(zoom * (event.deltaY < 0 ? STEP : 1 / STEP), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}, { passive: false });
for (const one of root.querySelectorAll(".lf-frame")) {
  one.addEventListener("dblclick", () => (zoom > 1 ? fit() : ZOOMS.one()));
  one.addEventListener("pointerdown", (event) => {
    const box = one.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const swiping = mode === "swipe" && one === frame && (zoom === 1 || Math.abs(share - split.value / 100) < 0.04);
    if (!swiping && zoom === 1) return;
    one.setPointerCapture(event.pointerId);
    if (swiping) setSplit(100 * share);
    const drag = (moved) => {
      if (swiping) setSplit((100 * (moved.clientX - box.left)) / box.width);
      else move(moved.movementX / box.width, moved.movementY / box.height);
    };
    one.addEventListener("pointermove", drag);
    for (const end of ["pointerup", "pointercancel"]) {
      one.addEventListener(end, () => one.removeEventListener("pointermove", drag), { once: true });
    }
  });
}
new ResizeObserver(place).observe(frame);
watch("value", take);
place();
take();
