// The request form, kept by the server while somebody types (#keeper): what it holds needs no copy in this tab,
// as long as nothing was typed since it was sent. What is discarded there is forgotten here.
const forget = (form) => form?.dispatchEvent(new CustomEvent("draft:forget", { bubbles: true }));
const typed = new WeakMap();
let sentAt = 0;
let leaving = false; // the page that comes next may be drawn before the server has the last words: this tab holds them until then
addEventListener("beforeunload", () => {
  leaving = true;
  setTimeout(() => { leaving = false; }, 5000); // whoever was asked may have stayed
});

document.addEventListener("input", ({ target }) => { if (target.form) typed.set(target.form, performance.now()); });
document.addEventListener("htmx:beforeRequest", ({ target }) => { if (target.id === "keeper") sentAt = performance.now(); });
document.addEventListener("draft-kept", ({ target }) => {
  const form = target.closest("form");
  if (form?.dataset.keep === "new-change") history.replaceState(history.state, "", `?draft=${form.elements.draft.value}`); // loading it again brings it back
  if (!leaving && (typed.get(form) ?? 0) <= sentAt) forget(form);
});
document.addEventListener("submit", ({ submitter, target }) => { if (submitter?.matches("[data-forget-this]")) forget(target); });

// While the server is not reached the word says since when nothing is kept there; sending waits for the connection.
const unkept = (event) => {
  const word = document.getElementById("saved-word");
  if (event.detail?.requestConfig?.elt?.id !== "keeper" || !word) return;
  const since = word.textContent.match(/\d\d:\d\d/)?.[0];
  word.textContent = `Not kept${since ? ` since ${since}` : ""}. What you typed stays in this tab.`;
  word.classList.add("tone-stop");
};
document.addEventListener("htmx:sendError", unkept);
document.addEventListener("htmx:timeout", unkept);

document.addEventListener("submit", (event) => {
  if (navigator.onLine || event.target.id !== "request") return;
  event.preventDefault();
  event.stopPropagation(); // nobody takes it for sent
  const place = document.querySelector("#now .submit");
  if (!place || place.querySelector("[data-held]")) return;
  const said = Object.assign(document.createElement("p"), { className: "refusal tone-stop", textContent: "This browser is offline, so nothing was sent. What you typed stays in this tab. Send it again when the connection is back." });
  said.setAttribute("role", "alert");
  said.dataset.held = "";
  place.prepend(said);
}, true);
addEventListener("online", () => {
  document.querySelector("[data-held]")?.remove();
  document.getElementById("request")?.dispatchEvent(new Event("change", { bubbles: true })); // kept again
});
