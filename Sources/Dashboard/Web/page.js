// The live part of the page. What it shows comes as one report an event (see Report.swift); pictures are fetched one at
// a time for each cut, always the newest, so that a slow line shows fewer of them and never old ones.
"use strict";

const byId = (id) => document.getElementById(id);
const axes = ["z", "y", "x"];
const cuts = {};
let report = null;
let curveVersion = -1;
let besideIsLoading = false;
let source = null;
// Whether the run's process has ended, so that there is nobody to ask.
let isOver = false;

// ---- Pictures ----

const windowing = { automatic: true, low: 0, high: 1, domain: null };

class Cut {
  constructor(axis) {
    this.axis = axis;
    this.image = byId("picture-" + axis);
    this.frame = this.image.parentElement;
    this.slider = byId("slider-" + axis);
    this.shown = "";
    this.isLoading = false;
    this.notBefore = 0;
    this.slider.addEventListener("input", () => { place(); this.ask(true); });
  }

  get index() { return Number(this.slider.value); }

  // Whether the denoised volume has this cut, and a person wants it.
  get isDenoised() {
    const { denoised } = report.volume;
    return byId("denoised").checked && (this.axis === "z" ? this.index < denoised : denoised > 0);
  }

  // The address of the picture that should be there now.
  get wanted() {
    const pixels = Math.max(this.frame.clientWidth, this.frame.clientHeight) * (window.devicePixelRatio || 1);
    const edge = Math.min(1024, Math.max(256, Math.ceil(pixels / 256) * 256));
    const levels = windowing.automatic ? "" : `&low=${windowing.low}&high=${windowing.high}`;
    const auto = report.volume.window;
    const content = this.isDenoised ? "&of=denoised" : "";
    const live = report.volume.denoisedGeneration ?? "";
    const denoised = this.axis === "z" ? `d${live}` : `d${report.volume.denoised}_${live}`;
    const version = (content ? denoised : report.volume.generations.join("."))
      + (windowing.automatic && auto ? `_${auto.low}_${auto.high}` : "") + (report.ending ? "_end" : "");
    return `slices/${this.axis}/${this.index}.png?edge=${edge}${content}${levels}&version=${version}`;
  }

  // isUrgent: a person moved something and waits for it.
  ask(isUrgent) {
    if (!report || !report.volume || this.isLoading || isOver) return;
    const address = this.wanted;
    if (address === this.shown) return;
    const wait = (isUrgent ? 0 : this.notBefore) - performance.now();
    if (wait > 0) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(false), wait);
      return;
    }
    this.notBefore = performance.now() + report.pace.pictures;
    this.load(address);
  }

  // The picture that is there stays until the next one is complete.
  load(address) {
    this.isLoading = true;
    const next = new Image();
    Object.assign(next, { id: this.image.id, alt: this.image.alt, draggable: false });
    next.onload = () => {
      this.image.replaceWith(next);
      this.image = next;
      this.shown = address;
      byId("content-" + this.axis).textContent = address.includes("&of=denoised") ? ", denoised" : "";
      this.isLoading = false;
      if (this.axis === "z") byId("cuts").classList.toggle("enlarged", next.naturalWidth < this.frame.clientWidth);
      this.ask(true);
      endIfComplete();
    };
    // Too busy, or not there yet: once more in a while.
    next.onerror = () => {
      this.isLoading = false;
      setTimeout(() => this.ask(false), 1000);
    };
    next.src = address;
  }
}

// The lines of each cut show where the other two are.
function place() {
  const { columns, slices } = report.volume;
  const share = (axis, count) => `${((cuts[axis].index + 0.5) / count) * 100}%`;
  const at = { z: share("z", slices), y: share("y", columns), x: share("x", columns) };
  for (const [axis, across, down] of [["z", "y", "x"], ["x", "y", "z"], ["y", "z", "x"]]) {
    const frame = cuts[axis].frame;
    frame.style.setProperty("--across", at[across]);
    frame.style.setProperty("--down", at[down]);
    const text = String(cuts[axis].index);
    byId("caption-" + axis).textContent = text;
    byId("value-" + axis).textContent = text;
  }
}

