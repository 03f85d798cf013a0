import Host

/// Images of one kind and shape, read one at a time.
protocol ImageStack {
  /// Images.
  var count: Int { get }
  /// Rows of each.
  var rows: Int { get }
  /// Columns of each.
  var columns: Int { get }
  /// The type in which they are delivered.
  var pixel: PixelType { get }

  /// Reads rows of an image into exactly as many bytes.
  func read(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)
}

/// Frames of one kind (projections, flats or darks) of an open scan.
struct FrameStack: ImageStack {
  indirect enum Source {
    /// Frames `frames[i]` along the first axis of a dataset of rank 3.
    case frames(HDF5Dataset, [Int])
    /// The only frame of a dataset of rank 2.
    case single(HDF5Dataset)
    /// One frame that has the same value everywhere.
    case constant(Float)
    /// Frames of several datasets of one pixel type, one dataset behind the other.
    case joined([FrameStack])
    case none
  }

  let source: Source
  let rows: Int
  let columns: Int

  var count: Int {
    switch source {
    case .frames(_, let frames): frames.count
    case .single, .constant: 1
    case .joined(let stacks): stacks.reduce(0) { $0 + $1.count }
    case .none: 0
    }
  }

  var pixel: PixelType {
    switch source {
    case .frames(let dataset, _), .single(let dataset): dataset.pixel
    case .joined(let stacks): stacks[0].pixel
    case .constant, .none: .float32
    }
  }

  func read(_ index: Int, rows range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(0..<count ~= index, "frame \(index) of \(count)")
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    switch source {
    case .frames(let dataset, let frames):
      try dataset.read(start: [frames[index], range.lowerBound, 0], count: [1, range.count, columns], into: buffer)
    case .single(let dataset):
      try dataset.read(start: [range.lowerBound, 0], count: [range.count, columns], into: buffer)
    case .constant(let value):
      precondition(
        buffer.count == range.count * columns * pixel.byteCount, "a buffer of \(buffer.count) B for rows \(range)")
      buffer.withMemoryRebound(to: Float.self) { $0.update(repeating: value) }
    case .joined(let stacks):
      var index = index
      for stack in stacks {
        guard index >= stack.count else { return try stack.read(index, rows: range, into: buffer) }
        index -= stack.count
      }
    case .none:
      preconditionFailure("a frame of none")
    }
  }

  /// The same in single precision, of a frame in a dataset.
  func read(_ index: Int, rows range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    guard case .frames(let dataset, let frames) = source, 0..<count ~= index else {
      preconditionFailure("frame \(index) of \(count)")
    }
    try dataset.read(start: [frames[index], range.lowerBound, 0], count: [1, range.count, columns], into: buffer)
  }
}

/// A scan in an HDF5 file, of whichever layout.
final class HDF5ScanReader: ScanReader {
  let info: ScanInfo
  let projections: FrameStack
  let flats: FrameStack
  let darks: FrameStack

  init(info: ScanInfo, projections: FrameStack, flats: FrameStack, darks: FrameStack) {
    self.info = info
    self.projections = projections
    self.flats = flats
    self.darks = darks
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try projections.read(index, rows: rows, into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try flats.read(index, rows: rows, into: buffer)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try darks.read(index, rows: rows, into: buffer)
  }
}
