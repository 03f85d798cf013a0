// What the graphics processor runs for the views of a whole volume (GLSL ES 3.00). A volume is a texture of bytes in a
// box of voxels; `back` is what its 0 and 1 are in voxel values. Rays are parallel.

export const vertex = `#version 300 es
out vec2 at;
void main() {
  at = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(at * 2.0 - 1.0, 0, 1);
}`;

const head = `#version 300 es
precision highp float;
precision highp sampler3D;
in vec2 at;
out vec4 colour;
uniform sampler2D map;
uniform sampler3D volume, cells;
uniform vec2 window, back;   // values that are black and white; values of the texture's 0 and 1
uniform vec3 box;            // the volume's edges, the longest 1
uniform mat3 turn;           // right, down and forward
uniform vec3 camera;         // aspect, height of what is seen, place along the line of sight
uniform float stepLength, level;
vec3 shade(float value) {
  float share = clamp((value - window.x) / (window.y - window.x), 0.0, 1.0);
  return texture(map, vec2((share * 255.0 + 0.5) / 256.0, 0.5)).rgb;
}
vec2 onScreen() { return (at - 0.5) * vec2(camera.x, 1) * camera.y; }
`;

export const oblique = `${head}
void main() {
  vec2 s = onScreen();
  vec3 p = turn * vec3(s.x, -s.y, camera.z) / box + 0.5;
  bool isOutside = any(lessThan(p, vec3(0))) || any(greaterThan(p, vec3(1)));
  colour = isOutside
    ? vec4(vec3(0.15), 1) : vec4(shade(mix(back.x, back.y, textureLod(volume, p, 0.0).r)), 1);
}`;

const ray = `${head}
// Where a ray enters the volume and where it leaves it, in lengths of d.
bool enter(out vec3 o, out vec3 d, out float a, out float b) {
  vec2 s = onScreen();
  o = turn * vec3(s.x, -s.y, -1.0) / box + 0.5;
  d = turn * vec3(0, 0, 1) / box;
  d = mix(d, vec3(1e-7), lessThan(abs(d), vec3(1e-7)));
  vec3 p = -o / d, q = (1.0 - o) / d, low = min(p, q), high = max(p, q);
  a = max(max(low.x, low.y), max(low.z, 0.0));
  b = min(high.x, min(high.y, high.z));
  return b > a;
}`;

// What the window shows as its brightest ends a ray.
export const mip = `${ray}
void main() {
  vec3 o, d;
  float a, b, best = 0.0, full = min((window.y - back.x) / (back.y - back.x), 0.999);
  colour = vec4(shade(window.x), 1);
  if (!enter(o, d, a, b)) return;
  for (float t = a + 0.5 * stepLength; t < b && best < full; t += stepLength)
    best = max(best, textureLod(volume, o + d * t, 0.0).r);
  colour = vec4(shade(mix(back.x, back.y, best)), 1);
}`;

// Cells hold the greatest voxel of 8 × 8 × 8 and a rim of one: those below the level are stepped over.
export const iso = `${ray}
const float cell = 8.0;
float leave(vec3 p, vec3 d, vec3 count) {
  vec3 end = (floor(p * count / cell) + step(vec3(0), d)) * cell / count;
  vec3 t = (end - p) / d;
  return max(min(t.x, min(t.y, t.z)), 0.0);
}
void main() {
  vec3 o, d, count = vec3(textureSize(volume, 0));
  float a, b;
  colour = vec4(vec3(0.15), 1);
  if (!enter(o, d, a, b)) return;
  float t = a + 0.5 * stepLength;
  bool hit = false;
  for (int n = 0; n < 2048 && t < b; n++) {
    vec3 p = o + d * t;
    if (texelFetch(cells, ivec3(clamp(p, 0.0, 0.99999) * count / cell), 0).r < level) {
      t += max(1.0, ceil(leave(p, d, count) / stepLength)) * stepLength;
      continue;
    }
    if (textureLod(volume, p, 0.0).r >= level) { hit = true; break; }
    t += stepLength;
  }
  if (!hit) return;
  float low = t - stepLength, high = t;
  for (int n = 0; n < 4; n++) {
    float middle = 0.5 * (low + high);
    if (textureLod(volume, o + d * middle, 0.0).r >= level) high = middle; else low = middle;
  }
  vec3 p = o + d * high, e = 1.0 / count;
  vec3 gradient = vec3(
    textureLod(volume, p + vec3(e.x, 0, 0), 0.0).r - textureLod(volume, p - vec3(e.x, 0, 0), 0.0).r,
    textureLod(volume, p + vec3(0, e.y, 0), 0.0).r - textureLod(volume, p - vec3(0, e.y, 0), 0.0).r,
    textureLod(volume, p + vec3(0, 0, e.z), 0.0).r - textureLod(volume, p - vec3(0, 0, e.z), 0.0).r);
  float light = max(dot(-normalize(gradient + 1e-9), -normalize(d * box)), 0.0);
  colour = vec4(vec3(0.93, 0.90, 0.84) * (0.18 + 0.75 * light) + 0.2 * pow(light, 24.0), 1);
}`;
