// Keyboard, local times, selection and the chosen refresh. Pages work without this file.
"use strict";

const rows = () => [...document.querySelectorAll("tr[data-row]")];
const here = () => document.querySelector("tr.here");
const isTyping = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const now = all.indexOf(here());
  const next = all[Math.min(all.length - 1, Math.max(0, now < 0 ? (step > 0 ? 0 : all.length - 1) : now + step))];
  here()?.classList.remove("here");
  next.classList.add("here");
  next.querySelector("a")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function select() {
  const box = here()?.querySelector("input[type=checkbox]");
  if (box) {
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

const KEYS = {
  "/": () => document.getElementById("search")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  x: select,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open], details.verb[open]")) menu.open = false;
    if (isTyping(event.target)) event.target.blur();
    return;
  }
  if (isTyping(event.target)) return;
  if (event.key === "Enter" && here() && !event.target.closest("a, button, summary")) {
    event.preventDefault(); // a box would send its form
    here().querySelector("a")?.click();
    return;
  }
  if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A box that ticks all others of its table, and the verbs that suit all ticked rows.
document.addEventListener("change", (event) => {
  const table = event.target.closest("form[data-selection]");
  if (!table || event.target.type !== "checkbox") return;
  const boxes = [...table.querySelectorAll("input[name=ids]")];
  if (event.target.matches("[data-all]")) for (const box of boxes) box.checked = event.target.checked;
  showSelection(table);
});

function showSelection(form) {
  const ticked = [...form.querySelectorAll("input[name=ids]:checked")];
  const count = form.querySelector("[data-count]");
  if (count) count.textContent = String(ticked.length);
  for (const button of form.querySelectorAll("button[data-verb]")) {
    const verb = button.dataset.verb;
    const legal = ticked.filter((box) => box.dataset.actions.split(" ").includes(verb)).length;
    button.hidden = ticked.length === 0 || legal !== ticked.length;
  }
  const none = form.querySelector("[data-none]");
  if (none) {
    const some = [...form.querySelectorAll("button[data-verb]")].some((button) => !button.hidden);
    none.hidden = ticked.length === 0 || some;
  }
}

// Times in the zone of the browser, where the reader chose so.
const LOCAL = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

function localise(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = LOCAL.format(new Date(time.getAttribute("datetime")));
  }
}

function prepare(root) {
  localise(root);
  for (const form of root.querySelectorAll("form[data-selection]")) showSelection(form);
}

document.addEventListener("DOMContentLoaded", () => prepare(document));
document.addEventListener("htmx:afterSwap", (event) => prepare(event.detail.elt));

// What changes is shown again: when the reader chose so, or when the page's event stream says so; only what is visible,
// and not while somebody types, has ticked a box or opened a verb.
const UNUSED_MS = 10 * 60 * 1000; // a page that nobody touches for so long holds no stream: its session may end
const EVENTS = ["initiated", "authorized", "completed", "failed", "parked"].map((name) => `payment.${name}`);
let stream = null;
let isStale = false;
let usedAt = performance.now();

const shown = () => document.getElementById("live");
const isBusy = () =>
  shown()?.querySelector("details.verb[open], input:checked") || shown()?.contains(document.activeElement);
const isUnused = () => performance.now() - usedAt > UNUSED_MS;

function showAgain() {
  const live = shown();
  if (!live || live.hasAttribute("data-final") || document.hidden || isBusy()) return;
  isStale = false;
  htmx.ajax("GET", location.href, { target: "#live", select: "#live", swap: "outerHTML" });
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target !== shown() || !isBusy()) return;
  event.detail.shouldSwap = false; // somebody began to type while the answer was on its way
  isStale = true;
});

function follow() {
  const live = shown();
  const url = live?.dataset.stream;
  if (!url || document.hidden || live.hasAttribute("data-final") || isUnused()) {
    stream?.close();
    stream = null;
    return;
  }
  if (stream) return;
  stream = new EventSource(url);
  const changed = () => { isStale = true; };
  stream.addEventListener("open", changed); // what happened before it was open
  stream.addEventListener("error", () => { isStale ||= stream?.readyState === EventSource.CLOSED; }); // maybe of the session
  for (const name of EVENTS) stream.addEventListener(name, changed);
}

function use() {
  const wasUnused = isUnused();
  usedAt = performance.now();
  if (wasUnused) follow();
}

if (shown()?.dataset.stream) {
  for (const name of ["keydown", "pointerdown", "pointermove", "scroll"]) {
    document.addEventListener(name, use, { passive: true });
  }
  document.addEventListener("visibilitychange", follow);
  setInterval(() => {
    if (isStale) showAgain();
    follow();
  }, 1000);
  follow();
}

const seconds = Number(document.body?.dataset.refresh || 0);
if (seconds > 0) {
  setInterval(() => {
    const isFollowed = shown()?.dataset.stream && (stream?.readyState === EventSource.OPEN || isUnused());
    if (!isFollowed) showAgain();
  }, seconds * 1000);
}
