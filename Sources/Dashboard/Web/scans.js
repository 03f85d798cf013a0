// The pages of all scans and of one. What they show comes from the API (see openapi.json); the server tells with an
// event when a scan changed, and then, or every few seconds while one is being reconstructed, it is asked again.
"use strict";

const byId = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=slipring-token]").content;
const scanNumber = document.body.dataset.scan;
const period = 2000;
const filesShown = 8;

// ---- Words ----

const two = (number) => String(number).padStart(2, "0");

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds)), minutes = Math.floor(whole / 60) % 60;
  return (whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(minutes)}` : minutes) + `:${two(whole % 60)}`;
}

function time(seconds) {
  const at = new Date(seconds * 1000), date = [at.getMonth() + 1, at.getDate()].map(two).join("-");
  return `${at.getFullYear()}-${date} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (count >= 999.5 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit === 0 || count >= 99.5 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

const projections = (scan) =>
  scan.progress ? `${scan.progress.acquired} of ${scan.progress.projections}` : scan.projections ?? "–";

// ---- Elements ----

// Texts become text, whatever they hold.
function element(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat().filter((part) => part !== null && part !== undefined));
  return made;
}

const state = (scan) => element("span", scan.activity, { class: "state", "data-state": scan.activity });
const address = (scan) => `/scans/${scan.number}/`;
const name = (scan) => scan.sample ?? `from ${scan.source}`;

function setState(id, text, key) {
  byId(id).textContent = text;
  byId(id).dataset.state = key;
}

