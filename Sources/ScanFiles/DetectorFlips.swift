import CHDF5
import Host

/// How frames are mirrored in a file, by what it says of its detector. Until nxtomo 1.2 these are two flags
/// (`x_flipped`, `y_flipped`), later NXtransformations: turns of 180 degrees about an axis of the laboratory, which has
/// y upwards (McStas) where the entry says so, else z (ESRF, before nxtomo 3). nxtomo and tomoscan read them alike.
///
/// ```
///                    McStas    ESRF
/// left-right         y         z       the vertical axis
/// up-down            x         y       across the beam
/// both               z         x       along the beam
/// ```
struct DetectorFlips: Equatable, Sendable {
  /// Columns are mirrored.
  var leftRight = false
  /// Rows are mirrored.
  var upDown = false

  /// In words.
  var words: String {
    switch (leftRight, upDown) {
    case (true, true): "left-right and up-down"
    case (true, false): "left-right"
    case (false, _): "up-down"
    }
  }

  /// As somebody asked for.
  init(asked: FrameFlips) {
    (leftRight, upDown) = ([.leftRight, .both].contains(asked), [.upDown, .both].contains(asked))
  }

  /// Whether anything is mirrored.
  var isAny: Bool { leftRight || upDown }

  /// What an entry says of its detector; nil where it says nothing of flips.
  init?(_ file: HDF5File, entry: String, detector: String) throws(FileError) {
    let flags = (try file.flag("\(detector)/x_flipped"), try file.flag("\(detector)/y_flipped"))
    (leftRight, upDown) = (flags.0 ?? false, flags.1 ?? false)
    let turns = try Self.halfTurns(file, detector: detector)
    guard flags != (nil, nil) || turns != nil else { return nil }
    guard let turns else { return }
    let isMcStas = try file.text(ofAttribute: "NeXus_Coordinate_System", of: entry) == "McStas"
    for axis in turns {
      switch (isMcStas, axis) {
      case (true, 1), (false, 2): leftRight.toggle()
      case (true, 0), (false, 1): upDown.toggle()
      default:
        leftRight.toggle()
        upDown.toggle()
      }
    }
  }

  /// The axes (0 x, 1 y, 2 z) about which the detector is turned by half a turn; nil without transformations.
  private static func halfTurns(_ file: HDF5File, detector: String) throws(FileError) -> [Int]? {
    guard try file.kind(of: detector) == .group else { return nil }
    var turns: [Int]?
    for name in try file.links(in: detector) {
      let group = "\(detector)/\(name)"
      guard try file.kind(of: group) == .group else { continue }
      let ownClass = try file.text(ofAttribute: "NX_class", of: group)?.replacing("_", with: "").lowercased()
      guard ownClass == "nxtransformations" else { continue }
      turns = turns ?? []
      for link in try file.links(in: group) {
        if let axis = try halfTurnAxis(file, "\(group)/\(link)") { turns?.append(axis) }
      }
    }
    return turns
  }

  private static func halfTurnAxis(_ file: HDF5File, _ name: String) throws(FileError) -> Int? {
    guard try file.hasDataset(name), try file.text(ofAttribute: "transformation_type", of: name) == "rotation",
      let vector = try file.numbers(ofAttribute: "vector", of: name, count: 3)
    else { return nil }
    let values = try file.numbers(name)
    guard values.count == 1 else { return nil }
    let isRadian = try file.text(ofAttribute: "units", of: name)?.lowercased().hasPrefix("rad") ?? false
    let turn = (values[0] * (isRadian ? 180 / .pi : 1)).remainder(dividingBy: 360)
    guard abs(abs(turn) - 180) < 1e-3 else { return nil }
    let axes = vector.indices.filter { abs(vector[$0]) > 1e-6 }
    return axes.count == 1 ? axes[0] : nil
  }
}

/// A scan whose frames are mirrored in the file, as they would be without that, or as somebody asked for.
final class FlippedReader: ScanReader {
  let info: ScanInfo
  private let scan: any ScanReader
  private let flips: DetectorFlips

  /// Mirrors whatever `scan` delivers, and says so. With `asked`, somebody said how, whatever the file says of it.
  init(_ scan: any ScanReader, _ flips: DetectorFlips, asked: Bool = false, file said: DetectorFlips? = nil) {
    (self.scan, self.flips) = (scan, flips)
    var info = scan.info
    (info.flips, info.flipsWereAsked) = (flips, asked)
    info.flipNotice = Self.notice(flips, asked: asked, file: said)
    info.notices += [info.flipNotice].compactMap(\.self)
    self.info = info
  }

