// Answers as you stop typing. Without this script the same page comes by the button and by links.
const PAUSE = 300; // milliseconds
const form = document.querySelector("#ask");
const box = document.querySelector("#q");
let waiting, asked;

function address() {
  const given = new FormData(form);
  return "/?" + new URLSearchParams([...given].filter(([, value]) => value !== ""));
}

function toPlace() {
  const place = document.querySelector("#place");
  const pane = place?.closest("#document");
  if (pane?.scrollHeight > pane?.clientHeight + 2) pane.scrollTop = place.offsetTop - (place.matches("figure") ? 60 : pane.clientHeight / 3);
  else place?.scrollIntoView({ block: place.matches("figure") ? "start" : "center" });
}

async function show(url, { keep = "push", focus = false } = {}) {
  clearTimeout(waiting);
  asked?.abort();
  asked = new AbortController();
  let page;
  try {
    const reply = await fetch(url, { signal: asked.signal, headers: { accept: "text/html" } });
    page = new DOMParser().parseFromString(await reply.text(), "text/html");
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
    return;
  }
  const found = page.querySelector("#found");
  if (!found) return location.assign(url);
  document.querySelector("#found").replaceWith(found);
  document.title = page.title;
  if (keep) history[keep + "State"](null, "", url);
  else for (const field of form.elements) {
    if (field.name) field.value = page.querySelector(`#ask [name="${field.name}"]`)?.value ?? "";
  }
  if (url.includes("#place")) toPlace();
  if (focus) found.querySelector("#document a.close")?.focus({ preventScroll: true });
}

form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => show(address(), { keep: "replace" }), PAUSE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(address());
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("#found a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.getAttribute("href"), { focus: true });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.matches("input")) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape") {
    document.querySelector("#document a.close")?.click();
  }
});
addEventListener("popstate", () => {
  show(location.pathname + location.search + location.hash, { keep: "" });
});
toPlace();
