// What moves by itself: the number of waiting orders, the connection, the time an order has left. And the call to a
// trader who looks elsewhere, when he switched it on.

import { PATIENCE_MS, load } from "./load.js";

const POLL_MS = 3000;
const SOUND = "bridge.sound";
const NOTIFICATION = "bridge.notification";
const CALLED = "bridge.called";
const SEEN = "bridge.seen";
const CHIMED = "bridge.chimed";
const AGAIN_MS = 30000;

const badge = document.querySelector("[data-pending]");
const lost = document.getElementById("connection-lost");
const signedOut = document.getElementById("signed-out");
const listChanged = document.getElementById("list-changed");
const title = document.title;
const EXIT_WAITS = "An exit waits";

function show(count, latest, exits) {
  badge.hidden = count === 0;
  badge.querySelector("[data-pending-count]").textContent = String(count);
  document.title = `${count ? `(${count}) ` : ""}${exits ? `${EXIT_WAITS} · ` : ""}${title}`;
  if (listChanged) {
    // Said, not done: a list that moves by itself makes a hand click the wrong order.
    listChanged.hidden = count === Number(badge.dataset.count) && latest === Number(badge.dataset.latest);
  }
  notice(count, latest, exits);
}

async function poll() {
  try {
    const answer = await fetch(badge.dataset.pending, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 401) {
      signedOut.hidden = false;
      return;
    }
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const { count, latest, exits, ...around } = await answer.json();
    show(count, latest, exits);
    lost.hidden = true;
    await keepStanding(around);
  } catch {
    lost.hidden = false;
  }
  setTimeout(poll, POLL_MS);
}

// While this page is open the kill switch may be pulled, the order doors shut, a mode changed, a drill begun: {stopped,
// doors, orders, trading, drill} say how they stand now.
async function keepStanding(around) {
  const shown = document.querySelector('[data-standing="banners"]').dataset;
  if (Object.entries(around).every(([name, now]) => shown[name] === String(now))) {
    return;
  }
  const fresh = await load(shown.fresh);
  for (const part of fresh?.querySelectorAll("[data-standing]") ?? []) {
    document.querySelector(`[data-standing="${part.dataset.standing}"]`).replaceWith(document.adoptNode(part));
  }
}

// -- the call ---------------------------------------------------------------------------------------------------

// A browser may refuse to keep anything; the badge must work all the same.
function canKeep() {
  try {
    return Boolean(localStorage && sessionStorage && navigator.locks);
  } catch {
    return false;
  }
}

// What this tab has seen outlives its page: an order that arrived between two pages is called too.
function notice(count, latest, exits) {
  if (!canKeep()) {
    return;
  }
  const seen = Number(sessionStorage.getItem(SEEN) ?? latest);
  sessionStorage.setItem(SEEN, String(latest));
  if (latest > seen) {
    // Every open tab notices it, and one calls.
    navigator.locks.request(CALLED, () => {
      if (localStorage.getItem(CALLED) !== String(latest)) {
        localStorage.setItem(CALLED, String(latest));
        call(count, latest, exits);
      }
    });
  }
  if (exits) {
    navigator.locks.request(CALLED, remind);
  }
}

// A position may stay open for as long as its exit waits, so its sound comes again and again, from one of the open tabs.
function remind() {
  if (localStorage.getItem(SOUND) && Date.now() - Number(localStorage.getItem(CHIMED)) >= AGAIN_MS) {
    chime();
  }
}

function call(count, latest, exits) {
  if (localStorage.getItem(SOUND)) {
    chime();
  }
  if (localStorage.getItem(NOTIFICATION) && window.Notification?.permission === "granted") {
    const orders = count === 1 ? "1 order waits for you." : `${count} orders wait for you.`;
    const words = exits ? `${orders} ${EXIT_WAITS}: it came to close a position, and closes nothing until you decide.` : orders;
    const notification = new Notification("OpenAlgo Bridge", { body: words, tag: `waiting-${latest}` });
    notification.addEventListener("click", () => {
      window.focus();
      window.location.assign(badge.closest("a").href);
    });
  }
}

// Two rising tones. A browser plays nothing on a page that nobody has touched, and complains when it is tried.
function chime() {
  if (navigator.userActivation && !navigator.userActivation.hasBeenActive) {
    return;
  }
  localStorage.setItem(CHIMED, String(Date.now()));
  const audio = new AudioContext();
  [660, 880].forEach((pitch, index) => {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const begin = audio.currentTime + index * 0.18;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, begin);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.3);
    tone.connect(volume).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.3);
    tone.addEventListener("ended", () => index && audio.close());
  });
}

function remember(name, isOn) {
  if (isOn) {
    localStorage.setItem(name, "on");
  } else {
    localStorage.removeItem(name);
  }
}

function offerCall(alarm) {
  const sound = alarm.querySelector("#alarm-sound");
  const notification = alarm.querySelector("#alarm-notification");
  const note = alarm.querySelector("[data-alarm-note]");
  alarm.hidden = false;
  sound.checked = Boolean(localStorage.getItem(SOUND));
  notification.checked = Boolean(localStorage.getItem(NOTIFICATION)) && window.Notification?.permission === "granted";
  sound.addEventListener("change", () => {
    remember(SOUND, sound.checked);
    if (sound.checked) {
      chime();
    }
  });
  notification.addEventListener("change", async () => {
    if (notification.checked && (await window.Notification?.requestPermission()) !== "granted") {
      notification.checked = false;
      note.textContent = "This browser does not allow notifications from the bridge. Allow them beside its address.";
    }
    remember(NOTIFICATION, notification.checked);
  });
}

// -- the time that is left --------------------------------------------------------------------------------------

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
      for (const control of element.closest(".ticket")?.querySelectorAll("button, input") ?? []) {
        control.disabled = true;
      }
    }
  }
}

if (badge) {
  show(Number(badge.dataset.count), Number(badge.dataset.latest), Number(badge.dataset.exits));
  setTimeout(poll, POLL_MS);
}
const alarm = document.querySelector("[data-alarm]");
if (alarm && canKeep()) {
  offerCall(alarm);
}
setInterval(countDown, 1000);
