import Host

/// Reads the updates of an NTNDArray. Nothing that an update says is believed before it is checked.
package struct NDArrayDecoder: Sendable {
  /// What images must look like; nil where each may be another.
  private let wanted: FrameFormat?

  private static let sizes: ClosedRange<Int64> = 1...1 << 20

  /// A decoder of images of `format`; others are refused, and of any where it is nil.
  package init(format: FrameFormat?) { wanted = format }

  /// Reads one update; nil for one without an image, as a variable holds before its first one.
  package func decode(_ update: NDArrayUpdate) throws(MessageFault) -> (
    header: FrameHeader, image: UnsafeRawBufferPointer, format: FrameFormat
  )? {
    if update.element == nil, update.dimensionCount == 0 { return nil }
    guard let number = frameNumber(update.number) else { throw .number }
    let format = try format(of: update)
    var header = FrameHeader(number: number)
    header.encoding = try encoding(update, format)
    header.theta = try finite(update.theta)
    header.key = try key(update.imageKey)
    // Detectors' clocks are often wrong, which is no fault of the image.
    header.timestamp = try? finite(update.timestamp)
    return (header, update.bytes, format)
  }

  /// What the image of an update looks like. Pixels that are known beforehand are compared with its encoding.
  private func format(of update: NDArrayUpdate) throws(MessageFault) -> FrameFormat {
    let (columns, rows) = update.dimensions
    guard update.dimensionCount == 2 else { throw .shape }
    if let wanted {
      guard update.dimensions == (Int64(wanted.columns), Int64(wanted.rows)) else { throw .shape }
      return wanted
    }
    guard Self.sizes.contains(columns), Self.sizes.contains(rows) else { throw .shape }
    let packed = if case .number(let number) = update.codecParameter { Int(exactly: number) } else { Int?.none }
    let element = update.codec.isEmpty ? update.element : packed.flatMap(NDArrayUpdate.Element.init)
    guard let pixel = PixelType.allCases.first(where: { $0.element == element }) else { throw .pixel }
    return FrameFormat(rows: Int(rows), columns: Int(columns), pixel: pixel)
  }

  /// What is to be said of an update that was refused for `fault`; nil where its name says all.
  func words(for fault: MessageFault, _ update: NDArrayUpdate) -> String? {
    switch fault {
    case .number: return "uniqueId \(update.number) came"
    case .shape:
      guard update.dimensionCount == 2 else { return "\(update.dimensionCount) dimensions came, 2 were wanted" }
      let came = (Int(clamping: update.dimensions.1), Int(clamping: update.dimensions.0))
      return wanted.map { shapeWords(came: came, wanted: $0) } ?? "\(came.0) × \(came.1) came"
    case .pixel:
      let came = update.element.map { "\($0)" } ?? "nothing"
      return wanted.map { "\(came) came, \($0.pixel.rawValue) was wanted: --pixel says which" } ?? "\(came) came"
    case .encoding: return "codec \(plainLine(update.codec.utf8.prefix(64))) came"
    case .size:
      return "\(update.bytes.count) B of pixels came" + (wanted.map { ", \($0.byteCount) B were wanted" } ?? "")
    case .field: return "theta or image_key is no number that it can have"
    default: return nil
    }
  }

  private func encoding(_ update: NDArrayUpdate, _ format: FrameFormat) throws(MessageFault) -> FrameEncoding {
    let pixel = format.pixel.element
    guard !update.codec.isEmpty else {
      guard update.element == pixel else { throw .pixel }
      guard update.bytes.count == format.byteCount else { throw .size }
      return .none
    }
    let encoding: FrameEncoding
    switch update.codec {
    case "lz4": encoding = .lz4
    case "bslz4": encoding = startsWithSizes(update.bytes) ? .bitshuffleLZ4 : .bitshuffleBlocks
    default: throw .encoding
    }
    guard update.element == .uint8 || update.element == .int8, update.codecParameter == .number(Double(pixel.rawValue))
    else {
      throw .pixel
    }
    guard !update.bytes.isEmpty else { throw .size }
    return encoding
  }

  /// Whether the sizes of the filter of HDF5 come first, as in a file's chunks: then the upper half of the image's size
  /// is zero, and a block's is not.
  private func startsWithSizes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 12 && bytes.prefix(4).allSatisfy { $0 == 0 }
  }

  private func key(_ reading: NDArrayUpdate.Reading) throws(MessageFault) -> ImageKey? {
    guard let number = try finite(reading) else { return nil }
    guard let value = Int(exactly: number), let key = ImageKey(rawValue: value) else { throw .field }
    return key
  }

  private func finite(_ reading: NDArrayUpdate.Reading) throws(MessageFault) -> Double? {
    switch reading {
    case .none: return nil
    case .number(let number) where number.isFinite: return number
    case .number, .other: throw .field
    }
  }
}

extension PixelType {
  fileprivate var element: NDArrayUpdate.Element {
    switch self {
    case .uint8: .uint8
    case .uint16: .uint16
    case .uint32: .uint32
    case .float32: .float32
    }
  }
}
