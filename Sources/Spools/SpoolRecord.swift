import Detectors

/// A frame in a spool: what the detector said of it, beside its bytes as they came.
///
/// ```
/// event of kind projection, whatever the image is of     payload: the image as it came, packed or not
/// metadata (48 B, little-endian)
///    0  number u64              8  series u64             16  theta f64, in the stream's unit
///   24  timestamp f64          32  key u32                36  encoding u32: 0 none, 1 lz4, 2 lz4 of HDF5,
///   40  fields u32: 1 series, 2 theta, 4 timestamp,            3 bitshuffle of HDF5, 4 bitshuffle of EPICS
///       8 key, 16 most significant byte first             44  reserved u32
/// ```
/// The last event is of kind end, without metadata.
enum SpoolRecord {
  static let byteCount = 48

  private static let encodings: [FrameEncoding] = [.none, .lz4, .lz4Blocks, .bitshuffleLZ4, .bitshuffleBlocks]
  private static let (hasSeries, hasTheta, hasTimestamp, hasKey, isBigEndian):
    (UInt32, UInt32, UInt32, UInt32, UInt32) =
      (1, 2, 4, 8, 16)

  /// Writes what a frame says of itself; returns the bytes used.
  static func encode(_ header: FrameHeader, into metadata: UnsafeMutableRawBufferPointer) -> Int {
    var fields: UInt32 = header.isBigEndian ? isBigEndian : 0
    if header.series != nil { fields |= hasSeries }
    if header.theta != nil { fields |= hasTheta }
    if header.timestamp != nil { fields |= hasTimestamp }
    if header.key != nil { fields |= hasKey }
    guard let encoding = encodings.firstIndex(of: header.encoding) else {
      preconditionFailure("no number for \(header.encoding)")
    }
    metadata.storeBytes(of: header.number.littleEndian, toByteOffset: 0, as: UInt64.self)
    metadata.storeBytes(of: (header.series ?? 0).littleEndian, toByteOffset: 8, as: UInt64.self)
    metadata.storeBytes(of: (header.theta ?? 0).bitPattern.littleEndian, toByteOffset: 16, as: UInt64.self)
    metadata.storeBytes(of: (header.timestamp ?? 0).bitPattern.littleEndian, toByteOffset: 24, as: UInt64.self)
    metadata.storeBytes(of: UInt32(header.key?.rawValue ?? 0).littleEndian, toByteOffset: 32, as: UInt32.self)
    metadata.storeBytes(of: UInt32(encoding).littleEndian, toByteOffset: 36, as: UInt32.self)
    metadata.storeBytes(of: fields.littleEndian, toByteOffset: 40, as: UInt32.self)
    metadata.storeBytes(of: 0, toByteOffset: 44, as: UInt32.self)
    return byteCount
  }

  /// Reads it back; nil where a field has no meaning.
  static func decode(_ metadata: UnsafeRawBufferPointer) -> FrameHeader? {
    guard metadata.count == byteCount else { return nil }
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: metadata.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func half(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: metadata.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    let (theta, timestamp) = (Double(bitPattern: word(16)), Double(bitPattern: word(24)))
    let (key, encoding, fields) = (ImageKey(rawValue: Int(half(32))), Int(half(36)), half(40))
    guard word(0) <= StreamDecoder.numberMax, theta.isFinite, timestamp.isFinite, let key,
      encodings.indices.contains(encoding), fields < 2 * isBigEndian, half(44) == 0
    else { return nil }
    var header = FrameHeader(number: word(0))
    header.series = fields & hasSeries != 0 ? word(8) : nil
    header.theta = fields & hasTheta != 0 ? theta : nil
    header.timestamp = fields & hasTimestamp != 0 ? timestamp : nil
    header.key = fields & hasKey != 0 ? key : nil
    (header.encoding, header.isBigEndian) = (encodings[encoding], fields & isBigEndian != 0)
    return header
  }
}