function askAll(isUrgent) { for (const axis of axes) cuts[axis].ask(isUrgent); }

// A click on a cut moves the other two there.
function pointing(axis, across, down) {
  const frame = cuts[axis].frame;
  const move = (event) => {
    if (event.buttons !== 1 || !report || !report.volume) return;
    const box = frame.getBoundingClientRect();
    const set = (name, share) => {
      const slider = cuts[name].slider;
      slider.value = Math.floor(Math.min(0.9999, Math.max(0, share)) * (Number(slider.max) + 1));
    };
    set(across, (event.clientY - box.top) / box.height);
    set(down, (event.clientX - box.left) / box.width);
    place();
    askAll(true);
  };
  frame.addEventListener("pointerdown", (event) => { frame.setPointerCapture(event.pointerId); move(event); });
  frame.addEventListener("pointermove", move);
}

function showVolume(volume) {
  const first = byId("controls").hidden;
  if (first) {
    for (const axis of axes) {
      const slider = cuts[axis].slider;
      slider.max = (axis === "z" ? volume.slices : volume.columns) - 1;
      slider.value = Math.floor((axis === "z" ? volume.slices : volume.columns) / 2);
      slider.disabled = slider.max === "0";
    }
    // A flat volume is drawn deeper than it is, so that its cuts can be seen.
    const depth = Math.min(1, Math.max(0.16, volume.slices / volume.columns));
    const style = byId("cuts").style;
    style.setProperty("--w", 1 / (1 + depth));
    style.setProperty("--d", depth / (1 + depth));
    style.setProperty("--depth-over-edge", depth);
    style.setProperty("--edge-over-depth", 1 / depth);
    byId("controls").hidden = false;
    byId("cuts").classList.add("live");
    place();
  }
  if (volume.window && windowing.automatic) {
    const { low, high } = volume.window;
    Object.assign(windowing, { low, high, domain: [low - (high - low), high + (high - low)] });
    showWindow();
  }
  byId("generation").textContent = generationText(volume);
  byId("denoised-control").hidden = typeof volume.denoised !== "number";
  byId("denoised-text").textContent = `${volume.denoised} of ${volume.slices} slices`;
  askAll(false);
  showBeside(volume);
}

// The slice z as a live stage denoises it, beside the one that it was made from. What is there stays until the next one
// is complete.
function showBeside(volume) {
  const generation = volume.denoisedGeneration ?? 0;
  byId("beside").hidden = generation === 0;
  if (generation === 0 || besideIsLoading || isOver) return;
  const levels = windowing.automatic ? "" : `&low=${windowing.low}&high=${windowing.high}`;
  const address = `slices/z/${cuts.z.index}.png?edge=512&of=denoised${levels}&version=${generation}`;
  const image = byId("picture-denoised");
  if (image.getAttribute("src") === address) return;
  const next = new Image();
  besideIsLoading = true;
  next.onload = () => {
    image.src = address;
    byId("beside-text").textContent = `${cuts.z.index}, generation ${generation}`;
    setTimeout(() => { besideIsLoading = false; }, report.pace.pictures);
  };
  next.onerror = () => { setTimeout(() => { besideIsLoading = false; }, 1000); };
  next.src = address;
}

const generationText = (volume) =>
  `${volume.columns} × ${volume.columns} × ${volume.slices}, generation ${volume.generations.join(", ")}`;

function showWindow() {
  const [from, to] = windowing.domain;
  for (const name of ["low", "high"]) {
    const slider = byId("slider-" + name);
    if (document.activeElement !== slider || windowing.automatic)
      slider.value = ((windowing[name] - from) / (to - from)) * 1000;
    const text = Number(windowing[name].toPrecision(3)).toString();
    byId("value-" + name).textContent = text;
    slider.setAttribute("aria-valuetext", `${text} per pixel`);
  }
}

