// Suggestions under a search box: arrows move, Enter or Tab takes the one that is marked, Escape closes.
// Without this the box is a plain field: what stands in it is sent as it is.
const box = document.querySelector("[data-suggest]");
const panel = document.getElementById("suggestions");
let at = -1;

const options = () => [...panel.querySelectorAll("[role=option]")];
const close = () => {
  at = -1;
  panel.hidden = true;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
};
const mark = (index) => {
  const all = options();
  at = (index + all.length) % all.length;
  all.forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
  box.setAttribute("aria-activedescendant", all[at].id);
  all[at].scrollIntoView({ block: "nearest" });
};
const take = (option) => {
  box.value = option.dataset.fill;
  close();
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  box.dispatchEvent(new Event("input", { bubbles: true }));
};
const keys = {
  ArrowDown: () => mark(at + 1),
  ArrowUp: () => mark(at < 0 ? -1 : at - 1),
  Enter: () => take(options()[at]),
  Tab: () => take(options()[at]),
  Escape: close,
};

if (box && panel) {
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", "suggestions"]]) box.setAttribute(name, value);
  box.addEventListener("keydown", (event) => {
    if (panel.hidden || !(event.key in keys) || (at < 0 && (event.key === "Enter" || event.key === "Tab"))) return;
    event.preventDefault();
    keys[event.key]();
  });
  box.addEventListener("blur", close);
  panel.addEventListener("pointerdown", (event) => event.preventDefault());
  panel.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  panel.addEventListener("htmx:afterSwap", () => {
    at = -1;
    panel.hidden = options().length === 0 || document.activeElement !== box;
    box.setAttribute("aria-expanded", String(!panel.hidden));
  });
}
