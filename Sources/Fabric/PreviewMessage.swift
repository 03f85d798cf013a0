internal import CLinux
internal import Host
internal import Rings

/// A projection of a scan in fewer pixels, as people look at it at the far end of a thin link: whole in one message.
///
/// ```
///   0  magic "SLPV" u32, layout u16 (1), codec u16 (0 none, 1 packed)       8  run, 16 bytes
///  24  projection u64 (its number)     32  theta f64 (radians)     40  acquiredAt u64 (nanoseconds since 1970)
///  48  shown u64 (previews of the run, with this one)              56  rows u32, columns u32
///  64  binning u16, pixel u16, flags u32 (1 the scan's last)       72  pixelsCRC32C u32 (as they were before packing)
///  76  headerCRC32C u32 (of 0 … 75)
///  80  rows × columns pixels, as they are or packed
/// ```
package struct PreviewMessage: Equatable, Sendable {
  /// The number of the projection.
  package let projection: UInt64
  /// Its angle in radians.
  package let theta: Double
  /// When it was acquired, in nanoseconds since 1970.
  package let acquiredAt: UInt64
  /// Previews that were published of the run, with this one.
  package let shown: UInt64
  /// Rows and columns of the preview.
  package let rows: Int
  package let columns: Int
  /// Pixels of the projection in each direction that became one.
  package let binning: Int
  /// What its pixels are.
  let pixel: PixelType
  /// Whether it is the scan's last projection.
  package let isLast: Bool

  /// Projections up to this one that were not shown.
  package var skipped: UInt64 { projection + 1 - shown }

  /// Whether it says of another one's projection that it was the last.
  func ends(_ other: PreviewMessage) -> Bool { projection == other.projection && isLast && !other.isLast }

  /// Bytes before the pixels.
  static let headByteCount = 80
  private static let (magic, layout): (UInt32, UInt16) = (0x5650_4C53, 1)
  private static let flagLast: UInt32 = 1
  /// Pixels that become one, in each direction, at most.
  static let binningMax = 256
  private static let countMax: UInt64 = 1 << 48
  private static let thetaMax = 2 * Double.pi * 1e6

  /// Why bytes are no preview.
  enum Fault: String, Error, CaseIterable { case length, value, identity, checksum, packing }

  /// What is said of a projection, with pixels of `image`.
  init(
    _ header: EventHeader, _ image: BinnedImage, pixel: PixelType, shown: UInt64, isLast: Bool
  ) {
    (projection, theta, acquiredAt) = (header.projection, header.theta, header.acquiredAt)
    (self.shown, self.pixel, self.isLast) = (shown, pixel, isLast)
    (rows, columns, binning) = (image.rows, image.columns, image.binning)
  }

  /// The message, with its pixels packed where that makes them fewer bytes.
  func encode(_ pixels: UnsafeRawBufferPointer, run: RunID) -> [UInt8] {
    precondition(pixels.count == rows * columns * pixel.byteCount, "\(pixels.count) B of pixels")
    return [UInt8](unsafeUninitializedCapacity: Self.headByteCount + pixels.count) { buffer, count in
      let message = UnsafeMutableRawBufferPointer(buffer)
      let (codec, stored) = BandCodec.write(
        pixels, elementByteCount: pixel.byteCount,
        into: UnsafeMutableRawBufferPointer(
          rebasing: message[Self.headByteCount...][..<(Self.headByteCount + pixels.count)]))
      func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        message.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
      }
      store(Self.magic, at: 0)
      store(Self.layout, at: 4)
      store(codec.rawValue, at: 6)
      store(run.low, at: 8)
      store(run.high, at: 16)
      store(projection, at: 24)
      store(theta.bitPattern, at: 32)
      store(acquiredAt, at: 40)
      store(shown, at: 48)
      store(UInt32(rows), at: 56)
      store(UInt32(columns), at: 60)
      store(UInt16(binning), at: 64)
      store(pixel.code, at: 66)
      store(isLast ? Self.flagLast : 0, at: 68)
      store(clinux_crc32c(0, pixels.baseAddress, pixels.count), at: 72)
      store(clinux_crc32c(0, message.baseAddress, 76), at: 76)
      count = Self.headByteCount + stored
    }
  }

  /// Reads a preview of `run`, and its pixels in the order of rows.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, run: RunID
  ) throws(Fault) -> (message: PreviewMessage, pixels: [UInt8]) {
    guard (headByteCount + 1...BandMessage.byteCountMax).contains(bytes.count) else { throw .length }
    let message = try PreviewMessage(head: bytes, run: run)
    guard let codec = BandCodec(rawValue: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)))
    else { throw .value }
    let stored = UnsafeRawBufferPointer(rebasing: bytes[headByteCount...])
    let (count, isTooLarge) = message.rows.multipliedReportingOverflow(by: message.columns * message.pixel.byteCount)
    // Whatever would not fit into a message as it is was never packed: who unpacks needs no more room than that.
    guard !isTooLarge, count <= BandMessage.byteCountMax - headByteCount,
      codec.allows(stored: stored.count, plain: count)
    else { throw .length }
    var isUnpacked = true
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
      let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      if codec == .none {
        target.copyMemory(from: stored)
      } else {
        isUnpacked = codec.unpack(stored, elementByteCount: message.pixel.byteCount, into: target)
        if !isUnpacked { _ = target.initializeMemory(as: UInt8.self, repeating: 0) }
      }
      used = count
    }
    guard isUnpacked else { throw .packing }
    let sum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 72, as: UInt32.self))
    guard pixels.withUnsafeBytes({ clinux_crc32c(0, $0.baseAddress, $0.count) }) == sum else { throw .checksum }
    return (message, pixels)
  }

  /// Reads what stands before the pixels.
  private init(head bytes: UnsafeRawBufferPointer, run: RunID) throws(Fault) {
    func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    guard clinux_crc32c(0, bytes.baseAddress, 76) == load(76, as: UInt32.self) else { throw .checksum }
    guard load(0, as: UInt32.self) == Self.magic, load(4, as: UInt16.self) == Self.layout else { throw .value }
    guard load(8, as: UInt64.self) == run.low, load(16, as: UInt64.self) == run.high else { throw .identity }
    (projection, acquiredAt) = (load(24, as: UInt64.self), load(40, as: UInt64.self))
    theta = Double(bitPattern: load(32, as: UInt64.self))
    shown = load(48, as: UInt64.self)
    (rows, columns) = (Int(load(56, as: UInt32.self)), Int(load(60, as: UInt32.self)))
    binning = Int(load(64, as: UInt16.self))
    let flags = load(68, as: UInt32.self)
    guard let pixel = PixelType(code: load(66, as: UInt16.self)), flags <= Self.flagLast, projection < Self.countMax,
      (1...projection + 1).contains(shown), abs(theta) <= Self.thetaMax, (1...Self.binningMax).contains(binning),
      rows > 0, columns > 0, rows <= BandMessage.byteCountMax, columns <= BandMessage.byteCountMax
    else { throw .value }
    (self.pixel, isLast) = (pixel, flags == Self.flagLast)
  }
}