  /// What to tell of it; nil where nothing is mirrored.
  static func notice(_ flips: DetectorFlips, asked: Bool, file said: DetectorFlips?) -> String? {
    let counted = "rows and the rotation axis are those of the frames then"
    if asked {
      if flips.isAny { return "frames are mirrored \(flips.words), as was asked for; \(counted)" }
      guard let said, said.isAny else { return nil }
      return "the file says that its frames are mirrored \(said.words); they are taken as they are, as was asked for"
    }
    return flips.isAny
      ? "the file says that its frames are mirrored \(flips.words); they are mirrored back, and \(counted); "
        + "--flips none takes them as they are" : nil
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readProjection(index, rows: flips.source(rows, of: info.rows), into: buffer)
    flips.mirror(buffer, rows: rows.count, columns: info.columns, info.pixel)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readFlat(index, rows: flips.source(rows, of: info.rows), into: buffer)
    flips.mirror(buffer, rows: rows.count, columns: info.columns, info.flatPixel)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readDark(index, rows: flips.source(rows, of: info.rows), into: buffer)
    flips.mirror(buffer, rows: rows.count, columns: info.columns, info.darkPixel)
  }
}

extension DetectorFlips {
  /// The rows of a mirrored frame of `count` rows that become `rows`.
  func source(_ rows: Range<Int>, of count: Int) -> Range<Int> {
    upDown ? count - rows.upperBound..<count - rows.lowerBound : rows
  }

  /// Mirrors a block of rows.
  func mirror(_ buffer: UnsafeMutableRawBufferPointer, rows: Int, columns: Int, _ pixel: PixelType) {
    // Sound: a buffer of pixels of this type.
    switch pixel {
    case .uint8: mirror(buffer.bindMemory(to: UInt8.self), rows, columns)
    case .uint16: mirror(buffer.bindMemory(to: UInt16.self), rows, columns)
    case .uint32: mirror(buffer.bindMemory(to: UInt32.self), rows, columns)
    case .float32: mirror(buffer.bindMemory(to: Float.self), rows, columns)
    }
  }

  private func mirror<Pixel>(_ block: UnsafeMutableBufferPointer<Pixel>, _ rows: Int, _ columns: Int) {
    precondition(block.count == rows * columns, "\(block.count) pixels for \(rows) × \(columns)")
    var pixels = block
    // Both at once is a turn of the whole block.
    if leftRight, upDown { return pixels.reverse() }
    if leftRight {
      for row in 0..<rows { pixels[row * columns..<(row + 1) * columns].reverse() }
      return
    }
    guard upDown else { return }
    for row in 0..<rows / 2 {
      let (above, below) = (row * columns, (rows - 1 - row) * columns)
      for column in 0..<columns { pixels.swapAt(above + column, below + column) }
    }
  }
}

extension HDF5File {
  /// A number, or a choice as h5py stores booleans, as true or false; nil where there is none.
  func flag(_ name: String) throws(FileError) -> Bool? {
    guard try hasDataset(name) else { return nil }
    let dataset = try openObject(name)
    let type = try handle(name) { H5Dget_type(dataset.id) }
    let space = try handle(name) { H5Dget_space(dataset.id) }
    let byteCount = try check(name) { Int(H5Tget_size(type.id)) }
    let count = try check(name) { H5Sget_simple_extent_npoints(space.id) }
    let kind = try check(name) { H5Tget_class(type.id).rawValue }
    guard count == 1, byteCount <= 8, [H5T_INTEGER.rawValue, H5T_ENUM.rawValue].contains(kind) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 8)
    _ = try check(name) { H5Dread(dataset.id, type.id, 0, 0, 0, &bytes) }
    return bytes.contains { $0 != 0 }
  }

  /// The numbers of an attribute; nil where there is none with so many.
  func numbers(ofAttribute attribute: String, of name: String, count: Int) throws(FileError) -> [Double]? {
    let label = "attribute \(attribute) of \(name)"
    guard try check(label, { H5Aexists_by_name(id, name, attribute, 0) }) > 0 else { return nil }
    let object = try handle(label) { H5Aopen_by_name(id, name, attribute, 0, 0) }
    let type = try handle(label) { H5Aget_type(object.id) }
    let space = try handle(label) { H5Aget_space(object.id) }
    let kind = try check(label) { H5Tget_class(type.id).rawValue }
    guard try check(label, { H5Sget_simple_extent_npoints(space.id) }) == count,
      [H5T_INTEGER.rawValue, H5T_FLOAT.rawValue].contains(kind)
    else { return nil }
    var numbers = [Double](repeating: 0, count: count)
    _ = try check(label) { H5Aread(object.id, chdf5_native_double(), &numbers) }
    return numbers
  }
}