function moveWindow(name) {
  if (!windowing.domain) return;
  const [from, to] = windowing.domain;
  const value = from + (Number(byId("slider-" + name).value) / 1000) * (to - from);
  const gap = (to - from) / 1000;
  windowing.automatic = false;
  byId("auto").checked = false;
  if (name === "low") windowing.low = Math.min(value, windowing.high - gap);
  else windowing.high = Math.max(value, windowing.low + gap);
  showWindow();
  askAll(true);
}

// ---- Figures ----

const quiet = new Set(["0", "–", "at the end", "0, 0", "0, 0, 0"]);
const alarming = new Set([
  "lost", "source-lost", "source-other", "source-empty", "dropped", "spilled", "room", "restarts", "hangs",
]);

function showFigures(figures) {
  for (const figure of figures) {
    const cell = byId("figure-" + figure.id);
    if (!cell) continue;
    if (cell.textContent !== figure.text) cell.textContent = figure.text;
    cell.classList.toggle("alarm", alarming.has(figure.id) && !quiet.has(figure.text));
  }
}

function showRows(table, rows) {
  const body = byId(table).tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, number) => {
    let row = body.rows[number];
    if (!row) {
      row = body.insertRow();
      cells.forEach((_, column) => {
        const cell = document.createElement(column === 0 ? "th" : "td");
        if (column === 0) cell.scope = "row";
        row.append(cell);
      });
    }
    cells.forEach((text, column) => {
      if (row.cells[column].textContent !== String(text)) row.cells[column].textContent = text;
    });
  });
}

