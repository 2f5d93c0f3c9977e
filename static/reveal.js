// Takes a shown key out of the page again after its seconds are over.

const key = document.querySelector("[data-hide-after]");
const note = document.querySelector("[data-key-note]");

function hide() {
  key.value = "";
  key.removeAttribute("value");
  key.placeholder = "hidden";
  note.textContent = "Hidden again. View it once more below.";
  document.querySelector('[data-copy="key"]').hidden = true;
}

if (key) {
  const until = Date.now() + Number(key.dataset.hideAfter) * 1000;
  const timer = setInterval(() => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left > 0) {
      note.textContent = `Hidden again in ${left} s.`;
      return;
    }
    clearInterval(timer);
    hide();
  }, 1000);
  // A page kept for the Back button must not bring the key back.
  window.addEventListener("pagehide", () => { key.value = ""; });
}
