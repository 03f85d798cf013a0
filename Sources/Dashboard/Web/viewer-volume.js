// A volume from all sides: an oblique cut, the greatest value along each line of sight, and a surface. It is a copy of
// at most 256 voxels a side and 8 bits each (see Overview), drawn by WebGL 2; without that the page says so.

import { iso, mip, oblique, vertex } from "./viewer-shaders.js";

const cellEdge = 8;
const restAfter = 200;

export class VolumeView {
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed, programs: {}, data: null, lookNumber: -1, isMoving: false });
    canvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); this.gl = null; });
    canvas.addEventListener("webglcontextrestored", () => { this.programs = {}; this.begin(); this.changed(); });
  }

  // Whether this browser can draw volumes.
  begin() {
    if (this.gl) return true;
    const gl = this.canvas.getContext("webgl2", { antialias: false, alpha: false, preserveDrawingBuffer: true });
    if (!gl) return false;
    this.gl = gl;
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.lookNumber = -1;
    if (this.data) this.upload();
    return true;
  }

  // Takes a copy of the volume: bytes (z, y, x) and what 0 and 255 stand for.
  show(data) {
    this.data = data;
    if (this.gl) this.upload();
    this.changed();
  }

  upload() {
    const { gl, data } = this;
    const { columns, slices, bytes } = data;
    for (const old of [this.volume, this.cells]) gl.deleteTexture(old);
    this.volume = this.texture(gl.TEXTURE1, gl.LINEAR, columns, slices, bytes);
    const cells = greatest(bytes, columns, slices);
    this.cells = this.texture(gl.TEXTURE2, gl.NEAREST, cells.columns, cells.slices, cells.bytes);
  }

  texture(unit, filter, columns, slices, bytes) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(unit);
    gl.bindTexture(gl.TEXTURE_3D, texture);
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl.R8, columns, columns, slices);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, name, filter);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
      gl.texParameteri(gl.TEXTURE_3D, name, gl.CLAMP_TO_EDGE);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, columns, columns, slices, gl.RED, gl.UNSIGNED_BYTE, bytes);
    return texture;
  }

  // Half the resolution until it has rested for a while.
  moves() {
    this.isMoving = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.isMoving = false; this.changed(); }, restAfter);
  }

  paint(view, box, look) {
    if (!this.data || !this.begin()) return;
    const reduced = this.isMoving && view.mode !== "oblique" ? 2 : 1;
    const ratio = (window.devicePixelRatio || 1) / reduced;
    this.render(view, look, Math.round(box.clientWidth * ratio), Math.round(box.clientHeight * ratio));
  }

  render(view, look, width, height) {
    const { gl, canvas, data } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    const { program, at } = this.program(view.mode);
    gl.useProgram(program);
    this.setColours(look);
    const edge = Math.max(data.columns, data.slices);
    gl.uniform1i(at("map"), 0);
    gl.uniform1i(at("volume"), 1);
    gl.uniform1i(at("cells"), 2);
    gl.uniform2f(at("window"), look.low, look.high);
    gl.uniform2f(at("back"), data.low, data.high);
    // The edges of the volume itself: the copy may be of less than all voxels.
    gl.uniform3f(at("box"), ...data.box);
    gl.uniformMatrix3fv(at("turn"), false, rotation(view.turn));
    gl.uniform3f(at("camera"), width / height, view.distance, view.depth);
    gl.uniform1f(at("stepLength"), 1 / edge);
    gl.uniform1f(at("level"), view.level);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  setColours(look) {
    const { gl } = this;
    if (this.lookNumber === look.mapNumber) return;
    this.lookNumber = look.mapNumber;
    this.map ??= gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.map);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(look.map.buffer));
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])
      gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  }

  program(mode) {
    if (this.programs[mode]) return this.programs[mode];
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, { oblique, mip, iso }[mode]]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    const places = new Map();
    const at = (name) => {
      if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
      return places.get(name);
    };
    return this.programs[mode] = { program, at };
  }
}

// Columns: right, down and forward, for angles around z and up.
function rotation([around, up]) {
  const [ca, sa, cu, su] = [Math.cos(around), Math.sin(around), Math.cos(up), Math.sin(up)];
  return [ca, sa, 0, -sa * su, ca * su, -cu, -sa * cu, ca * cu, su];
}

// The greatest of each cell and a rim of one voxel, which is what is read between its voxels.
function greatest(bytes, columns, slices) {
  const count = (length) => Math.ceil(length / cellEdge);
  const cells = { columns: count(columns), slices: count(slices) };
  cells.bytes = new Uint8Array(cells.columns * cells.columns * cells.slices);
  const span = (cell, length) => [Math.max(0, cell * cellEdge - 1), Math.min(length, (cell + 1) * cellEdge + 1)];
  let place = 0;
  for (let cz = 0; cz < cells.slices; cz++) {
    const [z0, z1] = span(cz, slices);
    for (let cy = 0; cy < cells.columns; cy++) {
      const [y0, y1] = span(cy, columns);
      for (let cx = 0; cx < cells.columns; cx++) {
        const [x0, x1] = span(cx, columns);
        let most = 0;
        for (let z = z0; z < z1; z++) {
          for (let y = y0; y < y1; y++) {
            const line = (z * columns + y) * columns;
            for (let x = x0; x < x1; x++) if (bytes[line + x] > most) most = bytes[line + x];
          }
        }
        cells.bytes[place++] = most;
      }
    }
  }
  return cells;
}
