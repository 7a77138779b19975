// Shows a Back button where there is a page to go back to; what was typed there is still there.
for (const button of document.querySelectorAll("[data-back]")) button.hidden = history.length < 2;
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-back]")) history.back();
});
