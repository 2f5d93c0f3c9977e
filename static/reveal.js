// A shown key: an eye that covers it, and its end after some seconds where it has one.

const key = document.querySelector("[data-key]");
const note = document.querySelector("[data-key-note]");
const eye = document.querySelector("[data-eye]");
const copyButton = document.querySelector('[data-copy="key"]');

function cover(isCovered) {
  key.type = isCovered ? "password" : "text";
  eye.textContent = isCovered ? "Show" : "Hide";
}

function forget() {
  key.value = "";
  key.removeAttribute("value");
}

function hide() {
  forget();
  cover(false);
  key.placeholder = "hidden";
  note.textContent = "Hidden again. View it once more below.";
  eye.hidden = true;
  copyButton.hidden = true;
}

function hideAfter(seconds) {
  const until = Date.now() + seconds * 1000;
  const timer = setInterval(() => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(timer);
      hide();
    } else if (left <= 10) {
      // Only the last seconds: a screen reader reads every change aloud.
      note.textContent = `Hidden again in ${left} s.`;
    }
  }, 1000);
}

if (key) {
  eye.hidden = false;
  eye.addEventListener("click", () => cover(key.type === "text"));
  if (key.dataset.hideAfter) {
    hideAfter(Number(key.dataset.hideAfter));
  }
  // A page kept for the Back button must not bring the key back.
  window.addEventListener("pagehide", forget);
}
