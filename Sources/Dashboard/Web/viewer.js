// The viewer of a volume, or of two side by side. Addresses are relative: the page may lie anywhere, with the volumes
// beside it as voxels/ and, for another one, compare/; a run's denoised volume as denoised/.

import { Pane } from "./viewer-pane.js";
import { Histogram, drawProfile } from "./viewer-histogram.js";
import { colourMap } from "./viewer-tiles.js";
import { savePNG, saveTIFF } from "./viewer-save.js";

const byId = (id) => document.getElementById(id);
// A volume that changes is asked for so often, in milliseconds.
const period = 1000;
const retries = 200;

const view = {
  mode: "slice", axis: "z", index: 0, x: 0, y: 0, scale: 0, isFitted: true, tool: "pan", region: null, line: null,
  turn: [0.5, 0.6], distance: 1.6, depth: 0, level: 0.5,
  look: { number: 0, mapNumber: 0, low: 0, high: 1, map: colourMap("grey") },
};
const panes = [];
let isAutomatic = true;
let percent = 0.5;
let isRefreshing = false;
let isAgain = false;
// What is said as long as nothing else is to be said.
let standing = "";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const short = (number) => String(Number(number.toPrecision(6)));
const say = (text) => { if (byId("message").textContent !== text) byId("message").textContent = text; };

// What a pane tells of what a person did.
const owner = {
  changed() { for (const pane of panes) pane.draw(); },
  moved() {
    for (const pane of panes) pane.volume.moves();
    this.changed();
  },
  refresh: () => refresh(),
  step(count) { setIndex(view.index + count); },
  cursor: (place) => showCursor(place),
  measure: () => measure(),
  say: (text) => say(text),
};

// ---- Which plane, which version ----

function setIndex(index) {
  const cuts = panes[0].cuts;
  const next = Math.min(cuts.count - 1, Math.max(0, Math.round(index) || 0));
  if (next === view.index && panes[0].stats) return showCut();
  view.index = next;
  showCut();
  refresh();
}

function setAxis(axis) {
  view.axis = axis;
  Object.assign(view, { region: null, line: null });
  for (const id of ["region", "line"]) byId(id).textContent = "–";
  byId("profile").hidden = true;
  view.index = Math.floor(panes[0].cuts.count / 2);
  panes[0].fit();
  owner.changed();
  showCut();
  refresh();
}

// Asks for the newest version of the plane that is looked at; while it does, a second wish waits.
async function refresh() {
  if (isRefreshing) { isAgain = true; return; }
  isRefreshing = true;
  try {
    do {
      isAgain = false;
      const answers = await Promise.all(panes.map((pane) => loadStats(pane)));
      if (answers.every((isThere) => isThere)) say(standing);
      if (isAutomatic) setWindow(windowOf(panes[0].stats, percent));
      showHistogram();
    } while (isAgain);
  } finally { isRefreshing = false; }
  measure();
  if (cursorPlace) showCursor(cursorPlace);
}

async function loadStats(pane) {
  const { axis, index } = view;
  // A second volume may have fewer cuts.
  const plane = `${axis}/${Math.min(index, pane.cuts.count - 1)}`;
  try {
    const answer = await fetch(`${pane.base}/stats/${plane}`);
    if (answer.status === 404 && pane.base === "denoised") return await goOver(pane);
    if (!answer.ok) { say((await answer.text()).trim()); return false; }
    const stats = await answer.json();
    if (pane.info.isLive && !stats.isLive) return await goOver(pane);
    if (axis !== view.axis || index !== view.index) { isAgain = true; return true; }
    pane.showStats(stats, plane);
    return true;
  } catch {
    say("The server does not answer: this is the last that it showed.");
    return false;
  }
}

