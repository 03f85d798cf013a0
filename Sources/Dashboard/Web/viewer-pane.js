// One volume on the screen: its picture, what is drawn over it, and what pointers and keys do to it. Panes side by side
// share one view, so that they show the same place.

import { TileStore, picture } from "./viewer-tiles.js";
import { VolumeView } from "./viewer-volume.js";

// Pixels of the screen a voxel has from which on its value is written into it.
const numbersFrom = 44;
const [scaleMin, scaleMax] = [0.01, 400];

export class Pane {
  // owner is told of what a person does: changed(), cursor(x, y), measure(), step(count); and say(text) of what fails.
  constructor(box, base, info, view, owner) {
    Object.assign(this, { box, base, info, view, owner, stats: null, pointers: new Map(), asked: false });
    const canvas = (name) => box.appendChild(Object.assign(document.createElement("canvas"), { className: name }));
    this.canvas = canvas("picture");
    this.scene = canvas("scene");
    this.over = canvas("over");
    this.over.tabIndex = 0;
    this.over.setAttribute("role", "application");
    this.over.setAttribute("aria-label", `${info.name}: arrows move, plus and minus zoom, Page Up and Down turn pages`);
    this.caption = box.appendChild(Object.assign(document.createElement("figcaption"), { textContent: info.name }));
    this.store = new TileStore(base, () => this.draw(), () => owner.refresh(), (text) => owner.say(text));
    this.volume = new VolumeView(this.scene, () => this.draw());
    for (const [kind, act] of [
      ["pointerdown", this.press], ["pointermove", this.move], ["pointerup", this.release],
      ["pointercancel", this.release], ["wheel", this.wheel], ["keydown", this.key],
    ]) this.over.addEventListener(kind, act.bind(this), { passive: false });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  // Goes over to another volume of the same place, as the file of a run that has ended.
  become(base, info) {
    Object.assign(this, { base, info });
    this.store.base = base;
    this.caption.textContent = info.name;
  }

  get cuts() { return this.info.cuts.find((cuts) => cuts.axis === this.view.axis) || this.info.cuts[0]; }
  get isFlat() { return this.view.mode === "slice"; }

  // Numbers of the plane that is looked at.
  showStats(stats, plane) {
    this.stats = stats;
    this.store.show(plane, stats.version);
    this.draw();
  }

  // At most once a frame.
  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.paint(); });
  }

  fit() {
    const { columns, rows } = this.cuts;
    const scale = Math.min(this.canvas.width / columns, this.canvas.height / rows) * 0.96;
    Object.assign(this.view, { isFitted: true, x: columns / 2, y: rows / 2, scale });
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.over]) {
      const [width, height] = [this.box.clientWidth, this.box.clientHeight].map((size) => Math.round(size * ratio));
      if (canvas.width === width && canvas.height === height) continue;
      Object.assign(canvas, { width, height });
      if (this.view.isFitted && this.view.scale) this.fit();
    }
    if (this.canvas.width === 0 || this.canvas.height === 0) return;
    if (!this.view.scale) this.fit();
    this.canvas.hidden = !this.isFlat;
    this.scene.hidden = this.isFlat;
    if (this.isFlat) this.paintTiles(); else this.volume.paint(this.view, this.box, this.look);
    this.paintOver();
  }

  get look() { return this.view.look; }

  paintTiles() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const { x, y, scale } = this.view;
    const { columns, rows, levels } = this.cuts;
    const edge = this.info.tile;
    // Until the first figures of another direction have come, the old picture stays.
    if (this.store.plane?.[0] !== this.view.axis) return;
    context.clearRect(0, 0, width, height);
    const finest = Math.max(0, Math.min(levels - 1, Math.floor(Math.log2(1 / scale) + 0.01)));
    const [left, top] = [x - width / 2 / scale, y - height / 2 / scale];
    // Coarse ones first: they stand where finer ones have not come yet.
    for (let level = levels - 1; level >= finest; level--) {
      const size = edge * 2 ** level;
      const last = (count, end) => Math.min(Math.ceil(count / size) - 1, Math.floor(end / size));
      context.imageSmoothingEnabled = scale * 2 ** level < 1;
      for (let row = Math.max(0, Math.floor(top / size)); row <= last(rows, top + height / scale); row++) {
        const end = last(columns, left + width / scale);
        for (let column = Math.max(0, Math.floor(left / size)); column <= end; column++) {
          const tile = this.store.find(level, row, column, level === finest || level === levels - 1);
          if (!tile) continue;
          const place = (voxel, middle, length) => Math.round((voxel - middle) * scale + length / 2);
          const [x0, y0] = [place(column * size, x, width), place(row * size, y, height)];
          const x1 = place(Math.min(columns, column * size + tile.columns * 2 ** level), x, width);
          const y1 = place(Math.min(rows, row * size + tile.rows * 2 ** level), y, height);
          context.drawImage(picture(tile, this.look), x0, y0, x1 - x0, y1 - y0);
        }
      }
    }
    this.store.fetchWanted();
  }

  // ---- Over the picture ----

  paintOver() {
    const context = this.over.getContext("2d");
    const { width, height } = this.over;
    const ratio = window.devicePixelRatio || 1;
    context.clearRect(0, 0, width, height);
    if (!this.isFlat) return;
    const at = (x, y) => [(x - this.view.x) * this.view.scale + width / 2,
      (y - this.view.y) * this.view.scale + height / 2];
    this.paintScaleBar(context, ratio, width, height);
    if (this.view.scale >= numbersFrom * ratio) this.paintNumbers(context, ratio, at);
    const { region, line } = this.view;
    const stroke = (draw) => {
      for (const [style, breadth] of [["#000a", 3], ["#ffb000", 1.5]]) {
        Object.assign(context, { strokeStyle: style, lineWidth: breadth * ratio });
        context.beginPath();
        draw();
        context.stroke();
      }
    };
    if (region) stroke(() => {
      const [[x0, y0], [x1, y1]] = [at(region.x0, region.y0), at(region.x1, region.y1)];
      context.rect(x0, y0, x1 - x0, y1 - y0);
    });
    if (line) stroke(() => {
      context.moveTo(...at(line.x0 + 0.5, line.y0 + 0.5));
      context.lineTo(...at(line.x1 + 0.5, line.y1 + 0.5));
    });
  }

  // White with a dark rim, so that it can be read on any picture.
  paintScaleBar(context, ratio, width, height) {
    const voxel = this.info.voxel;
    const longest = width / 4 / this.view.scale * (voxel || 1);
    const power = 10 ** Math.floor(Math.log10(longest));
    const length = [5, 2, 1].find((digit) => digit * power <= longest) * power;
    const pixels = length / (voxel || 1) * this.view.scale;
    const short = (number) => Number(number.toPrecision(3));
    const text = !voxel ? `${short(length)} px` : length >= 0.1 ? `${short(length)} mm` : `${short(length * 1000)} µm`;
    const [x, y] = [16 * ratio, height - 20 * ratio];
    Object.assign(context, {
      font: `600 ${13 * ratio}px system-ui, sans-serif`, lineJoin: "round", lineWidth: 3 * ratio, strokeStyle: "#000b",
      fillStyle: "#fff", textAlign: "start", textBaseline: "alphabetic",
    });
    context.strokeRect(x, y, pixels, 4 * ratio);
    context.fillRect(x, y, pixels, 4 * ratio);
    context.strokeText(text, x, y - 7 * ratio);
    context.fillText(text, x, y - 7 * ratio);
    this.scaleText = text;
  }

  paintNumbers(context, ratio, at) {
    const { x, y, scale } = this.view;
    const { columns, rows } = this.cuts;
    const [across, down] = [this.over.width / 2 / scale, this.over.height / 2 / scale];
    Object.assign(context, {
      font: `${11 * ratio}px system-ui, sans-serif`, textAlign: "center", textBaseline: "middle", lineWidth: 3 * ratio,
      strokeStyle: "#000b", fillStyle: "#fff", lineJoin: "round",
    });
    for (let row = Math.max(0, Math.floor(y - down)); row < Math.min(rows, y + down); row++) {
      for (let column = Math.max(0, Math.floor(x - across)); column < Math.min(columns, x + across); column++) {
        const value = this.store.value(column, row, this.info.tile);
        if (value === undefined) continue;
        const text = value.toPrecision(scale > 80 * ratio ? 6 : 3);
        context.strokeText(text, ...at(column + 0.5, row + 0.5));
        context.fillText(text, ...at(column + 0.5, row + 0.5));
      }
    }
  }

  // ---- Pointers and keys ----

  voxel(event) {
    const ratio = window.devicePixelRatio || 1;
    const box = this.over.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return [((event.clientX - box.left) * ratio - this.over.width / 2) / scale + x,
      ((event.clientY - box.top) * ratio - this.over.height / 2) / scale + y];
  }

  zoom(factor, [x, y] = [this.view.x, this.view.y]) {
    const { view } = this;
    if (!this.isFlat) {
      view.distance = Math.min(4, Math.max(0.1, view.distance / factor));
      return this.owner.moved();
    }
    const scale = Math.min(scaleMax, Math.max(scaleMin, view.scale * factor));
    const share = view.scale / scale;
    Object.assign(view, { isFitted: false, scale, x: x + (view.x - x) * share, y: y + (view.y - y) * share });
    this.owner.changed();
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(2 ** (-event.deltaY * lines / 240), this.voxel(event));
  }

  press(event) {
    this.over.setPointerCapture(event.pointerId);
    this.over.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, event);
    const tool = event.shiftKey ? "region" : event.altKey ? "line" : this.view.tool;
    this.action = this.isFlat ? tool : "turn";
    this.start = this.voxel(event);
    if (this.pointers.size > 1) this.action = "pinch";
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!this.view.scale) return undefined;
    if (!before) return this.isFlat ? this.owner.cursor(this.voxel(event)) : undefined;
    const { view } = this;
    const ratio = window.devicePixelRatio || 1;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (this.action === "pinch") return this.pinch(event);
    this.pointers.set(event.pointerId, event);
    if (this.action === "turn") {
      view.turn[0] -= dx / 150;
      view.turn[1] = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.turn[1] + dy / 150));
      return this.owner.moved();
    }
    if (this.action === "pan") Object.assign(view, {
      isFitted: false, x: view.x - dx * ratio / view.scale, y: view.y - dy * ratio / view.scale,
    });
    else this.draft(this.voxel(event));
    this.owner.changed();
  }

  // A region of whole voxels, or a line between two of them, inside the plane.
  draft([x, y]) {
    const { columns, rows } = this.cuts;
    const inside = (value, count) => Math.min(count, Math.max(0, value));
    const [[x0, y0], { view }] = [this.start, this];
    if (this.action === "region") view.region = {
      x0: inside(Math.floor(Math.min(x0, x)), columns), y0: inside(Math.floor(Math.min(y0, y)), rows),
      x1: inside(Math.ceil(Math.max(x0, x)), columns), y1: inside(Math.ceil(Math.max(y0, y)), rows),
    };
    else view.line = {
      x0: inside(Math.floor(x0), columns - 1), y0: inside(Math.floor(y0), rows - 1),
      x1: inside(Math.floor(x), columns - 1), y1: inside(Math.floor(y), rows - 1),
    };
  }

  // Two fingers: their distance zooms, their middle moves.
  pinch(event) {
    const look = () => {
      const [a, b] = [...this.pointers.values()];
      const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
      return { middle, distance: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) };
    };
    const before = look();
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size < 2) return;
    const after = look();
    const ratio = window.devicePixelRatio || 1;
    if (this.isFlat) {
      this.view.x -= (after.middle.clientX - before.middle.clientX) * ratio / this.view.scale;
      this.view.y -= (after.middle.clientY - before.middle.clientY) * ratio / this.view.scale;
    }
    this.zoom(after.distance / before.distance, this.voxel(after.middle));
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (this.action === "region" || this.action === "line") this.owner.measure();
    if (this.pointers.size === 0) this.action = null;
  }

  key(event) {
    const step = 0.1 * Math.min(this.over.width, this.over.height) / this.view.scale;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const ratio = window.devicePixelRatio || 1;
    const move = moves[event.key];
    if (move && this.isFlat) {
      Object.assign(this.view, {
        isFitted: false, x: this.view.x + move[0] * step, y: this.view.y + move[1] * step,
      });
    } else if (move) {
      this.view.turn[0] -= move[0] * 0.1;
      this.view.turn[1] = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, this.view.turn[1] + move[1] * 0.1));
      this.owner.moved();
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") Object.assign(this.view, { isFitted: false, scale: ratio });
    else if (event.key === "PageUp") this.owner.step(-1);
    else if (event.key === "PageDown") this.owner.step(1);
    else return;
    event.preventDefault();
    this.owner.changed();
  }
}
