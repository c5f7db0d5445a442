// A drop zone for one picture: the file goes to the page's own route, and Gradio is told what it is called there.
const zone = element.querySelector(".lf-drop");
const input = zone.querySelector("input");
const image = zone.querySelector("img");
const hint = zone.querySelector(".lf-drop-hint");
const name = zone.querySelector(".lf-drop-name");

function show() {
  const value = props.value || {};
  image.hidden = !value.url;
  hint.hidden = Boolean(value.url);
  hint.textContent = value.name ? "Received" : "Drop or choose a file";
  if (value.url) image.src = value.url;
  name.textContent = value.name || "";
}

let taken = 0; // Counts the files that were sent: the last one counts.

async function take(file) {
  if (!file) return;
  if (file.size > props.limit) {
    const megabytes = Math.floor(props.limit / 2 ** 20);
    trigger("upload", { error: `'${file.name}' is larger than ${megabytes} MB: scale the picture down` });
    return;
  }
  const turn = ++taken;
  zone.classList.add("lf-busy");
  try {
    const answer = await fetch("page/files", { method: "POST", body: file });
    const told = await answer.json();
    if (turn !== taken) return; // Another one was dropped since.
    if (answer.ok) {
      props.value = { url: "", name: file.name }; // Until it is at work.
      show();
    }
    trigger("upload", answer.ok ? { file: told.file, name: file.name } : { error: told.detail });
  } catch {
    trigger("upload", { error: `'${file.name}' could not be sent: is the lexifuse program still running?` });
  } finally {
    if (turn === taken) zone.classList.remove("lf-busy");
  }
}

input.addEventListener("change", () => {
  take(input.files[0]);
  input.value = ""; // The same file may be chosen again.
});
for (const kind of ["dragenter", "dragover"]) {
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.add("lf-over");
  });
}
zone.addEventListener("dragleave", () => zone.classList.remove("lf-over"));
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("lf-over");
  take(event.dataTransfer.files[0]);
});
watch("value", show);
show();
