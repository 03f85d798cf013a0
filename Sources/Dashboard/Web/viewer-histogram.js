// The histogram of a cut with its window, and the values along a line.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  return { context: canvas.getContext("2d"), width: canvas.width, height: canvas.height, ratio };
}

export class Histogram {
  // moved gets a window that a person has dragged.
  constructor(canvas, moved) {
    Object.assign(this, { canvas, moved, stats: null, range: [0, 1] });
    canvas.addEventListener("pointerdown", (event) => this.drag(event));
  }

  show(stats, range) {
    Object.assign(this, { stats, range });
    this.draw();
  }

  // The part of the values that is drawn: nearly all of them, and the window.
  get span() {
    const { percentiles, percents, low, high } = this.stats;
    const [first, last] = [percentiles[0], percentiles[percents.length - 1]];
    const rim = (last - first) * 0.6;
    const from = Math.max(low, Math.min(first - rim, this.range[0]));
    const to = Math.min(high, Math.max(last + rim, this.range[1]));
    return from < to ? [from, to] : [low - 0.5, low + 0.5];
  }

  draw() {
    if (!this.stats || this.canvas.clientWidth === 0) return;
    const { context, width, height, ratio } = begin(this.canvas);
    const { counts, low, high } = this.stats;
    const [from, to] = this.span;
    const bars = Math.max(8, Math.floor(width / (2 * ratio)));
    const heights = new Float64Array(bars);
    counts.forEach((count, bin) => {
      const value = low + ((bin + 0.5) / counts.length) * (high - low);
      const bar = Math.floor(((value - from) / (to - from)) * bars);
      if (bar >= 0 && bar < bars) heights[bar] = Math.max(heights[bar], count);
    });
    const top = Math.log1p(Math.max(1, ...heights));
    const x = (value) => ((value - from) / (to - from)) * width;
    context.fillStyle = css("--faint");
    heights.forEach((count, bar) => {
      const size = (Math.log1p(count) / top) * (height - 4 * ratio);
      context.fillRect((bar / bars) * width, height - size, (width / bars) * 0.8, size);
    });
    context.fillStyle = css("--accent");
    context.globalAlpha = 0.18;
    context.fillRect(x(this.range[0]), 0, x(this.range[1]) - x(this.range[0]), height);
    context.globalAlpha = 1;
    for (const end of this.range)
      context.fillRect(Math.min(width - 2 * ratio, Math.max(0, x(end) - ratio)), 0, 2 * ratio, height);
  }

  drag(event) {
    if (!this.stats) return;
    const [from, to] = this.span;
    const value = (event) => from + (event.offsetX / this.canvas.clientWidth) * (to - from);
    const end = Math.abs(value(event) - this.range[0]) < Math.abs(value(event) - this.range[1]) ? 0 : 1;
    this.canvas.setPointerCapture(event.pointerId);
    const move = (event) => {
      const range = [...this.range];
      range[end] = value(event);
      if (range[0] < range[1]) this.moved(range);
    };
    this.canvas.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(kind, () => this.canvas.removeEventListener("pointermove", move), { once: true });
    move(event);
  }
}

// A curve for each line of values; those that are no numbers are left out.
export function drawProfile(canvas, lines) {
  const { context, width, height, ratio } = begin(canvas);
  const all = lines.flat().filter((value) => value !== null);
  if (all.length === 0) return;
  const [low, high] = all.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity]);
  context.lineWidth = 1.4 * ratio;
  lines.forEach((values, number) => {
    context.strokeStyle = css(number === 0 ? "--accent" : "--faint");
    context.beginPath();
    let isDown = false;
    values.forEach((value, place) => {
      if (value === null) { isDown = false; return; }
      const x = (place / Math.max(1, values.length - 1)) * width;
      const y = height - 3 * ratio - ((value - low) / (high - low || 1)) * (height - 6 * ratio);
      if (isDown) context.lineTo(x, y); else context.moveTo(x, y);
      isDown = true;
    });
    context.stroke();
  });
  context.fillStyle = css("--faint");
  context.font = `${10 * ratio}px system-ui, sans-serif`;
  context.fillText(String(Number(high.toPrecision(4))), 2 * ratio, 10 * ratio);
  context.fillText(String(Number(low.toPrecision(4))), 2 * ratio, height - 2 * ratio);
}
