// Tries a call of the API from the page that describes it. The key is in one field of this page: it goes into a header of
// the call, and nowhere else.

const SHOWN = 20000;
const QUIET_MS = 250;

const key = document.getElementById("docs-key");

// What is filled in, lists as lists: what cannot be read as one is sent as it is, and the API says what is wrong.
function valuesOf(form) {
  const values = {};
  for (const field of form.querySelectorAll("[name]:not([type=hidden])")) {
    if (field.value.trim() !== "") {
      values[field.name] = "list" in field.dataset ? listIn(field.value) : field.value;
    }
  }
  return values;
}

function listIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function requestOf(form) {
  const values = valuesOf(form);
  let address = form.dataset.path;
  for (const [name, value] of Object.entries(values)) {
    if (address.includes(`{${name}}`)) {
      address = address.replace(`{${name}}`, encodeURIComponent(value));
      delete values[name];
    }
  }
  const headers = { "X-API-KEY": key.value.trim() };
  const options = { method: form.dataset.method, headers, credentials: "omit", cache: "no-store" };
  if (options.method === "GET") {
    const query = new URLSearchParams(values).toString();
    return [query ? `${address}?${query}` : address, options];
  }
  headers["Content-Type"] = "application/json";
  return [address, { ...options, body: JSON.stringify(values) }];
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(form, button, shown) {
  shown.hidden = false;
  if (!key.value.trim()) {
    shown.textContent = "Nothing was sent. Type your API key into the field at the top of the page first.";
    key.focus();
    return;
  }
  button.disabled = true;
  shown.textContent = "Sent. Waiting for the answer…";
  try {
    const answer = await fetch(...requestOf(form));
    const text = readable(await answer.text());
    const rest = text.length > SHOWN ? `\n… and ${text.length - SHOWN} characters more` : "";
    shown.textContent = `${answer.status}\n${text.slice(0, SHOWN)}${rest}`;
  } catch {
    shown.textContent = "The bridge did not answer. An order may have reached it all the same: look at Orders before you send it again.";
  }
  button.disabled = false;
}

async function rewrite(form) {
  const address = `${form.dataset.programs}?${new URLSearchParams(new FormData(form))}`;
  try {
    const answer = await fetch(address, { cache: "no-store" });
    for (const [id, text] of Object.entries(answer.ok ? await answer.json() : {})) {
      document.getElementById(id).textContent = text;
    }
  } catch {
    // The connection is shown as lost at the top of the page; the programs stay as they were.
  }
}

for (const form of document.querySelectorAll("[data-call]")) {
  const button = form.querySelector("[data-send]");
  const shown = form.parentElement.querySelector("[data-answer]");
  let waiting = 0;
  button.hidden = false;
  form.querySelector("[data-rewrite]").hidden = true;
  button.addEventListener("click", () => send(form, button, shown));
  // Enter in a field must neither load the page anew, which loses the key, nor send an order.
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => rewrite(form), QUIET_MS);
  });
}
document.querySelector("[data-key-card]").hidden = false;
// A page kept for the Back button must not bring the key back.
window.addEventListener("pagehide", () => { key.value = ""; });

const wanted = document.getElementById(location.hash.slice(1));
if (wanted?.matches("details")) {
  wanted.open = true;
}
