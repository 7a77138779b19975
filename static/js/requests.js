// Fragment requests: the CSRF header, and what the reader sees when no usable answer came.
const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

const say = (tone, text, link) => {
  const notes = document.getElementById("notes");
  if (!notes || notes.dataset.said === text) return;
  notes.dataset.said = text;
  const note = document.createElement("div");
  note.className = `note tone-${tone}`;
  note.setAttribute("role", "status");
  const words = document.createElement("span");
  words.textContent = `${text} `;
  if (link) {
    const anchor = document.createElement("a");
    [anchor.href, anchor.textContent] = link;
    words.append(anchor);
  }
  note.append(words);
  notes.replaceChildren(note);
};

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = token();
});

const isPage = (xhr) => /^\s*<!doctype/i.test(xhr.responseText);
const problem = (xhr) => {
  if (!xhr.getResponseHeader("Content-Type")?.includes("problem+json")) return undefined;
  try { return JSON.parse(xhr.responseText).detail; } catch { return undefined; }
};
const said = (xhr) => problem(xhr) ?? new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[data-said]")?.textContent.replace(/\s+/g, " ").trim();

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (!isPage(xhr) || target === document.body) return;
  event.detail.shouldSwap = false; // a page is not a fragment: a refusal, or the sign-in page
  if (xhr.status === 409) say("wait", said(xhr) ?? "This cannot be done now.");
  const { pathname } = new URL(xhr.responseURL, location.href);
  if (xhr.status >= 400 || pathname === location.pathname) return;
  document.dispatchEvent(new CustomEvent("polling:stop"));
  const back = encodeURIComponent(`${location.pathname}${location.search}`);
  say("wait", "Your sign-in has ended. What you typed stays in this tab.", [`${pathname}?next=${back}`, "Sign in again"]);
});

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  const again = [location.href, "Load the page again"];
  if (xhr.status >= 500) say("stop", `The server could not answer (${xhr.status}). What you see may be old.`, again);
  else say("wait", said(xhr) ?? "This part can no longer be shown.", again);
});

document.addEventListener("htmx:sendError", () => {
  say("unknown", "The server does not answer. What you see may be old; asking again by itself.");
});