function thumbnail(scan, version) {
  const none = () => element("span", [], { class: "thumbnail" });
  if (!["running", "finished"].includes(scan.state)) return none();
  const source = `${address(scan)}picture.png?edge=128&version=${version}`;
  const image = element("img", [], { class: "thumbnail", alt: "", loading: "lazy", src: source });
  image.addEventListener("error", () => image.replaceWith(none()));
  return image;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// ---- The list ----

// So many scans of the list, those with a lower number than `before` where that is given; the server gives `pageMax`.
const pageMax = 500;
let shown = 50;
let before = null;
let next = null;

function showServer(status) {
  const server = status.server;
  const running = status.running.map((scan) => scan.number).join(", ");
  const words = running ? `reconstructing scan ${running}` : "waiting for scans";
  setState("server-state", words, running ? "running" : "waiting");
  byId("sources").textContent = Object.keys(server?.sources ?? {}).join(", ");
  const warnings = server?.warnings ?? [];
  byId("warnings").replaceChildren(...warnings.map((text) => element("li", text)));
  byId("warnings").hidden = warnings.length === 0;
  byId("running").replaceChildren(...status.running.map((scan) => element("div", [
    element("a", thumbnail(scan, Math.floor(Date.now() / period)),
      { href: `${address(scan)}run/`, title: "Watch it live" }),
    element("div", [
      element("p", [element("a", `scan ${scan.number}`, { href: address(scan) }), ` ${name(scan)}`]),
      element("progress", [],
        { max: 1, value: scan.progress?.fraction ?? 0, "aria-label": "Done of what happens now" }),
      element("p", [state(scan), element("span",
        ` ${projections(scan)} projections` + (scan.lost ? `, ${scan.lost} lost` : "")
        + (scan.duration === undefined ? "" : `, ${duration(scan.duration)}`), { class: "faint" })]),
    ]),
  ], { class: "now" })));
  byId("idle").hidden = status.running.length > 0;
  showDisk(server?.disk, status.diskHoursLeft);
}

function showDisk(disk, hours) {
  if (!disk) return;
  const used = 1 - disk.freeBytes / Math.max(1, disk.totalBytes);
  byId("disk").value = used;
  byId("disk").classList.toggle("nearly", used > 0.9 || (hours ?? 99) < 24);
  byId("disk-text").textContent = `${bytes(disk.freeBytes)} free of ${bytes(disk.totalBytes)}`;
  byId("disk-forecast").textContent = hours === undefined
    ? (disk.bytesPerHour === undefined
      ? "How long it lasts is known after ten minutes." : "Nothing was taken in the last hour.")
    : `Full in ${hours < 48 ? `${hours.toFixed(1)} hours` : `${Math.round(hours / 24)} days`}, `
      + `at ${bytes(disk.bytesPerHour)} an hour.`;
}

function showQueue(scans) {
  const waiting = scans.filter((scan) => scan.state !== "running");
  byId("queue-count").textContent = waiting.length || "";
  byId("queue").replaceChildren(...waiting.slice(0, 20).map((scan) => element("li", [
    element("a", `scan ${scan.number}`, { href: address(scan) }), ` ${name(scan)}, `,
    element("span", scan.activity + (scan.priority ? `, priority ${scan.priority}` : ""), { class: "faint" }),
  ])));
  byId("queue-empty").hidden = waiting.length > 0;
}

function row(scan) {
  const link = element("a", String(scan.number), { href: address(scan) });
  const cells = element("tr", [
    element("td", thumbnail(scan, scan.ended ?? "live")), element("td", link),
    element("td", name(scan), { class: "name" }), element("td", state(scan)),
    element("td", String(projections(scan)), { class: "number" }),
    element("td", scan.lost === undefined ? "–" : String(scan.lost), { class: scan.lost ? "number lost" : "number" }),
    element("td", time(scan.added), { class: "when" }),
    element("td", scan.duration === undefined ? "–" : duration(scan.duration), { class: "number" }),
  ], { class: "link" });
  cells.addEventListener("click", (event) => { if (!event.target.closest("a")) link.click(); });
  return scan.state === "failed"
    ? [cells, element("tr", [element("td"), element("td", scan.reason ?? "", { colspan: 7 })], { class: "reason" })]
    : [cells];
}

function showFrom(number) {
  [before, shown] = [number, 50];
  update();
}

async function showList() {
  const filter = byId("filter").value;
  const query = `limit=${shown}` + (before ? `&before=${before}` : "") + (filter ? `&state=${filter}` : "");
  const [status, queue, list] = await Promise.all(
    [get("/api/v1/status"), get("/api/v1/queue"), get(`/api/v1/scans?${query}`)]);
  showServer(status);
  showQueue(queue.scans);
  byId("scan-count").textContent = list.total;
  byId("scans").replaceChildren(...list.scans.flatMap(row));
  next = list.next;
  byId("older").hidden = next === undefined;
  byId("newest").hidden = before === null;
  return status.running.length > 0;
}

// ---- One scan ----

function showFacts(details) {
  const scan = details.scan;
  const facts = [
    ["state", scan.reason && scan.state !== "finished" ? `${scan.activity}: ${scan.reason}` : scan.activity],
    [scan.state === "finished" ? "volume removed" : "data removed",
      scan.cleared && `by ${scan.cleared.by}, ${time(scan.cleared.time)}`],
    ["source", scan.source], ["scan file", scan.file], ["priority", scan.priority || undefined],
    ["added", time(scan.added)], ["begun", scan.begun && time(scan.begun)], ["ended", scan.ended && time(scan.ended)],
    ["took", scan.duration === undefined ? undefined : duration(scan.duration)], ["projections", projections(scan)],
    ["lost", scan.lost === undefined ? undefined
      : scan.lost === 0 ? "none: every frame that the detector sent has come" : `${scan.lost} frames never came`],
    ["updates", scan.progress?.updates],
    ["rotation axis", details.rotationAxis === undefined ? undefined : `${details.rotationAxis.toFixed(2)} pixels`],
    ["ended by", details.stoppedBy], ["attempts", scan.attempts > 1 ? scan.attempts : undefined],
    ["volume", scan.output], ["run", details.left.length ? undefined : details.run],
    ...details.left.map((folder) => ["left of it", folder]), ["SHA-256", details.volumeSHA256],
  ].filter(([, value]) => value !== undefined && value !== null);
  byId("facts").replaceChildren(...facts.flatMap(([key, value]) => [element("dt", key), element("dd", String(value))]));
  byId("notices").replaceChildren(...details.notices.map((text) => element("li", text)));
}

function showFiles(details) {
  const sum = details.outputs.reduce((sum, file) => sum + (file.byteCount ?? 0), 0);
  byId("file-count").textContent = details.outputCount ? `${details.outputCount}, ${bytes(sum)}` : "";
  // Whole volumes first; slices are many, and like each other.
  const isSlice = (file) => /\.tiff?$/.test(file.path);
  const files = [...details.outputs.filter((file) => !isSlice(file)), ...details.outputs.filter(isSlice)];
  const rest = details.outputCount - Math.min(files.length, filesShown);
  byId("files").replaceChildren(...files.slice(0, filesShown).map((file) => element("tr", [
    element("td", file.path, { class: "name" }),
    element("td", file.byteCount === undefined ? "not there any more" : bytes(file.byteCount), { class: "number" }),
  ])), rest > 0 ? element("tr", element("td", `and ${rest} more`, { class: "faint", colspan: 2 })) : "");
  byId("no-files").hidden = details.outputs.length > 0;
  const hasVolume = details.scan.state === "finished"
    && files.some((file) => /_rec\.(h5|zarr)$/.test(file.path) && file.byteCount !== undefined);
  byId("compare").hidden = details.scan.state !== "running" && !hasVolume;
  byId("volume").hidden = !hasVolume;
}

function showPicture(scan) {
  const isRunning = scan.state === "running", picture = byId("picture");
  byId("live").hidden = !isRunning;
  const version = isRunning ? Math.floor(Date.now() / period) : scan.ended;
  const address = `/scans/${scan.number}/picture.png?edge=512&version=${version}`;
  if (!(isRunning || scan.state === "finished")) {
    byId("no-picture").hidden = !picture.hidden;
    return;
  }
  if (picture.dataset.address === address) return;
  const next = new Image();
  // The one that is there stays until the next one is complete.
  next.onload = () => { picture.src = address; picture.hidden = false; byId("no-picture").hidden = true; };
  next.onerror = () => { byId("no-picture").hidden = !picture.hidden; };
  next.src = address;
  picture.dataset.address = address;
}

const orders = {
  finalize: ["Finalize", "plain", "The acquisition ends now. What was acquired is reconstructed and written."],
  abort: [
    "Abort", "danger", "It stops now, and no volume is written. What was acquired is kept; it can be tried again.",
  ],
  remove: ["Remove", "danger", "It is taken out of the queue. Nothing of it is deleted; it can be tried again."],
  retry: ["Try again", "plain", "It comes into the queue again, with a run of its own."],
};

function showActions(scan) {
  const possible = {
    running: ["finalize", "abort"], receiving: ["remove"], waiting: ["remove"], failed: ["retry"], removed: ["retry"],
  }[scan.state] ?? [];
  const key = possible.join();
  const actions = byId("actions");
  if (actions.dataset.key === key) return;
  actions.dataset.key = key;
  if (!token) {
    actions.replaceChildren(possible.length
      ? element("p", "To change something, open the address with ?token= once.") : "");
    return;
  }
  actions.replaceChildren(...possible.map((order) => {
    const [label, style] = orders[order];
    const button = element("button", label, { class: style });
    button.addEventListener("click", () => ask(order));
    return button;
  }));
}

function ask(order) {
  const dialog = byId("sure");
  byId("sure-title").textContent = `${orders[order][0]}?`;
  byId("sure-text").textContent = orders[order][2];
  dialog.returnValue = "no";
  dialog.onclose = () => { if (dialog.returnValue === "yes") tell(order); };
  dialog.showModal();
}

async function tell(order) {
  const answer = await fetch(`/api/v1/scans/${scanNumber}/${order}`, {
    method: "POST", headers: { "X-Slipring-Token": token },
  });
  byId("refused").hidden = answer.ok;
  if (!answer.ok) byId("refused").textContent = await answer.json().then((body) => body.error, () => "It was refused.");
  update();
}

async function showScan() {
  const [details, said] = await Promise.all([
    get(`/api/v1/scans/${scanNumber}`), fetch(`/scans/${scanNumber}/log`).then((answer) => answer.text()),
  ]);
  const log = said.trim() || "Nothing yet.";
  const scan = details.scan;
  setState("state", scan.activity, scan.activity);
  byId("fraction").hidden = !scan.progress;
  byId("fraction").value = scan.progress?.fraction ?? 0;
  showFacts(details);
  showFiles(details);
  showPicture(scan);
  showActions(scan);
  const area = byId("log"), atEnd = area.scrollTop + area.clientHeight >= area.scrollHeight - 4;
  if (area.textContent !== log) {
    area.textContent = log;
    if (atEnd) area.scrollTop = area.scrollHeight;
  }
  return scan.state === "running";
}

// ---- Keeping up ----

let timer = null;
let isAsking = false;
let isAskedAgain = false;

async function update() {
  if (isAsking) { isAskedAgain = true; return; }
  isAsking = true;
  clearTimeout(timer);
  let isMoving = false;
  try {
    isMoving = await (scanNumber ? showScan() : showList());
    byId("link-lost").hidden = true;
  } catch {
    byId("link-lost").hidden = false;
  }
  isAsking = false;
  timer = setTimeout(update, isAskedAgain ? 200 : isMoving ? period : 15000);
  isAskedAgain = false;
}

const events = new EventSource("/api/v1/events");
events.addEventListener("scan", (event) => {
  if (!scanNumber || String(JSON.parse(event.data).scan) === scanNumber) update();
});
events.addEventListener("error", () => { byId("link-lost").hidden = false; });
events.addEventListener("open", update);
byId("filter")?.addEventListener("change", () => { showFrom(null); });
byId("older")?.addEventListener("click", () => {
  if (shown >= pageMax) return showFrom(next);
  shown = Math.min(pageMax, shown + 150);
  update();
});
byId("newest")?.addEventListener("click", () => showFrom(null));
byId("compare")?.addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`/scans/${scanNumber}/with/${Number(byId("other").value)}/`);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
update();
