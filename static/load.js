// A part of a page, fresh from the bridge. As a document, not as text that is put into the page: nothing in it can run.

// A bridge that takes the question and never answers counts as one that does not answer.
export const PATIENCE_MS = 5000;

// Null when there is none.
export function load(address) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.responseType = "document";
    request.timeout = PATIENCE_MS;
    request.addEventListener("loadend", () => done(request.status === 200 ? request.response : null));
    request.open("GET", address);
    request.send();
  });
}
