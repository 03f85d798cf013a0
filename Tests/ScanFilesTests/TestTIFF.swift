import Foundation

/// Makes TIFF files of grey images in any sample type and byte order, as their specification has it (TIFF 6.0).
struct TestTIFF {
  /// How a sample is stored.
  enum Sample: String, CaseIterable {
    case uint8, uint16, uint32, int8, int16, int32, float32, float64

    var bits: Int {
      switch self {
      case .uint8, .int8: 8
      case .uint16, .int16: 16
      case .uint32, .int32, .float32: 32
      case .float64: 64
      }
    }

    /// SampleFormat: 1 unsigned, 2 signed, 3 floating point.
    var format: Int { rawValue.hasPrefix("u") ? 1 : rawValue.hasPrefix("i") ? 2 : 3 }
  }

  var rows: Int
  var columns: Int
  var sample = Sample.uint16
  var isBigEndian = false
  /// Rows of a strip.
  var stripRows = 1
  /// Rows and columns of a tile; nil for strips.
  var tile: (rows: Int, columns: Int)?
  /// ImageDescription of the first image.
  var description: String?
  /// Whether one directory stands for all images.
  var hasOneDirectory = false

  /// The file: a header, all pixels, then a directory for each image.
  func bytes(_ images: [[Double]]) -> Data {
    var data = Data(isBigEndian ? [0x4D, 0x4D, 0, 42] : [0x49, 0x49, 42, 0])
    data += integer(0, 4)
    let starts = images.map { image in
      defer { for value in tiled(image) { data += pixel(value) } }
      return data.count
    }
    var link = 4
    for (number, start) in starts.enumerated() where number == 0 || !hasOneDirectory {
      if data.count % 2 == 1 { data.append(0) }
      data.replaceSubrange(link..<link + 4, with: integer(data.count, 4))
      link = appendDirectory(to: &data, start: start, description: number == 0 ? description : nil)
    }
    return data
  }

  func write(_ images: [[Double]], to path: String) throws { try bytes(images).write(to: URL(filePath: path)) }

  /// Returns where the link to the next directory is.
  private func appendDirectory(to data: inout Data, start: Int, description: String?) -> Int {
    let rowBytes = columns * sample.bits / 8
    let tops = Array(stride(from: 0, to: rows, by: stripRows))
    let tileBytes = tile.map { $0.rows * $0.columns * sample.bits / 8 } ?? 0
    let strips: [(tag: Int, type: Int, values: [Int])] = [
      (273, 4, tops.map { start + $0 * rowBytes }), (277, 3, [1]), (278, 4, [stripRows]),
      (279, 4, tops.map { min(stripRows, rows - $0) * rowBytes }),
    ]
    let tiles: [(tag: Int, type: Int, values: [Int])] = [
      (277, 3, [1]), (322, 4, [tile?.columns ?? 0]), (323, 4, [tile?.rows ?? 0]),
      (324, 4, tileCorners.indices.map { start + $0 * tileBytes }),
      (325, 4, tileCorners.map { _ in tileBytes }),
    ]
    let text = description.map { Data($0.utf8) + [0] }
    var entries: [(tag: Int, type: Int, values: [Int])] = [
      (256, 4, [columns]), (257, 4, [rows]), (258, 3, [sample.bits]), (259, 3, [1]), (262, 3, [1]),
    ]
    entries += (tile == nil ? strips : tiles) + [(339, 3, [sample.format])]
    if let text { entries.insert((270, 2, Array(text).map(Int.init)), at: 5) }
    let end = data.count + 2 + 12 * entries.count + 4
    var (directory, behind) = (integer(entries.count, 2), Data())
    for (tag, type, values) in entries {
      let size = type == 3 ? 2 : type == 4 ? 4 : 1
      var content = values.reduce(Data()) { $0 + integer($1, size) }
      if content.count > 4 {
        if (end + behind.count) % 2 == 1 { behind.append(0) }
        let place = end + behind.count
        behind += content
        content = integer(place, 4)
      }
      directory += integer(tag, 2) + integer(type, 2) + integer(values.count, 4) + content
      directory += Data(repeating: 0, count: 4 - content.count)
    }
    data += directory + integer(0, 4)
    let link = data.count - 4
    data += behind
    return link
  }

  /// Rows and columns at which tiles begin; none of strips.
  private var tileCorners: [(row: Int, column: Int)] {
    guard let tile else { return [] }
    return stride(from: 0, to: rows, by: tile.rows).flatMap { row in
      stride(from: 0, to: columns, by: tile.columns).map { (row, $0) }
    }
  }

  /// The pixels of an image as they lie in the file; what tiles have beyond the image is 77.
  private func tiled(_ image: [Double]) -> [Double] {
    guard let tile else { return image }
    return tileCorners.flatMap { corner in
      (0..<tile.rows).flatMap { row in
        (0..<tile.columns).map { column in
          let (y, x) = (corner.row + row, corner.column + column)
          return y < rows && x < columns ? image[y * columns + x] : 77
        }
      }
    }
  }

  private func pixel(_ value: Double) -> Data {
    switch sample {
    case .float32: integer(Int(Float(value).bitPattern), 4)
    case .float64: integer(Int(bitPattern: UInt(value.bitPattern)), 8)
    default: integer(Int(value), sample.bits / 8)
    }
  }

  private func integer(_ value: Int, _ byteCount: Int) -> Data {
    let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    return Data(isBigEndian ? bytes.reversed() : bytes)
  }
}
