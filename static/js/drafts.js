// Nothing typed is lost: <form data-keep="name"> is kept in this tab until it was sent and taken.
// A form that is sent but answered by a sign-in or error page comes back filled. Passwords, hidden
// fields and files are never kept. Leaving with unsent changes asks first.
const person = document.body.dataset.person ?? "";
const forms = [...document.querySelectorAll("form[data-keep]")];
const keyOf = (form) => `draft:${person}:${form.dataset.keep || location.pathname}`;
const read = (key) => { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } };
const write = (key, draft) => { try { sessionStorage.setItem(key, JSON.stringify(draft)); } catch { return; } };
const fields = (form) => [...form.elements].filter((field) => field.name && !["hidden", "password", "file", "submit", "button"].includes(field.type));
const isBox = (field) => ["checkbox", "radio"].includes(field.type);
const values = (form) => fields(form).map((field) => [field.name, isBox(field) ? [field.value, field.checked] : field.value]);
const touched = new Set();

const fill = (form, draft) => {
  const left = [...draft.values];
  for (const field of fields(form)) {
    const at = left.findIndex(([name, value]) => name === field.name && (!isBox(field) || value[0] === field.value));
    if (at < 0) continue;
    const [[, value]] = left.splice(at, 1);
    if (isBox(field)) field.checked = value[1];
    else field.value = value;
  }
  form.dispatchEvent(new Event("change", { bubbles: true }));
};

const tell = (form, draft, before) => {
  const at = `at ${new Date(draft.at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: document.body.dataset.zone || undefined })}`;
  const said = form.querySelector("[data-restored] time"); // the server brought something back too: one note, in the reader's zone
  if (said) { said.replaceWith(at); return; }
  const note = Object.assign(document.createElement("div"), { className: "note tone-ink", role: "status" });
  const undo = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: "Drop it" });
  undo.addEventListener("click", () => { fill(form, { values: before }); sessionStorage.removeItem(keyOf(form)); touched.delete(form); note.remove(); });
  note.append(Object.assign(document.createElement("span"), { textContent: `What you typed ${at} is back. ` }), undo);
  (form.querySelector(".stack") ?? form).prepend(note);
};

// A page of ours means that what was sent is taken; a sign-in or error page means that it is not.
const taken = document.body.dataset.page === "page";
for (const key of Object.keys(sessionStorage).filter((name) => name.startsWith("draft:"))) {
  const draft = read(key);
  if (!draft?.sent) continue;
  if (taken) sessionStorage.removeItem(key);
  else write(key, { ...draft, sent: false });
}
const restore = (form) => {
  const draft = read(keyOf(form));
  const before = values(form);
  if (draft && JSON.stringify(draft.values) !== JSON.stringify(before)) { fill(form, draft); tell(form, draft, before); }
};
addEventListener("DOMContentLoaded", () => forms.forEach(restore)); // whoever listens to the form does so by then
for (const form of forms) {
  form.addEventListener("input", () => { touched.add(form); write(keyOf(form), { at: Date.now(), values: values(form) }); });
  form.addEventListener("submit", () => { touched.delete(form); write(keyOf(form), { at: Date.now(), values: values(form), sent: true }); });
}
document.addEventListener("draft:forget", ({ target }) => { touched.delete(target); sessionStorage.removeItem(keyOf(target)); });
addEventListener("beforeunload", (event) => { if (touched.size) event.preventDefault(); });
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-forget]")) return; // signing out forgets what was typed here
  for (const key of Object.keys(sessionStorage).filter((name) => name.startsWith("draft:"))) sessionStorage.removeItem(key);
});
