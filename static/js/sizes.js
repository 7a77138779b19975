// A file that is too large is told before it is sent: <input type="file" data-megabytes="16">.
const MEGABYTE = 1_000_000;

const say = (field, text) => {
  const id = `${field.id}_size`;
  document.getElementById(id)?.remove();
  if (!text) return;
  const said = Object.assign(document.createElement("p"), { id, className: "refusal tone-stop", textContent: text });
  said.setAttribute("role", "alert");
  field.after(said);
};

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.type !== "file" || !field.dataset?.megabytes) return;
  const most = Number(field.dataset.megabytes);
  const [large] = [...field.files].filter((file) => file.size > most * MEGABYTE);
  const all = [...field.files].reduce((sum, file) => sum + file.size, 0);
  const megabytes = (size) => Math.max(Math.ceil(size / MEGABYTE), most + 1);
  if (large) say(field, `${large.name} has ${megabytes(large.size)} MB, ${most} fit. Nothing was sent; link to it instead.`);
  else if (all > most * MEGABYTE) say(field, `These files have ${megabytes(all)} MB together, ${most} fit at once. Nothing was sent; send them one after the other.`);
  else return say(field, "");
  field.value = "";
  event.stopImmediatePropagation();
}, true);
