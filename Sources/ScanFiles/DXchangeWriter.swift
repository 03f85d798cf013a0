import CHDF5
package import Host

/// Writes a scan as a DXchange file that `openScan` and others of the field read. Not to be used by several threads at
/// once.
///
/// ```
/// /implements            "exchange"
/// /exchange/data         (theta, y, x)  u16 or f32   axes = "theta:y:x"
/// /exchange/data_white   (frames, y, x)              axes = "theta_white:y:x"   where there are flats
/// /exchange/data_dark    (frames, y, x)              axes = "theta_dark:y:x"    where there are darks
/// /exchange/theta        (theta)        f64          units = "degrees"
/// ```
package final class DXchangeWriter {
  private let file: HDF5OutputFile
  private let pixel: PixelType
  private let data: HDF5OutputDataset
  private let flats: HDF5OutputDataset?
  private let darks: HDF5OutputDataset?
  private let frameBytes: Int
  private var missing: Set<Int>

  /// Creates the file under a temporary name and reserves its disk space.
  /// - Parameters:
  ///   - pixel: `.uint16` or `.float32`, for projections, flats and darks.
  ///   - thetasDegrees: one a projection.
  ///   - pixelSizeMillimetres: of a detector pixel at the sample.
  ///   - attributes: texts for `/exchange/data`; `axes` and `units` are there already.
  /// - Throws: `.cannotCreate`, or `.io` when the disk has not enough room.
  package init(
    path: String, projectionCount: Int, rows: Int, columns: Int, pixel: PixelType, flatCount: Int, darkCount: Int,
    thetasDegrees: [Double], pixelSizeMillimetres: Double? = nil, attributes: [String: String] = [:]
  ) throws(FileError) {
    precondition(
      projectionCount > 0 && rows > 0 && columns > 0 && flatCount >= 0 && darkCount >= 0, "a scan of nothing")
    precondition(
      thetasDegrees.count == projectionCount, "\(thetasDegrees.count) thetas for \(projectionCount) projections")
    precondition(pixel == .uint16 || pixel == .float32, "\(pixel) pixels are not written")
    let file = try HDF5OutputFile(path: path)
    func stack(_ name: String, _ count: Int, axis: String) throws(FileError) -> HDF5OutputDataset? {
      guard count > 0 else { return nil }
      let type = pixel == .uint16 ? chdf5_uint16_le : chdf5_float_le
      let dataset = try file.createDataset(name, type: type, shape: [count, rows, columns])
      try dataset.setAttributes(["axes": "\(axis):y:x", "units": "counts"])
      return dataset
    }
    try file.createText("/implements", "exchange")
    guard let data = try stack(DXchange.data, projectionCount, axis: "theta") else {
      preconditionFailure("a scan of nothing")
    }
    try data.setAttributes(attributes)
    flats = try stack(DXchange.flats, flatCount, axis: "theta_white")
    darks = try stack(DXchange.darks, darkCount, axis: "theta_dark")
    let thetas = try file.createDataset(DXchange.theta, type: chdf5_double_le, shape: [projectionCount])
    try thetas.setAttribute("units", "degrees")
    try thetas.write(thetasDegrees)
    if let pixelSizeMillimetres {
      let size = try file.createDataset(DXchange.pixelSize, type: chdf5_double_le, shape: [1])
      try size.setAttribute("units", "mm")
      try size.write([pixelSizeMillimetres])
    }
    try file.reserve()
    self.file = file
    self.data = data
    self.pixel = pixel
    frameBytes = rows * columns * pixel.byteCount
    missing = Set(0..<projectionCount + flatCount + darkCount)
  }

  /// Writes a projection of rows × columns pixels, row by row.
  /// - Throws: `.io`.
  package func writeProjection(_ index: Int, _ pixels: UnsafeRawBufferPointer) throws(FileError) {
    try write(data, index, number: index, pixels)
  }

  /// Writes a flat field.
  /// - Throws: `.io`.
  package func writeFlat(_ index: Int, _ pixels: UnsafeRawBufferPointer) throws(FileError) {
    guard let flats else { preconditionFailure("this file has no flats") }
    try write(flats, index, number: data.shape[0] + index, pixels)
  }

  /// Writes a dark field.
  /// - Throws: `.io`.
  package func writeDark(_ index: Int, _ pixels: UnsafeRawBufferPointer) throws(FileError) {
    guard let darks else { preconditionFailure("this file has no darks") }
    try write(darks, index, number: data.shape[0] + (flats?.shape[0] ?? 0) + index, pixels)
  }

  /// Adds a text attribute to `/exchange/data`.
  /// - Throws: `.io`, also when there is one of this name.
  package func writeAttribute(_ name: String, _ text: String) throws(FileError) { try data.setAttribute(name, text) }

  /// Makes the file durable and gives it its name. Every frame has to be written by then.
  /// - Throws: `.io` or `.cannotCreate`; then nothing of the file is left.
  package func finish() throws(FileError) {
    precondition(missing.isEmpty, "\(missing.count) frames of \(file.path) were not written")
    try file.finish()
  }

  /// Removes what was written. Also done when the writer goes away without `finish`.
  package func abandon() { file.abandon() }

  private func write(_ dataset: HDF5OutputDataset, _ index: Int, number: Int, _ pixels: UnsafeRawBufferPointer)
    throws(FileError)
  {
    precondition(0..<dataset.shape[0] ~= index, "frame \(index) of \(dataset.shape[0])")
    precondition(pixels.count == frameBytes, "a frame of \(pixels.count) B where \(frameBytes) B are due")
    try dataset.write(pixel == .uint16 ? chdf5_native_uint16 : chdf5_native_float, at: index, pixels)
    missing.remove(number)
  }
}
