// A form that must be sent once: a second click on its button does nothing.

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = form.querySelector("button");
    // As wide as it was, or what stands beside it would come under the second click.
    button.style.minWidth = `${button.offsetWidth}px`;
    button.textContent = "Working…";
  });
}

// A page that comes back with the Back button is fresh again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});