// Another volume is looked at from now on, as the file of a run that has ended, with its own name, unit and voxels.
// Where there is no file of the denoised one, the other is shown, and that is said for as long as it is so.
async function goOver(pane) {
  let answer = await fetch(`${pane.base}/info`);
  if (answer.status === 404 && pane.base === "denoised") {
    standing = "There is no file of the denoised volume: this is the one that is not denoised.";
    pane.base = "voxels";
    answer = await fetch("voxels/info");
  }
  if (!answer.ok) { say((await answer.text()).trim()); return false; }
  pane.become(pane.base, await answer.json());
  // Another volume has no part of what is kept of this one.
  pane.store.version = null;
  showNames();
  if (!pane.info.cuts.some((cuts) => cuts.axis === view.axis)) setAxis(pane.info.cuts[0].axis);
  if (view.mode !== "slice") loadVolume(pane);
  isAgain = true;
  return true;
}

// ---- Window ----

function windowOf(stats, percent) {
  if (!stats) return [view.look.low, view.look.high];
  if (percent === 0) return [stats.low, stats.high];
  const at = (value) => stats.percentiles[stats.percents.findIndex((known) => Math.abs(known - value) < 1e-6)];
  return [at(percent), at(100 - percent)];
}

function setWindow([low, high]) {
  const { look } = view;
  if (low === look.low && high === look.high) return;
  Object.assign(look, { low, high: high > low ? high : low + Math.max(1e-9, Math.abs(low) * 1e-6) });
  look.number += 1;
  for (const [id, value] of [["low", low], ["high", high]])
    if (document.activeElement !== byId(id)) byId(id).value = Number(value.toPrecision(6));
  showHistogram();
  owner.changed();
}

function showHistogram() {
  if (panes[0].stats) histogram.show(panes[0].stats, [view.look.low, view.look.high]);
}

const histogram = new Histogram(byId("histogram"), (range) => { isAutomatic = false; setWindow(range); });

// ---- Measuring ----

// Voxel coordinates of a place in the plane.
function coordinates(across, down) {
  const places = { z: ["x", "y"], y: ["x", "z"], x: ["z", "y"] }[view.axis];
  return `${places[0]} ${across}, ${places[1]} ${down}, ${view.axis} ${view.index}`;
}

let cursorAsked = 0;
let cursorPlace = null;
async function showCursor([x, y]) {
  cursorPlace = [x, y];
  const [across, down] = [Math.floor(x), Math.floor(y)];
  const { columns, rows } = panes[0].cuts;
  if (across < 0 || down < 0 || across >= columns || down >= rows) { byId("cursor").textContent = "–"; return; }
  cursorAsked += 1;
  const number = cursorAsked;
  const known = panes.map((pane) => pane.store.value(across, down, pane.info.tile));
  const words = (value) => value === undefined ? "…" : value === null ? "no number" : value.toPrecision(7);
  const show = (values) => {
    byId("cursor").textContent = `${coordinates(across, down)}\n${values.map(words).join("; ")}`;
  };
  show(known);
  if (!known.includes(undefined)) return;
  // The level on the screen has means only: the voxel's own value is asked for when the pointer rests.
  await pause(60);
  if (number !== cursorAsked) return;
  const corners = `x0=${across}&y0=${down}&x1=${across}&y1=${down}`;
  const values = await Promise.all(panes.map(async (pane) => (await ask(pane, "line", corners))?.values[0]));
  if (number === cursorAsked) show(values);
}

async function ask(pane, kind, query) {
  if (!pane.stats) return null;
  try {
    const answer = await fetch(`${pane.base}/${kind}/${pane.store.plane}?${query}&g=${pane.stats.version}`);
    return answer.ok ? await answer.json() : null;
  } catch { return null; }
}

const query = (corners) => new URLSearchParams(corners).toString();

