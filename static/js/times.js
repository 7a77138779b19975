// Keeps distances true ("in 2 h 10 min") and adds the reader's own clock to the hover text of a time.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

const words = (seconds) => {
  const parts = [];
  let left = Math.floor(Math.abs(seconds));
  for (const [size, unit] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${unit}`);
    else if (parts.length) break;
    if (parts.length === (Math.abs(seconds) >= 86400 || Math.abs(seconds) < 60 ? 1 : 2)) break;
  }
  return parts.join(" ") || "0 s";
};

const distance = (moment, now) => {
  let seconds = (moment - now) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  if (Math.abs(seconds) >= 60) seconds = Math.trunc(seconds / 60) * 60; // seconds would only flicker
  return seconds > 0 ? `in ${words(seconds)}` : `${words(seconds)} ago`;
};

const refresh = () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-distance]")) {
    const text = distance(Date.parse(element.dataset.distance), Date.now());
    if (element.textContent !== text) element.textContent = text;
  }
};

const explain = (event) => {
  const time = event.target.closest?.("time[datetime][title]");
  if (!time || time.dataset.explained) return;
  time.dataset.explained = "yes";
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const here = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" }).format(moment);
  time.title = `${time.title}\nOn this device: ${here}`;
};

document.addEventListener("pointerover", explain);
document.addEventListener("focusin", explain);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 20000);
