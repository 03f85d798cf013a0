// The newest projection, raw and corrected, and the sinogram of a row: on the page of a run while it goes on, and on
// that of a scan as long as its run's folder is there. Nothing is asked for before somebody opens them.

const box = document.getElementById("images");
const base = box.dataset.base;
const byId = (id) => document.getElementById(id);
// A new look so often, in milliseconds; sooner while a sinogram is still being read.
const [period, hurry] = [2000, 300];
const short = (number) => String(Number(Number(number).toPrecision(4)));

let info = null;
let timer = null;
let isAsking = false;
let isAgain = false;

const captions = {
  raw: (head) => `projection ${head.get("X-Projection")} at ${short(head.get("X-Theta-Degrees"))}°, counts `
    + `${short(head.get("X-Low"))} to ${short(head.get("X-High"))}`,
  corrected: (head) => `projection ${head.get("X-Projection")}, line integrals ${short(head.get("X-Low"))} to `
    + short(head.get("X-High")),
  sinogram: (head) => `row ${byId("image-row").value}, ${head.get("X-Lines")} lines, the last one projection `
    + head.get("X-Projection") + (head.get("X-Complete") === "yes" ? "" : "; more are being read"),
};

async function show(name, address) {
  const answer = await fetch(base + address);
  const image = byId(`image-${name}`), caption = byId(`image-${name}-text`);
  if (!answer.ok) {
    caption.textContent = (await answer.text()).trim();
    return answer.status === 503;
  }
  const picture = await createImageBitmap(await answer.blob());
  Object.assign(image, { width: picture.width, height: picture.height });
  image.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  image.hidden = false;
  image.parentElement.classList.toggle("small", image.width < 256);
  caption.textContent = captions[name](answer.headers);
  return answer.headers.get("X-Complete") !== "yes";
}

// The row of the sinogram, on both projections.
function mark() {
  for (const line of box.querySelectorAll(".mark"))
    line.style.top = `${((Number(byId("image-row").value) + 0.5) / info.rows) * 100}%`;
}

async function begin() {
  const answer = await fetch(`${base}info`);
  if (!answer.ok) {
    byId("images-text").textContent = (await answer.text()).trim();
    return false;
  }
  const isFirst = info === null;
  info = await answer.json();
  if (isFirst) {
    for (const id of ["image-row", "image-row-number"])
      Object.assign(byId(id), { max: info.rows - 1, value: Math.floor(info.rows / 2) });
    byId("images-content").hidden = false;
    mark();
  }
  const every = info.step > 1 ? ` A sinogram has one image in ${info.step}.` : "";
  byId("images-text").textContent = `${info.projections} projections of ${info.columns} columns and ${info.rows} rows.`
    + ` The colour is from the 0.5 to the 99.5 percentile of each picture.${every}`;
  return true;
}

async function update() {
  if (isAsking) { isAgain = true; return; }
  if (!box.open || document.hidden) return;
  isAsking = true;
  clearTimeout(timer);
  let isUnderWay = false;
  try {
    do {
      isAgain = false;
      if (!await begin()) continue;
      const of = byId("image-form").value;
      const pictures = await Promise.all([
        show("raw", "raw.png"), show("corrected", "corrected.png"),
        show("sinogram", `sinogram.png?row=${byId("image-row").value}&of=${of}`),
      ]);
      isUnderWay = pictures.some(Boolean);
    } while (isAgain);
  } catch {
    byId("images-text").textContent = "The server does not answer: what you see is the last that it sent.";
  }
  isAsking = false;
  timer = setTimeout(update, isUnderWay ? hurry : period);
}

function setRow(value) {
  const row = Math.min(info.rows - 1, Math.max(0, Math.round(Number(value)) || 0));
  for (const id of ["image-row", "image-row-number"]) byId(id).value = row;
  mark();
  update();
}

box.addEventListener("toggle", update);
document.addEventListener("visibilitychange", update);
byId("image-row").addEventListener("input", (event) => setRow(event.target.value));
byId("image-row-number").addEventListener("change", (event) => setRow(event.target.value));
byId("image-form").addEventListener("change", update);
