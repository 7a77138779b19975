// Keeps which revision was read: <form data-look> is sent when its page is left, unless it was seen for a glance only.
const GLANCE = 3000;
let seen = 0;
let since = document.hidden ? 0 : performance.now();

const leave = () => {
  if (since) seen += performance.now() - since;
  since = 0;
  const form = document.querySelector("form[data-look]");
  if (!form || form.dataset.sent || seen < GLANCE) return;
  form.dataset.sent = "yes";
  const body = new FormData(form);
  body.append("by_itself", "yes"); // nobody pressed anything, so nobody is told anything
  fetch(form.action, { method: "POST", body, keepalive: true, redirect: "manual", credentials: "same-origin" }).catch(() => { delete form.dataset.sent; });
};

document.addEventListener("visibilitychange", () => {
  if (document.hidden) leave();
  else since = performance.now();
});
addEventListener("pagehide", leave);
