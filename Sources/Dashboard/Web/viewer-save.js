// Files for a person: a picture of what is seen, and a cut with its values.

function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// What is seen, with all that is drawn over it.
export function savePNG(name, layers) {
  const canvas = document.createElement("canvas");
  const shown = layers.filter((layer) => layer.width > 0);
  canvas.width = Math.max(...shown.map((layer) => layer.width));
  canvas.height = Math.max(...shown.map((layer) => layer.height));
  const context = canvas.getContext("2d");
  for (const layer of shown) context.drawImage(layer, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob((blob) => { download(`${name}.png`, blob); resolve(blob); }));
}

// A TIFF 6.0 file of one strip of 32-bit floats:
//
//      0  "II" 42, offset of the directory: 8
//      8  entries u16, entries of 12 bytes each, u32 0
//    134  values, row by row
export function tiff(columns, rows, values) {
  const [short, long, directory] = [3, 4, 8];
  const entries = [
    [256, long, columns], [257, long, rows], [258, short, 32], [259, short, 1], [262, short, 1],
    [273, long, 0], [277, short, 1], [278, long, rows], [279, long, values.byteLength], [339, short, 3],
  ];
  const start = directory + 2 + 12 * entries.length + 4;
  const head = new DataView(new ArrayBuffer(start));
  head.setUint16(0, 0x4949, true);
  head.setUint16(2, 42, true);
  head.setUint32(4, directory, true);
  head.setUint16(directory, entries.length, true);
  entries.forEach(([tag, type, value], number) => {
    const at = directory + 2 + 12 * number;
    head.setUint16(at, tag, true);
    head.setUint16(at + 2, type, true);
    head.setUint32(at + 4, 1, true);
    head.setUint32(at + 8, tag === 273 ? start : value, true);
  });
  return new Blob([head.buffer, values], { type: "image/tiff" });
}

export function saveTIFF(name, columns, rows, values) {
  const blob = tiff(columns, rows, values);
  download(`${name}.tif`, blob);
  return blob;
}
