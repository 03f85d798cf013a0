import Host

/// Reads the updates of an NTNDArray. Nothing that an update says is believed before it is checked.
package struct NDArrayDecoder: Sendable {
  private let format: FrameFormat

  /// A decoder of images of `format`; others are refused.
  package init(format: FrameFormat) { self.format = format }

  /// Reads one update; nil for one without an image, as a variable holds before its first one.
  package func decode(_ update: NDArrayUpdate) throws(MessageFault) -> (
    header: FrameHeader, image: UnsafeRawBufferPointer
  )? {
    if update.element == nil, update.dimensionCount == 0 { return nil }
    guard let number = frameNumber(update.number) else { throw .number }
    guard update.dimensionCount == 2, update.dimensions == (Int64(format.columns), Int64(format.rows)) else {
      throw .shape
    }
    var header = FrameHeader(number: number)
    header.encoding = try encoding(update)
    header.theta = try finite(update.theta)
    header.key = try key(update.imageKey)
    // Detectors' clocks are often wrong, which is no fault of the image.
    header.timestamp = try? finite(update.timestamp)
    return (header, update.bytes)
  }

  /// What is to be said of an update that was refused for `fault`; nil where its name says all.
  func words(for fault: MessageFault, _ update: NDArrayUpdate) -> String? {
    switch fault {
    case .number: return "uniqueId \(update.number) came"
    case .shape:
      guard update.dimensionCount == 2 else { return "\(update.dimensionCount) dimensions came, 2 were wanted" }
      return shapeWords(
        came: (Int(clamping: update.dimensions.1), Int(clamping: update.dimensions.0)), wanted: format)
    case .pixel:
      let came = update.element.map { "\($0)" } ?? "nothing"
      return "\(came) came, \(format.pixel.rawValue) was wanted: --pixel says which"
    case .encoding: return "codec \(plainLine(update.codec.utf8.prefix(64))) came"
    case .size: return "\(update.bytes.count) B of pixels came, \(format.byteCount) B were wanted"
    case .field: return "theta or image_key is no number that it can have"
    default: return nil
    }
  }

  private func encoding(_ update: NDArrayUpdate) throws(MessageFault) -> FrameEncoding {
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
