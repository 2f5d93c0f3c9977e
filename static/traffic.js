// The traffic log keeps itself up to date: new calls come on top, while nobody reads further down or said "Pause". And
// a call opens beside the list.

import { load } from "./load.js";

const POLL_MS = 2000;
const MOST_ROWS = 200;

// -- new calls --------------------------------------------------------------------------------------------------

const tail = document.querySelector("[data-tail]");
const rows = document.querySelector("[data-rows]");
const list = document.querySelector("[data-list]");
const drawer = document.querySelector("[data-drawer]");
const older = document.querySelector("[data-older]");

let isPaused = false;
let fresh = null;

function shown(row) {
  return rows.querySelector(`[data-row="${row.dataset.row}"]`);
}

// What somebody reads must not move under his eyes.
function isHeld() {
  return isPaused || drawer.open || (!list.hidden && list.getBoundingClientRect().top < 0);
}

function take() {
  const calls = [...fresh.children];
  const hasGap = fresh.hasAttribute("data-gap");
  if (hasGap) {
    rows.replaceChildren();
  }
  for (const call of calls.reverse()) {
    put(document.adoptNode(call));
  }
  // Only now: what was loaded and not taken is asked for again.
  rows.dataset.reached = fresh.dataset.reached;
  fresh = null;
  shorten(hasGap);
  list.hidden = rows.childElementCount === 0;
  document.querySelector("[data-empty]")?.toggleAttribute("hidden", !list.hidden);
}

function put(call) {
  const former = shown(call);
  if (!former) {
    insert(call);
    return;
  }
  const focused = [...former.querySelectorAll("a")].indexOf(document.activeElement);
  former.replaceWith(call);
  call.querySelectorAll("a")[focused]?.focus();
}

// In its place: a call may end long after younger ones. Below the last row it stands on the older pages.
function insert(call) {
  const below = [...rows.children].find((row) => Number(row.dataset.row) < Number(call.dataset.row));
  if (below || older.hidden || rows.childElementCount === 0) {
    rows.insertBefore(call, below ?? null);
  }
}

// What falls off at the end is on the older pages, which then begin earlier.
function shorten(hasGap) {
  const over = [...rows.children].slice(MOST_ROWS);
  over.forEach((row) => row.remove());
  if (over.length || hasGap) {
    older.hidden = false;
    older.href = older.dataset.older + rows.lastElementChild.dataset.row;
  }
}

function tell() {
  const showButton = tail.querySelector("[data-show]");
  const news = fresh ? [...fresh.children].filter((row) => !shown(row)).length : 0;
  const count = fresh?.hasAttribute("data-gap") ? "More than 100" : String(news);
  showButton.hidden = news === 0;
  showButton.textContent = `${count} new ${news === 1 ? "call" : "calls"}`;
  tail.querySelector("[data-pause]").textContent = isPaused ? "Go on" : "Pause";
  tail.querySelector("[data-tail-note]").textContent = isPaused ? "Paused." : "New calls appear on top.";
}

function settle() {
  if (fresh && !isHeld()) {
    take();
  }
  tell();
}

async function keepFresh() {
  if (!document.hidden) {
    const page = await load(tail.dataset.tail + rows.dataset.reached);
    fresh = page?.querySelector("[data-rows]") ?? null;
    tail.querySelector("[data-old]").hidden = Boolean(fresh);
    const complete = page?.querySelector("[data-complete]");
    if (complete) {
      document.querySelector("[data-complete]").replaceWith(document.adoptNode(complete));
    }
    settle();
  }
  setTimeout(keepFresh, POLL_MS);
}

if (tail) {
  tail.querySelector("[data-tail-bar]").hidden = false;
  tail.querySelector("[data-pause]").addEventListener("click", () => {
    isPaused = !isPaused;
    settle();
  });
  tail.querySelector("[data-show]").addEventListener("click", () => {
    if (fresh) {
      take();
    }
    tell();
    tail.scrollIntoView();
  });
  tell();
  setTimeout(keepFresh, POLL_MS);
}

// -- one call ---------------------------------------------------------------------------------------------------

async function openCall(link) {
  const page = await load(link.href);
  const details = page?.querySelector("[data-call-details]");
  if (!details) {
    // Its own page says why.
    window.location.assign(link.href);
    return;
  }
  drawer.querySelector("[data-drawer-title]").textContent = details.dataset.title;
  drawer.querySelector("[data-drawer-content]").replaceChildren(document.adoptNode(details));
  drawer.showModal();
  drawer.scrollTop = 0;
}

rows.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-call]");
  if (link && event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
    event.preventDefault();
    openCall(link);
  }
});

// A click beside the drawer closes it, as Escape does.
drawer.addEventListener("click", (event) => {
  if (event.target === drawer) {
    drawer.close();
  }
});
