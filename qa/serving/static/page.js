// Answers as you stop typing. Without this script the same page comes by the button and by links.
const PAUSE = 300; // milliseconds
const form = document.querySelector("#ask");
const box = document.querySelector("#q");
const told = document.querySelector("#told"); // what a screen reader says of an answer
let waiting, asked;

function address() {
  const given = new FormData(form);
  return "/?" + new URLSearchParams([...given].filter(([, value]) => value !== ""));
}

function toPlace() {
  const place = document.querySelector("#place");
  const pane = place?.closest("#document");
  document.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  if (pane?.scrollHeight > pane?.clientHeight + 2) {
    const down = place.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    const above = place.matches("figure") ? pane.firstElementChild.offsetHeight : pane.clientHeight / 3;
    pane.scrollTop += down - above;
  } else place?.scrollIntoView({ block: place.matches("figure") ? "start" : "center" });
}

async function show(url, { keep = "push", focus = false } = {}) {
  clearTimeout(waiting);
  asked?.abort();
  asked = new AbortController();
  document.querySelector("#found").ariaBusy = "true";
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
  const left = document.querySelector(".citation[aria-current]")?.search;
  document.querySelector("#found").replaceWith(found);
  document.title = page.title;
  told.textContent = found.querySelector(".verdict, .problem")?.textContent ?? "";
  if (keep) history[keep + "State"](null, "", url);
  else for (const field of form.elements) {
    if (field.name) field.value = page.querySelector(`#ask [name="${field.name}"]`)?.value ?? "";
  }
  if (url.includes("#place")) toPlace();
  if (focus) {
    const back = [...found.querySelectorAll(".citation")].find((one) => one.search === left);
    (found.querySelector("a.close") ?? back ?? box).focus({ preventScroll: !back });
  }
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
