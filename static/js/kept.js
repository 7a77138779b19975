// The request form, kept by the server while somebody types (#keeper): what it holds needs no copy in this tab,
// as long as nothing was typed since it was sent. What is discarded there is forgotten here.
const forget = (form) => form?.dispatchEvent(new CustomEvent("draft:forget", { bubbles: true }));
const typed = new WeakMap();
let sentAt = 0;

document.addEventListener("input", ({ target }) => { if (target.form) typed.set(target.form, performance.now()); });
document.addEventListener("htmx:beforeRequest", ({ target }) => { if (target.id === "keeper") sentAt = performance.now(); });
document.addEventListener("draft-kept", ({ target }) => {
  const form = target.closest("form");
  if ((typed.get(form) ?? 0) <= sentAt) forget(form);
});
document.addEventListener("submit", ({ submitter, target }) => { if (submitter?.matches("[data-forget-this]")) forget(target); });
