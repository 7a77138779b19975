// Ticks what the touched files say about a change, and offers a name for the version, as long as the person has decided nothing.
// The fragment: <div class="version" data-aspects="CODE DATA" data-label="v2.4.1">; the form: boxes named "aspects", a field "label" or "…-label" in the same row.
const decided = new WeakSet();
const boxes = (form) => [...form.querySelectorAll('input[type="checkbox"][name="aspects"]')];

const take = (found) => {
  const form = found.closest("form");
  if (!form) return;
  const rows = [...form.querySelectorAll(".version[data-aspects]")];
  const aspects = rows.flatMap((row) => row.dataset.aspects.split(" ")).filter(Boolean);
  if (aspects.length && !boxes(form).some((box) => decided.has(box))) {
    for (const box of boxes(form)) box.checked = aspects.includes(box.value);
  }
  const label = (found.closest(".item-row") ?? form).querySelector('[name="label"], [name$="-label"]');
  if (label && found.dataset.label && !decided.has(label) && (!label.value || label.value === label.dataset.offered)) {
    label.value = label.dataset.offered = found.dataset.label;
    label.dispatchEvent(new Event("change", { bubbles: true }));
  }
};

document.addEventListener("input", (event) => {
  const field = event.target;
  if (event.isTrusted && /^aspects$|(^|-)label$/.test(field.name)) decided.add(field);
});
document.addEventListener("htmx:afterSettle", (event) => {
  const found = event.target.querySelector?.(".version[data-aspects]");
  if (found) take(found);
});
for (const box of document.querySelectorAll('input[name="aspects"]:checked')) decided.add(box);