function showList(id, texts) {
  const list = byId(id);
  if (list.children.length === texts.length
    && [...list.children].every((item, n) => item.textContent === texts[n])) return;
  list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

// ---- Drawings ----

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const oneDecimal = (value) => value.toFixed(value >= 100 ? 0 : 1);

const kindOf = (name) => name.split(".")[0];

// Stages from left to right: each one column behind the stages whose events it works on. In a column the last kind of
// stage stands on top, so that what goes back to the beginning leaves below.
function pipelineColumns() {
  const writers = (name) => report.rings.filter((ring) => ring.followers.includes(name)).map((ring) => ring.writer);
  const depths = {};
  const depthOf = (name) => {
    if (depths[name] === undefined) {
      // A circle would be a mistake in the wiring; it must not hang the page.
      depths[name] = 0;
      depths[name] = Math.max(0, ...writers(name).map((writer) => depthOf(writer) + 1));
    }
    return depths[name];
  };
  const columns = [];
  for (const stage of report.stages) (columns[depthOf(stage.name)] ||= []).push(stage);
  const kinds = [...new Set(report.stages.map((stage) => kindOf(stage.name)))].reverse();
  return columns.filter((stages) => stages)
    .map((stages) => kinds.flatMap((kind) => stages.filter((stage) => kindOf(stage.name) === kind)));
}

function drawPipeline() {
  const [width, height, columnStep, rowStep, top] = [138, 54, 226, 74, 8];
  const columns = pipelineColumns();
  const rows = Math.max(1, ...columns.map((stages) => stages.length));
  const places = {};
  const svg = byId("pipeline");
  const parts = [];
  const total = rows * rowStep + top;
  columns.forEach((stages, column) => stages.forEach((stage, row) => {
    const y = top + ((rows - stages.length) / 2 + row) * rowStep;
    places[stage.name] = { x: column * columnStep + 2, y, width, height };
  }));
  for (const ring of report.rings) drawRing(parts, ring, places, total);
  for (const stage of columns.flat()) drawStage(parts, stage, places[stage.name], width, height);
  const hasCommands = report.rings.some((ring) =>
    ring.readers.some((reader) => places[reader].x < places[ring.writer].x));
  svg.setAttribute("viewBox", `0 0 ${(columns.length - 1) * columnStep + width + 4} ${total + (hasCommands ? 30 : 0)}`);
  svg.replaceChildren(...parts);
}

function drawRing(parts, ring, places, total) {
  const from = places[ring.writer];
  // Those that come first; who reads a topic further down is told of its events by them.
  const column = places[ring.readers[0]]?.x;
  const readers = ring.readers.map((name) => places[name]).filter((place) => place && place.x === column);
  if (!from || readers.length === 0) return;
  const arrow = (path, x, y) => {
    parts.push(element("path", { class: "flow", d: path }));
    parts.push(element("path", { class: "tip", d: `M${x - 7} ${y - 4} v8 l7 -4 z` }));
  };
  const to = readers[0];
  let label;
  if (to.x < from.x) {
    // Back to the beginning, below everything.
    const bottom = total + 12;
    const [x1, x2] = [from.x + from.width / 2, to.x + to.width / 2];
    parts.push(element("path", {
      class: "flow", d: `M${x1} ${from.y + from.height} V${bottom} H${x2} V${to.y + to.height + 6}`,
    }));
    parts.push(element("path", { class: "tip", d: `M${x2 - 4} ${to.y + to.height + 7} h8 l-4 -7 z` }));
    label = { x: (x1 + x2) / 2, y: bottom };
  } else if (to.x === from.x) {
    // Up to the stage above; there is no room for figures, which the table has.
    const x = from.x + from.width / 2;
    parts.push(element("path", { class: "flow", d: `M${x} ${from.y} V${to.y + to.height + 6}` }));
    parts.push(element("path", { class: "tip", d: `M${x - 4} ${to.y + to.height + 7} h8 l-4 -7 z` }));
    return;
  } else {
    // Fan-out turns beside its beginning and fan-in beside its end, so that each ring has a straight piece of its own
    // for its figures.
    const isFanOut = ring.topic.includes(".") && !ring.writer.includes(".");
    const isFanIn = ring.writer.includes(".");
    const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
    for (const reader of readers) {
      const [x2, y2] = [reader.x, reader.y + reader.height / 2];
      const turn = isFanOut ? x1 + 10 : x2 - 15;
      arrow(y1 === y2 ? `M${x1} ${y1} H${x2 - 6}` : `M${x1} ${y1} H${turn} V${y2} H${x2 - 6}`, x2, y2);
    }
    label = { x: (x1 + to.x) / 2 + (isFanOut ? 3 : isFanIn ? -9 : 0), y: isFanOut ? to.y + to.height / 2 : y1 };
  }
  const fill = Math.min(1, ring.waiting / Math.max(1, ring.slots));
  const bar = { x: label.x - 25, y: label.y - 4, width: 50, height: 8, rx: 2 };
  parts.push(element("rect", { ...bar, class: "track" }));
  const style = fill >= 1 || ring.spilled > 0 ? "fill alarm" : "fill";
  if (fill > 0) parts.push(element("rect", { ...bar, width: Math.max(2, 50 * fill), class: style }));
  parts.push(element("text", { x: label.x, y: label.y - 9, "text-anchor": "middle" }, ring.topic));
  parts.push(element(
    "text", { x: label.x, y: label.y + 16, "text-anchor": "middle", class: "faint" },
    `${ring.waiting} of ${ring.slots}`));
}

function drawStage(parts, stage, at, width, height) {
  const isAlarming = stage.restarts > 0 || ["moved", "aside", "missing"].includes(stage.state);
  parts.push(element("rect", {
    x: at.x, y: at.y, width, height, rx: 5, class: `box ${stage.state}${isAlarming ? " alarm" : ""}`,
  }));
  parts.push(element("circle", { cx: at.x + 12, cy: at.y + 15, r: 4, class: `dot ${stage.state}` }));
  parts.push(element("text", { x: at.x + 22, y: at.y + 19, class: "name" }, stage.name));
  parts.push(element(
    "text", { x: at.x + 10, y: at.y + 34, class: "faint" },
    ["runs", "moved"].includes(stage.state) ? `${oneDecimal(stage.rate)} events/s` : stage.state));
  const restarts = stage.restarts > 0 ? `, started again ${stage.restarts}×` : "";
  parts.push(element("text", { x: at.x + 10, y: at.y + 47, class: "faint" }, `lag ${stage.lag}${restarts}`));
}

async function showCurves() {
  if (report.curves === curveVersion) return;
  const version = report.curves;
  curveVersion = version;
  try {
    const answer = await fetch("api/curves");
    if (!answer.ok) return;
    const curves = await answer.json();
    drawCurves(curves);
    drawSimilarity(curves);
    drawStages(curves.stages || []);
  } catch { curveVersion = -1; }
}

// Windows to the left of the mark and final iterations to its right, the residual on a logarithmic scale.
function drawCurves(curves) {
  const lines = ["window", "final"]
    .map((name) => ({ name, ...(curves[name] || { indices: [], residuals: [] }) }))
    .filter((line) => line.indices.length > 0);
  const values = lines.flatMap((line) => line.residuals).filter((value) => value > 0);
  if (values.length === 0) return;
  const [left, right, top, bottom] = [40, 330, 10, 158];
  // The first updates, from a volume of zeros, are off the scale once there are others: they say nothing and would
  // press the rest flat.
  const counted = values.length > 20
    ? lines.flatMap((line, number) => line.residuals.slice(number === 0 ? 5 : 0)).filter((value) => value > 0)
    : values;
  const [low, high] = [Math.min(...counted), Math.max(...counted)];
  // Whole steps of a third of a decade, so that a small change can be seen, too.
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** power);
  const first = Math.max(0, ticks.findLastIndex((tick) => tick <= low));
  const last = ticks.findIndex((tick) => tick >= high);
  const shown = ticks.slice(first, Math.max(last, first + 1) + 1);
  const [base, span] = [Math.log10(shown[0]), Math.log10(shown[shown.length - 1] / shown[0])];
  const y = (value) =>
    bottom
    - ((Math.log10(Math.min(Math.max(value, shown[0]), shown[shown.length - 1])) - base) / span) * (bottom - top);
  const counts = lines.map((line) => line.indices[line.indices.length - 1] + 1);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const x = (place) => left + (place / Math.max(1, all - 1)) * (right - left);
  const parts = [];
  const step = Math.ceil(shown.length / 7);
  shown.forEach((tick, number) => {
    if (number % step !== 0) return;
    parts.push(element("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), class: "grid" }));
    parts.push(element(
      "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "faint" },
      `${Number((tick * 100).toPrecision(2))} %`));
  });
  let offset = 0;
  lines.forEach((line, number) => {
    drawLine(parts, line.name, line.indices.map((index, n) => [x(offset + index), y(line.residuals[n])]));
    const title = line.name === "window" ? "windows" : "final iterations";
    const middle = x(offset + counts[number] / 2);
    parts.push(element(
      "text",
      { x: Math.min(right - 40, Math.max(left + 28, middle)), y: bottom + 20, "text-anchor": "middle", class: "faint" },
      `${title}, ${counts[number]}`));
    offset += counts[number];
    if (number + 1 < lines.length)
      parts.push(element("line", { x1: x(offset - 0.5), x2: x(offset - 0.5), y1: top, y2: bottom, class: "grid" }));
  });
  byId("curve").replaceChildren(...parts);
  const latest = lines[lines.length - 1].residuals;
  byId("curve-text").textContent = `‖b − A x‖ / ‖b‖, now ${(latest[latest.length - 1] * 100).toFixed(2)} %`;
  byId("curve-section").hidden = false;
}

// A curve with a mark at its newest point.
function drawLine(parts, name, points) {
  parts.push(element("polyline", {
    class: name, points: points.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" "),
  }));
  const [x, y] = points[points.length - 1];
  parts.push(element("circle", { class: `mark ${name}`, cx: x, cy: y, r: 3 }));
}

// MS-SSIM over projections, up to 1 for equal slices, and the value that ends the scan from where on it does.
function drawSimilarity(curves) {
  const kinds = [["similarity", "window", "to some updates before"], ["truth", "final", "to the reference"]];
  const lines = kinds
    .map(([key, name, words]) => ({ name, words, ...(curves[key] || {}) }))
    .filter((line) => line.scores && line.scores.length > 0);
  if (lines.length === 0) return;
  const goal = curves.similarityMin;
  const [left, right, top, bottom] = [40, 330, 10, 122];
  const lowest = Math.min(...lines.flatMap((line) => line.scores), goal ?? 1);
  const step = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((step) => (1 - lowest) / step <= 5) || 0.5;
  const low = Math.max(0, 1 - step * Math.max(1, Math.ceil((1 - lowest) / step - 1e-9)));
  const all = Math.max(
    report.status.projections, ...lines.map((line) => line.projections[line.projections.length - 1]));
  const x = (projections) => left + (projections / all) * (right - left);
  const y = (score) => bottom - ((Math.min(score, 1) - low) / (1 - low)) * (bottom - top);
  const parts = [];
  for (let tick = 1; tick > low - step / 2; tick -= step) {
    parts.push(element("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), class: "grid" }));
    parts.push(element(
      "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "faint" },
      String(Number(tick.toFixed(3)))));
  }
  if (goal !== null && goal !== undefined) {
    const from = Math.min(curves.projectionsMin, all);
    parts.push(element("line", { id: "goal", x1: x(from), x2: right, y1: y(goal), y2: y(goal), class: "goal" }));
  }
  for (const line of lines)
    drawLine(parts, line.name, line.projections.map((projections, n) => [x(projections), y(line.scores[n])]));
  parts.push(element("text", { x: left, y: bottom + 18, "text-anchor": "middle", class: "faint" }, "0"));
  parts.push(element("text", { x: right, y: bottom + 18, "text-anchor": "end", class: "faint" }, `${all} projections`));
  // What each line is, where there is more than one.
  if (lines.length > 1) lines.forEach((line, number) => {
    const at = left + number * 150;
    parts.push(element("circle", { class: `mark ${line.name}`, cx: at + 4, cy: bottom + 36, r: 3 }));
    parts.push(element("text", { x: at + 12, y: bottom + 40, class: "faint" }, line.words));
  });
  byId("similarity").setAttribute("viewBox", `0 0 340 ${lines.length > 1 ? 166 : 146}`);
  byId("similarity").replaceChildren(...parts);
  const latest = lines.map((line) => `${line.words} ${line.scores[line.scores.length - 1].toFixed(4)}`);
  byId("similarity-text").textContent = `MS-SSIM ${latest.join(", ")}${goal ? `; ends the scan at ${goal}` : ""}`;
  byId("similarity-section").hidden = false;
}

// A small curve for each figure that a stage beside the run says, over projections, with its lowest and highest value.
function drawStages(lines) {
  if (lines.length === 0) return;
  const [left, right, top, bottom] = [150, 330, 8, 46];
  const drawings = lines.slice(0, 24).map((line) => {
    const [low, high] = [Math.min(...line.values), Math.max(...line.values)];
    const all = Math.max(report.status.projections, line.projections[line.projections.length - 1], 1);
    const x = (projections) => left + (projections / all) * (right - left);
    const y = (value) => (high > low ? bottom - ((value - low) / (high - low)) * (bottom - top) : (bottom + top) / 2);
    const text = (value) => String(Number(value.toPrecision(4)));
    const now = text(line.values[line.values.length - 1]);
    const parts = [
      element("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "grid" }),
      element("text", { x: 0, y: 16 }, `${line.stage} ${line.name}`),
      element("text", { x: 0, y: 32 }, now),
      element("text", { x: 0, y: 47, class: "faint" }, `${text(low)} … ${text(high)}`),
    ];
    drawLine(parts, "window", line.projections.map((projections, n) => [x(projections), y(line.values[n])]));
    const drawing = element("svg", {
      viewBox: "0 0 340 56", role: "img", "aria-label": `${line.name} of ${line.stage}, now ${now}`,
    });
    drawing.replaceChildren(...parts);
    return drawing;
  });
  byId("stage-curves").replaceChildren(...drawings);
  byId("stage-section").hidden = false;
}

// ---- The whole ----

function show(next) {
  report = next;
  const state = byId("state");
  if (state.textContent !== report.state) state.textContent = report.state;
  state.dataset.state = report.state;
  document.title = `Slipring ${report.run.slice(0, 8)}: ${report.state}`;
  byId("fraction").value = report.fraction;
  byId("headline").textContent = report.headline;
  showFigures(report.progress.concat(report.ledger));
  showRows("stages", report.stages.map((stage) => [
    stage.name, stage.state, oneDecimal(stage.rate), stage.lag, stage.cursor, stage.restarts, stage.hangs, stage.pid]));
  showRows("rings", report.rings.map((ring) => [
    ring.topic, `${oneDecimal((Math.min(ring.waiting, ring.slots) / ring.slots) * 100)} %`, ring.waiting, ring.slots,
    ring.published, ring.spilled]));
  if (report.stages.length > 0) {
    byId("pipeline-frame").hidden = false;
    drawPipeline();
  }
  if (report.volume) showVolume(report.volume);
  showCurves();
  showList("notices", report.notices);
  byId("notices-section").hidden = report.notices.length === 0;
  if (report.ending) showEnding(report.ending);
}

function showEnding(ending) {
  byId("ending").hidden = false;
  byId("ending-text").textContent = ending.text;
  showList("outputs", ending.outputs);
  for (const button of document.querySelectorAll("#actions button")) button.disabled = true;
}

async function request(form) {
  const path = new URL(form.action).pathname;
  const words = form.querySelector("button").textContent;
  const dialog = byId("confirm");
  byId("confirm-title").textContent = `${words} this run?`;
  byId("confirm-text").textContent = form.dataset.explanation;
  byId("confirm-yes").textContent = words;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "yes") return;
  const answer = await fetch(path, { method: "POST", headers: { "X-Slipring-Token": form.elements.token.value } });
  byId("state").textContent = answer.ok ? `${words.toLowerCase()}: asked` : (await answer.text()).trim();
}

// Once the run has ended and its last pictures are here.
function endIfComplete() {
  if (isOver || !report.ending) return;
  if (!report.volume || axes.every((axis) => cuts[axis].shown === cuts[axis].wanted)) end();
}

function end() {
  source.close();
  isOver = true;
  if (!report.volume) return;
  for (const slider of document.querySelectorAll("#controls input")) slider.disabled = true;
  byId("generation").textContent = generationText(report.volume) + ": the last";
}

function follow() {
  source = new EventSource("api/events");
  source.onmessage = (event) => {
    byId("link-lost").hidden = true;
    show(JSON.parse(event.data));
    // The process ends soon, and waits a moment for those who follow: the last pictures are fetched now.
    if (report.ending) {
      askAll(true);
      endIfComplete();
    }
  };
  source.onerror = () => {
    if (report && report.ending) end();
    else byId("link-lost").hidden = false;
  };
}

for (const axis of axes) cuts[axis] = new Cut(axis);
pointing("z", "y", "x");
pointing("x", "y", "z");
pointing("y", "z", "x");
for (const name of ["low", "high"]) byId("slider-" + name).addEventListener("input", () => moveWindow(name));
byId("auto").addEventListener("change", (event) => {
  windowing.automatic = event.target.checked;
  if (report && report.volume) { showVolume(report.volume); askAll(true); }
});
byId("denoised").addEventListener("change", () => askAll(true));
for (const form of document.querySelectorAll("#actions form"))
  form.addEventListener("submit", (event) => { event.preventDefault(); request(form); });
window.addEventListener("resize", () => askAll(false));
follow();
