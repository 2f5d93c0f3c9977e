// What moves by itself: the number of waiting orders, the connection, the time an order has left.

const POLL_MS = 3000;

const badge = document.querySelector("[data-pending]");
const lost = document.getElementById("connection-lost");
const signedOut = document.getElementById("signed-out");
const listChanged = document.getElementById("list-changed");
const title = document.title;

function show(count, latest) {
  badge.hidden = count === 0;
  badge.querySelector("[data-pending-count]").textContent = String(count);
  document.title = count ? `(${count}) ${title}` : title;
  if (listChanged) {
    // Said, not done: a list that moves by itself makes a hand click the wrong order.
    listChanged.hidden = count === Number(badge.dataset.count) && latest === Number(badge.dataset.latest);
  }
}

async function poll() {
  try {
    const answer = await fetch(badge.dataset.pending, { cache: "no-store" });
    if (answer.status === 401) {
      signedOut.hidden = false;
      return;
    }
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const { count, latest } = await answer.json();
    show(count, latest);
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(poll, POLL_MS);
}

function left(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = seconds % 60;
  return minutes ? `${minutes} min ${String(rest).padStart(2, "0")} s` : `${rest} s`;
}

function countDown() {
  for (const element of document.querySelectorAll("[data-expires]")) {
    const seconds = Math.floor(Number(element.dataset.expires) - Date.now() / 1000);
    element.textContent = seconds > 0 ? left(seconds) : "no time: expired";
    if (seconds <= 0) {
      for (const button of element.closest(".ticket").querySelectorAll("button")) {
        button.disabled = true;
      }
    }
  }
}

if (badge) {
  show(Number(badge.dataset.count), Number(badge.dataset.latest));
  setTimeout(poll, POLL_MS);
}
if (document.querySelector("[data-expires]")) {
  setInterval(countDown, 1000);
}
