// The list of what waits keeps itself up to date, and never moves what may be under a hand: rows keep their place and
// their tick, new ones are added at the end, and what was decided elsewhere turns grey where it stands.

import { load } from "./load.js";

const REFRESH_MS = 3000;

const list = document.querySelector("[data-list]");
const bulk = document.getElementById("bulk");
const old = document.querySelector("[data-old]");

function rowsIn(root) {
  return new Map([...root.querySelectorAll("[data-ticket]")].map((row) => [row.dataset.ticket, row]));
}

function refresh(fresh) {
  const rows = rowsIn(list);
  const news = [];
  for (const [id, row] of rows) {
    const now = fresh.get(id);
    if (now && now.dataset.shown === row.dataset.shown) {
      update(row, now);
    } else if (!isOver(row) && !isBeingTypedIn(row)) {
      end(row, now ? "Changed meanwhile. Load the page again to see it." : "Decided or expired: it waits no more.");
      news.push(`No longer as shown: ${named(row)}.`);
    }
  }
  for (const [id, row] of fresh) {
    if (!rows.has(id)) {
      news.push(`New: ${named(row)}.`);
      list.querySelector("[data-rows]").append(document.adoptNode(row));
    }
  }
  if (news.length) {
    document.querySelector("[data-news]").textContent = news.join(" ");
  }
}

function named(row) {
  return row.querySelector("h2").textContent.trim();
}

function isOver(row) {
  return row.classList.contains("is-over");
}

function isBeingTypedIn(row) {
  return row.contains(document.activeElement) && document.activeElement.name === "reason";
}

function update(row, now) {
  for (const part of row.querySelectorAll("[data-live]")) {
    const other = now.querySelector(`[data-live="${part.dataset.live}"]`);
    if (part.textContent !== other.textContent) {
      part.textContent = other.textContent;
    }
    part.hidden = other.hidden;
  }
}

function end(row, words) {
  const hadFocus = row.contains(document.activeElement);
  row.classList.add("is-over");
  row.querySelector(".expiry")?.remove();
  for (const control of row.querySelectorAll("button, input")) {
    control.disabled = true;
  }
  row.querySelector(".tick").checked = false;
  for (const form of row.querySelectorAll("form")) {
    form.hidden = true;
  }
  const told = row.querySelector("[data-over]");
  told.textContent = words;
  told.hidden = false;
  if (hadFocus) {
    row.querySelector(".decision a").focus();
  }
}

async function keepFresh() {
  // What nobody looks at costs nothing; live.js goes on counting.
  if (!document.hidden) {
    const page = await load(list.dataset.list);
    // Without it, it is the page that asks for a sign-in.
    const fresh = page?.querySelector("[data-rows]");
    old.hidden = Boolean(fresh);
    if (fresh) {
      refresh(rowsIn(fresh));
      document.querySelector("[data-waiting-count]").textContent = fresh.dataset.waiting;
      settle();
    }
  }
  setTimeout(keepFresh, REFRESH_MS);
}

// -- ticks ------------------------------------------------------------------------------------------------------

const boxes = () => [...list.querySelectorAll(".tick:not(:disabled)")];

function settle() {
  const open = boxes();
  const ticked = open.filter((box) => box.checked).length;
  for (const place of bulk.querySelectorAll("[data-ticked]")) {
    place.textContent = ticked ? ` (${ticked})` : "";
  }
  for (const button of bulk.querySelectorAll("button:not([type])")) {
    button.disabled = ticked === 0;
  }
  const all = bulk.querySelector("[data-tick-all]");
  all.hidden = open.length < 2;
  all.textContent = ticked === open.length ? "Tick none" : "Tick all";
  bulk.hidden = open.length === 0;
  document.querySelector("[data-empty]")?.toggleAttribute("hidden", rowsIn(list).size > 0);
}

if (list) {
  settle();
  list.addEventListener("change", settle);
  bulk.querySelector("[data-tick-all]").addEventListener("click", () => {
    const open = boxes();
    const isOn = open.some((box) => !box.checked);
    for (const box of open) {
      box.checked = isOn;
    }
    settle();
  });
  setTimeout(keepFresh, REFRESH_MS);
}
