// After a row was added, removed or moved the keyboard goes on there: at the new row, its neighbour, or the row that moved.
const goals = {
  add: (rows) => rows.length - 1,
  drop: (rows, at) => Math.min(at, rows.length - 1),
  up: (rows, at) => at - 1,
  down: (rows, at) => at + 1,
};

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const [verb, table, at] = (detail.requestConfig?.elt?.value ?? "").split?.(":") ?? [];
  if (!goals[verb] || !table) return;
  const rows = [...document.querySelectorAll(`#rows-${CSS.escape(table)} :is(.step-row, .item-row)`)];
  const row = rows[goals[verb](rows, Number(at))];
  const moved = row?.querySelector(`button[value^="${verb}:"]`);
  (verb === "add" || verb === "drop" ? row?.querySelector("select, input:not([type=hidden]), textarea") : moved ?? row?.querySelector("button"))?.focus();
});
