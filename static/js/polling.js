// Live fragments: <div id="x" hx-get="/url" hx-trigger="poll" hx-swap="outerHTML" data-poll="5">.
// Asks every data-poll seconds while the page is seen, at once when it is seen again, and slower
// when nobody answers. An answer that says the same is not swapped in, so focus and open details stay.
const due = new WeakMap();
const last = new Map();
let faults = 0;
let stopped = false;

const ask = (element, now) => {
  const every = Math.max(1, Number(element.dataset.poll) || 5) * 1000;
  if (!due.has(element)) due.set(element, now + every);
  if (now < due.get(element)) return;
  due.set(element, now + every * 2 ** Math.min(faults, 4));
  window.htmx?.trigger(element, "poll");
};

const tick = () => {
  if (stopped || document.hidden) return;
  const now = performance.now();
  for (const element of document.querySelectorAll("[data-poll]")) ask(element, now);
};

setInterval(tick, 500);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-poll]")) due.set(element, 0);
  tick();
});
document.addEventListener("polling:stop", () => { stopped = true; });
document.addEventListener("htmx:sendError", () => { faults += 1; });
document.addEventListener("htmx:responseError", () => { faults += 1; });

document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt, xhr } = event.detail;
  if (!elt.id || !("poll" in elt.dataset) || !event.detail.shouldSwap) return;
  faults = 0;
  const same = last.get(elt.id) === xhr.responseText;
  last.set(elt.id, xhr.responseText);
  const busy = elt.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (same || busy) event.detail.shouldSwap = false; // what somebody types is never swapped away
  if (busy) last.delete(elt.id);
});

document.addEventListener("htmx:afterSwap", (event) => {
  const swapped = document.getElementById(event.detail.elt.id);
  if (swapped && "poll" in swapped.dataset) swapped.classList.add("is-fresh");
});