async function measure() {
  const { region, line } = view;
  if (region && region.x1 > region.x0 && region.y1 > region.y0) {
    const answers = await Promise.all(panes.map((pane) => ask(pane, "region", query(region))));
    const unit = panes[0].info.unit;
    byId("region").textContent = answers.filter((answer) => answer && answer.count > 0).map((answer) =>
      `${short(answer.mean)} ± ${short(answer.deviation)} ${unit}\n${short(answer.low)} … ${short(answer.high)}, `
      + `${answer.count} voxels`).join("\n");
    measured = answers;
  }
  if (line) {
    const answers = await Promise.all(panes.map((pane) => ask(pane, "line", query(line))));
    const lines = answers.filter((answer) => answer).map((answer) => answer.values);
    byId("profile").hidden = lines.length === 0;
    if (lines.length > 0) drawProfile(byId("profile"), lines);
    const length = Math.hypot(line.x1 - line.x0, line.y1 - line.y0);
    const voxel = panes[0].info.voxel;
    byId("line").textContent = `${short(length)} px` + (voxel ? `, ${short(length * voxel)} mm` : "");
  }
}
let measured = [];

// ---- The whole volume ----

async function loadVolume(pane) {
  const edge = Number(byId("detail").value);
  for (let attempt = 0; attempt < retries && view.mode !== "slice"; attempt++) {
    const answer = await fetch(`${pane.base}/volume/${edge}`);
    if ([202, 503].includes(answer.status)) { say("The volume is being read …"); await pause(300); continue; }
    if (!answer.ok) { say((await answer.text()).trim()); return; }
    const number = (name) => Number(answer.headers.get(name));
    const version = answer.headers.get("X-Version") + edge;
    if (pane.volume.data?.version === version) return;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const longest = Math.max(pane.info.columns, pane.info.slices);
    const { columns, slices } = pane.info;
    pane.volume.show({
      version, bytes, columns: number("X-Columns"), slices: number("X-Slices"), low: number("X-Low"),
      high: number("X-High"), box: [columns / longest, columns / longest, slices / longest],
    });
    say("");
    showCut();
    return;
  }
}

async function setMode(mode) {
  if (mode !== "slice" && !panes.every((pane) => pane.volume.begin())) {
    say("This browser has no WebGL 2, which these views need; slices work without.");
    return;
  }
  view.mode = mode;
  press("modes", "mode", mode);
  byId("tools").hidden = mode !== "slice";
  byId("detail-row").hidden = mode === "slice";
  showCut();
  owner.changed();
  if (mode !== "slice") await Promise.all(panes.map((pane) => loadVolume(pane)));
}

// ---- Controls ----

function press(group, name, value) {
  for (const button of byId(group).querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset[name] === value));
}

// The slider is the number of the cut, the depth of an oblique one, or the level of a surface.
function showCut() {
  const slider = byId("depth");
  const { cuts, volume } = panes[0];
  const isFlat = view.mode === "slice";
  for (const id of ["axis", "index"]) byId(id).hidden = !isFlat;
  slider.hidden = view.mode === "mip";
  const [name, min, max, step, value] = {
    slice: ["Cut", 0, cuts.count - 1, 1, view.index], mip: ["Greatest value along the line of sight", 0, 1, 1, 0],
    oblique: ["Depth", -0.87, 0.87, 0.005, view.depth], iso: ["Surface at", 0, 1, 0.002, view.level],
  }[view.mode];
  Object.assign(slider, { min, max, step });
  slider.value = value;
  slider.setAttribute("aria-label", name);
  byId("cut-title").textContent = name;
  byId("index").max = cuts.count - 1;
  byId("index").value = view.index;
  const data = volume.data;
  byId("count").textContent = isFlat ? `of ${cuts.count}` : view.mode === "iso" && data
    ? short(data.low + view.level * (data.high - data.low)) : view.mode === "oblique"
      ? `${short(view.depth * Math.max(panes[0].info.columns, panes[0].info.slices))} px from the middle` : "";
}

