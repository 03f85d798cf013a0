import Host
import Run
import ScanFiles
import Tomography

/// A small picture of a scan's volume, its middle slice, made by the process that reconstructed it: the server itself
/// opens no file of anybody's.
enum MiddleSlice {
  /// Pixels of an edge.
  private static let edgeMax = 512
  /// So many percent of the pixels are below black, and as many above white.
  private static let outliers = 0.5

  static func path(in folder: String) -> String { "\(folder)/picture.png" }

  /// Makes it from the files of a volume; nothing where they hold no floats.
  static func write(of result: RunResult, to folder: String) throws {
    guard let (values, columns) = try slice(of: result) else { return }
    let step = (columns + edgeMax - 1) / edgeMax
    let picked = Array(stride(from: step / 2, to: columns, by: step)), edge = picked.count
    let pixels = picked.flatMap { row in picked.map { values[row * columns + $0] } }
    // What lies outside is seen by few projections and has the largest values.
    let disk = DiskMask(columns: edge, isDisk: true)
    let inside = (0..<edge).flatMap { row in disk.columns(row: row).map { pixels[row * edge + $0] } }
    let range = inside.withUnsafeBufferPointer { greyRange($0, percentile: outliers) }
    let grey = pixels.withUnsafeBufferPointer { greyLevels($0, low: range.lowerBound, high: range.upperBound) }
    let path = path(in: folder)
    try writeFileAtomically(
      path: path, bytes: try encodePNG(name: path, columns: edge, rows: edge, grey: grey), isPrivate: true)
  }

  private static func slice(of result: RunResult) throws -> (values: [Float], columns: Int)? {
    if let path = result.outputs.first(where: { $0.hasSuffix(".h5") }) {
      let volume = try VolumeReader(path: path)
      var values = [Float](repeating: 0, count: volume.columns * volume.columns)
      try values.withUnsafeMutableBufferPointer { try volume.readSlice(volume.slices / 2, into: $0) }
      return (values, volume.columns)
    }
    let slices = result.outputs.filter { $0.hasSuffix(".tiff") || $0.hasSuffix(".tif") }.sorted()
    guard !slices.isEmpty, result.columns > 0 else { return nil }
    var values = [Float](repeating: 0, count: result.columns * result.columns)
    do {
      try values.withUnsafeMutableBytes { bytes in
        try readTIFF(
          path: slices[slices.count / 2], rows: result.columns, columns: result.columns, pixel: .float32, into: bytes)
      }
    } catch is TIFFFault {
      return nil
    }
    return (values, result.columns)
  }
}
