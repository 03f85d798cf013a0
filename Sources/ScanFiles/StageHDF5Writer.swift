import CHDF5
package import Host

/// Writes what a stage beside the run has made of the finished volume as `/exchange/data` (z, y, x), u8 or f32, in
/// chunks of one slice. Compressed: labels are nearly all alike.
/// - Parameter slice: the voxels of a slice, row 0 on top.
/// - Throws: `.cannotCreate`, `.full` or `.io`; then nothing of the file is left.
package func writeStageVolume(
  path: String, slices: Int, columns: Int, pixel: PixelType, attributes: [String: String],
  slice: (Int) -> UnsafeRawBufferPointer
) throws(FileError) {
  precondition(pixel == .uint8 || pixel == .float32, "a volume of \(pixel)")
  let isLabels = pixel == .uint8
  let file = try HDF5OutputFile(path: path)
  let data = try file.createDataset(
    DXchange.data, type: isLabels ? chdf5_uint8_le : chdf5_float_le, shape: [slices, columns, columns],
    chunk: [1, columns, columns], compresses: true)
  try data.setAttribute("axes", "z:y:x")
  try data.setAttributes(attributes)
  for index in 0..<slices {
    let voxels = slice(index)
    precondition(voxels.count == columns * columns * pixel.byteCount, "a slice of \(voxels.count) B")
    try data.write(isLabels ? chdf5_native_uint8 : chdf5_native_float, at: index, voxels)
  }
  try file.finish()
}

/// Writes tables of numbers below `/exchange`, each with its unit.
/// - Throws: as `writeStageVolume`.
package func writeTables(
  path: String, tables: [(name: String, numbers: [Double], shape: [Int], units: String)], attributes: [String: String]
) throws(FileError) {
  let file = try HDF5OutputFile(path: path)
  // A dataset has at least one element.
  for table in tables where !table.numbers.isEmpty {
    try file.createNumbers("/exchange/\(table.name)", table.numbers, shape: table.shape, units: table.units)
  }
  for (name, text) in attributes.sorted(by: { $0.key < $1.key }) { try file.setAttribute(name, text, of: "/exchange") }
  try file.finish()
}
