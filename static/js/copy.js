// Copies the text of an element: <button data-copy="#id" hidden><span aria-live="polite">Copy</span></button>.
// data-copy-text="…" copies that text instead. The button appears only where copying works.
const reveal = (root) => {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy], [data-copy-text]")) button.hidden = false;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  event.preventDefault();
  const text = button.dataset.copyText ?? document.querySelector(button.dataset.copy)?.textContent ?? "";
  const word = button.querySelector("[aria-live]") ?? button;
  const before = word.dataset.word ?? word.textContent;
  word.dataset.word = before;
  try {
    await navigator.clipboard.writeText(text.trim());
    word.textContent = "Copied";
  } catch {
    word.textContent = "Not copied: select and copy by hand";
  }
  setTimeout(() => { word.textContent = before; }, 2000);
});

document.addEventListener("htmx:load", (event) => reveal(event.detail.elt));
reveal(document);
