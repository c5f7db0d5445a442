// Cards that can be chosen: a small picture and its words, each a button.
const section = element.querySelector("section");
const list = section.querySelector("ul");

function card(item) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = item.id;
  button.title = item.title;
  const image = document.createElement("img");
  image.loading = "lazy";
  const words = document.createElement("span");
  button.append(image, words);
  button.addEventListener("click", () => trigger("select", { id: item.id }));
  const place = document.createElement("li");
  place.append(button);
  return place;
}

function show() {
  const items = props.value || [];
  const known = new Map([...list.children].map((place) => [place.firstChild.dataset.id, place]));
  const places = items.map((item) => {
    const place = known.get(String(item.id)) || card(item);
    const [image, words] = place.firstChild.children;
    if (image.getAttribute("src") !== item.url) image.src = item.url;
    image.alt = item.alt;
    words.textContent = item.title;
    place.firstChild.title = item.title;
    if (item.current) place.firstChild.setAttribute("aria-current", "true");
    else place.firstChild.removeAttribute("aria-current");
    return place;
  });
  const focused = document.activeElement;
  list.replaceChildren(...places);
  if (list.contains(focused)) focused.focus();
  section.hidden = items.length === 0;
}

watch("value", show);
show();
