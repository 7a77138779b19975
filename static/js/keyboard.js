// Single keys that move or open, never act: / or Ctrl K search, ? keys, g then a letter, j k rows, t theme.
// Any other key presses the link that carries it, so a page offers one by writing data-key="c" on a link.
const OFF = "keys-off";
const kept = () => { try { return localStorage.getItem(OFF) === "yes"; } catch { return false; } };
const keep = (off) => { try { localStorage.setItem(OFF, off ? "yes" : "no"); } catch { return; } };
let off = kept();
let first = "";

const typing = (target) => target.closest("input, textarea, select, [contenteditable], dialog");
const open = (key) => {
  const link = document.querySelector(`a[data-key="${CSS.escape(key)}"]`);
  link?.click();
  return Boolean(link);
};
const step = (by) => {
  const rows = [...document.querySelectorAll("main :is(a.item-title, [data-row])")];
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  return rows.length > 0;
};
const search = () => {
  const field = document.querySelector('[role="search"] [type="search"], main [type="search"]');
  field?.focus();
  return Boolean(field);
};
const acts = {
  "/": search,
  "?": () => { document.getElementById("keys")?.togglePopover(); return true; },
  j: () => step(1),
  k: () => step(-1),
  t: () => { document.querySelector("[data-theme-toggle]")?.click(); return true; },
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k" && search()) event.preventDefault();
  if (off || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const pair = first === "g" ? `g ${event.key}` : "";
  first = pair ? "" : event.key;
  setTimeout(() => { first = ""; }, 1200);
  if (pair ? open(pair) : (acts[event.key] ?? (() => open(event.key)))()) event.preventDefault();
});

const switchButton = document.querySelector("[data-keys-switch]");
const show = () => {
  if (!switchButton) return;
  switchButton.setAttribute("aria-pressed", String(off));
  switchButton.textContent = off ? "Switch them on" : "Switch them off";
};
switchButton?.addEventListener("click", () => {
  off = !off;
  keep(off);
  show();
});
show();
