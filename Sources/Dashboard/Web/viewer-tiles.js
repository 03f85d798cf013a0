// Tiles of a plane, as the server sends them: floats of level 0, 16-bit codes of the means above it. A tile that is
// there stays on the screen until its newer version has come.

const keptMax = 256;
const inFlightMax = 6;
const notFinite = 65535;
const codeMax = 65534;

export class TileStore {
  // changed is called when a tile has come, gone when the server no longer has the version that is asked for, failed
  // with the words of a tile that cannot be read.
  constructor(base, changed, gone, failed) {
    Object.assign(this, { base, changed, gone, failed, tiles: new Map(), wanted: new Map() });
    Object.assign(this, { inFlight: 0, version: null });
  }

  // The plane that is looked at, and the version of it that is asked for; null before that is known.
  show(plane, version) {
    if (plane === this.plane && version === this.version) return;
    Object.assign(this, { plane, version });
    this.wanted.clear();
  }

  get isComplete() { return this.version !== null && this.wanted.size === 0 && this.inFlight === 0; }

  // A tile of whatever version is here, if any; with ask the newest one is asked for.
  find(level, row, column, ask) {
    const key = `${this.plane}/${level}/${row}/${column}`;
    const tile = this.tiles.get(key);
    if (ask && this.version && (!tile || tile.version !== this.version)) this.wanted.set(key, this.version);
    if (!tile) return null;
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    return tile;
  }

  // Asks for what is wanted, a few at a time.
  fetchWanted() {
    for (const [key, version] of this.wanted) {
      if (this.inFlight >= inFlightMax) return;
      this.wanted.delete(key);
      this.inFlight += 1;
      this.load(key, version).catch(() => {}).finally(() => { this.inFlight -= 1; this.fetchWanted(); });
    }
  }

  async load(key, version) {
    const answer = await fetch(`${this.base}/tile/${key}?g=${version}`);
    if (answer.status === 410) return this.gone();
    if (!answer.ok) { if (answer.status === 500) this.failed((await answer.text()).trim()); return; }
    const number = (name) => Number(answer.headers.get(name));
    const level = Number(key.split("/")[2]);
    const body = await answer.arrayBuffer();
    const values = level === 0
      ? new Float32Array(body) : decoded(new Uint16Array(body), number("X-Low"), number("X-High"));
    const [columns, rows] = [number("X-Columns"), number("X-Rows")];
    if (values.length !== columns * rows) return;
    this.tiles.delete(key);
    this.tiles.set(key, { version, columns, rows, values, picture: null, look: -1 });
    while (this.tiles.size > keptMax) this.tiles.delete(this.tiles.keys().next().value);
    this.changed();
  }

  // The value of a voxel of the version that is asked for; undefined where its tile is not here.
  value(column, row, edge) {
    const tile = this.find(0, Math.floor(row / edge), Math.floor(column / edge), false);
    if (!tile || tile.version !== this.version) return undefined;
    return tile.values[(row % edge) * tile.columns + (column % edge)];
  }

  // All values of the plane at level 0, for whoever saves them.
  async all(columns, rows, edge) {
    const { plane, version } = this;
    const values = new Float32Array(columns * rows);
    for (let row = 0; row * edge < rows; row++) {
      for (let column = 0; column * edge < columns; column++) {
        const answer = await fetch(`${this.base}/tile/${plane}/0/${row}/${column}?g=${version}`);
        if (!answer.ok) throw new Error((await answer.text()).trim());
        const tile = new Float32Array(await answer.arrayBuffer());
        const width = Math.min(edge, columns - column * edge);
        for (let line = 0; line * width < tile.length; line++)
          values.set(tile.subarray(line * width, (line + 1) * width), (row * edge + line) * columns + column * edge);
      }
    }
    return values;
  }
}

function decoded(codes, low, high) {
  const values = new Float32Array(codes.length);
  const scale = (high - low) / codeMax;
  for (let place = 0; place < codes.length; place++)
    values[place] = codes[place] === notFinite ? NaN : low + codes[place] * scale;
  return values;
}

// ---- Colours ----

const anchors = {
  grey: ["000000", "ffffff"],
  inverted: ["ffffff", "000000"],
  viridis: [
    "440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725",
  ],
  magma: ["000004", "180f3d", "440f76", "721f81", "9e2f7f", "cd4071", "f1605d", "fd9668", "feca8d", "fcfdbf"],
  "blue-red": ["2a4fa8", "6f9bd8", "c4d6ea", "f4f1ea", "efc3ae", "d9775f", "a8281e"],
};

// 256 colours, four bytes each: linear between the anchors.
export function colourMap(name) {
  const colours = anchors[name].map((text) => [0, 2, 4].map((place) => parseInt(text.slice(place, place + 2), 16)));
  const bytes = new Uint8ClampedArray(1024);
  for (let level = 0; level < 256; level++) {
    const at = (level / 255) * (colours.length - 1);
    const first = Math.min(Math.floor(at), colours.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [colours[first][channel], colours[first + 1][channel]];
      bytes[4 * level + channel] = from + (to - from) * (at - first);
    }
    bytes[4 * level + 3] = 255;
  }
  return bytes;
}

// What is no number: a colour that no map has.
const strange = 0xff8c1acc;

// The tile as a canvas in the colours of a look { number, low, high, map }, drawn anew when the look has changed.
export function picture(tile, look) {
  if (tile.picture && tile.look === look.number) return tile.picture;
  const canvas = tile.picture || Object.assign(document.createElement("canvas"), {
    width: tile.columns, height: tile.rows,
  });
  const context = canvas.getContext("2d");
  const image = context.createImageData(tile.columns, tile.rows);
  const [pixels, colours] = [new Uint32Array(image.data.buffer), new Uint32Array(look.map.buffer)];
  const scale = 255 / Math.max(look.high - look.low, Number.MIN_VALUE);
  const { values } = tile;
  for (let place = 0; place < values.length; place++) {
    const level = (values[place] - look.low) * scale;
    pixels[place] = level >= 255 ? colours[255] : level >= 0 ? colours[(level + 0.5) | 0]
      : level < 0 ? colours[0] : strange;
  }
  context.putImageData(image, 0, 0);
  Object.assign(tile, { picture: canvas, look: look.number });
  return canvas;
}