function connect() {
  byId("depth").addEventListener("input", (event) => {
    const value = Number(event.target.value);
    if (view.mode === "slice") return setIndex(value);
    view[view.mode === "iso" ? "level" : "depth"] = value;
    showCut();
    owner.moved();
  });
  byId("index").addEventListener("change", (event) => setIndex(Number(event.target.value)));
  byId("axis").addEventListener("change", (event) => setAxis(event.target.value));
  byId("detail").addEventListener("change", () => setMode(view.mode));
  byId("map").addEventListener("change", (event) => {
    Object.assign(view.look, { map: colourMap(event.target.value), number: view.look.number + 1 });
    view.look.mapNumber += 1;
    owner.changed();
  });
  for (const id of ["low", "high"]) byId(id).addEventListener("change", () => {
    const [low, high] = [Number(byId("low").value), Number(byId("high").value)];
    isAutomatic = false;
    if (low < high) setWindow([low, high]);
  });
  for (const button of byId("percents").querySelectorAll("button")) button.addEventListener("click", () => {
    percent = Number(button.dataset.percent);
    isAutomatic = true;
    setWindow(windowOf(panes[0].stats, percent));
  });
  for (const button of byId("modes").querySelectorAll("button"))
    button.addEventListener("click", () => setMode(button.dataset.mode));
  for (const button of byId("tools").querySelectorAll("button")) button.addEventListener("click", () => {
    view.tool = button.dataset.tool;
    press("tools", "tool", view.tool);
  });
  byId("png").addEventListener("click", () => panes.forEach((pane) =>
    savePNG(fileName(pane), view.mode === "slice" ? [pane.canvas, pane.over] : [pane.scene])));
  byId("tiff").addEventListener("click", () => panes.forEach(async (pane) => {
    const { columns, rows } = pane.cuts;
    try {
      saveTIFF(fileName(pane), columns, rows, await pane.store.all(columns, rows, pane.info.tile));
    } catch (error) { say(`The cut cannot be saved: ${error.message}`); }
  }));
  byId("denoised").addEventListener("change", (event) => {
    const [pane] = panes;
    pane.base = pane.store.base = event.target.checked ? "denoised" : "voxels";
    pane.store.version = null;
    goOver(pane).then(refresh);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { showHistogram(); measure(); });
}

// By the plane that is on the screen: the one that was asked for may still be on its way.
const fileName = (pane) =>
  `${pane.info.name.replace(/\.[^.]*$/, "")}_${(pane.store.plane ?? "").replace("/", "")}`;

// ---- Beginning ----

async function load(base) {
  for (let attempt = 0; attempt < retries; attempt++) {
    const answer = await fetch(`${base}/info`);
    if (answer.ok) return answer.json();
    if (answer.status !== 503) { say((await answer.text()).trim()); return null; }
    say("There is no volume yet: it begins with the first projections.");
    await pause(period);
  }
  return null;
}

// What the volumes are called, and what can be chosen.
function showNames() {
  const { info } = panes[0];
  byId("name").textContent = panes.map((pane) => pane.info.name).join(" and ");
  document.title = `${byId("name").textContent}: Slipring viewer`;
  byId("denoised-row").hidden = !info.others.includes("denoised");
  byId("denoised").checked = panes[0].base === "denoised";
  byId("unit").textContent = info.unit;
  byId("axis").replaceChildren(...info.cuts.map(({ axis }) =>
    Object.assign(document.createElement("option"), { textContent: axis, value: axis })));
  byId("axis").value = view.axis;
}

async function begin() {
  const first = await load("voxels");
  if (!first) return;
  say("");
  // A server of many scans has two of them side by side at such an address.
  const hasSecond = first.others.includes("compare") || /\/with\/\d+\/$/.test(location.pathname);
  const second = hasSecond ? await load("compare") : null;
  if (hasSecond && !second) standing = byId("message").textContent;
  for (const [base, info] of [["voxels", first], ["compare", second]]) {
    if (!info) continue;
    const box = Object.assign(document.createElement("figure"), { className: "pane" });
    byId("panes").append(box);
    panes.push(new Pane(box, base, info, view, owner));
  }
  showNames();
  view.index = Math.floor(panes[0].cuts.count / 2);
  connect();
  showCut();
  await refresh();
  setInterval(() => {
    if (document.hidden || !panes.some((pane) => pane.info.isLive)) return;
    refresh();
    if (view.mode !== "slice") for (const pane of panes) loadVolume(pane);
  }, period);
}

// For the test in a browser.
window.viewer = { view, panes, owner, setMode, setIndex, setAxis, measure, get measured() { return measured; } };
begin();
