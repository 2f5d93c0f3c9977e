// Buttons that copy a text. They stay hidden where scripts do not run.

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
  } catch {
    // The browser may refuse the clipboard: select the text, so that Ctrl+C does it. It copies nothing that is covered.
    if (source.type === "password") {
      source.type = "text";
    }
    select(source);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
}

function select(source) {
  source.focus();
  if (source.select) {
    source.select();
  } else {
    window.getSelection().selectAllChildren(source);
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
