package import Host

/// The intensity of one image in all.
package struct ImageTotal: Equatable, Sendable {
  /// The sum of its finite pixels, in detector units.
  package let sum: Double
  /// Whether every pixel is zero: what a file holds where nothing was written.
  package let isZero: Bool
  /// Whether it has a finite pixel.
  let isFinite: Bool

  /// The total of `pixels`, all of one image, at any alignment. Counts are summed exactly, floats one after the other:
  /// the same image has the same total everywhere.
  package init(_ pixels: UnsafeRawBufferPointer, type: PixelType) {
    let count = pixels.count / type.byteCount
    precondition(count > 0 && pixels.count == count * type.byteCount, "\(pixels.count) B are no pixels of \(type)")
    switch type {
    case .uint8: self.init(counts: Self.sum(pixels, count, as: UInt8.self))
    case .uint16: self.init(counts: Self.sum(pixels, count, as: UInt16.self))
    case .uint32: self.init(counts: Self.sum(pixels, count, as: UInt32.self))
    case .float32: self.init(floats: pixels, count: count)
    }
  }

  private init(counts sum: UInt64) { (self.sum, isZero, isFinite) = (Double(sum), sum == 0, true) }

  private init(floats pixels: UnsafeRawBufferPointer, count: Int) {
    var (sum, isZero, isFinite) = (0.0, true, false)
    for index in 0..<count {
      let value = pixels.loadUnaligned(fromByteOffset: index &* 4, as: Float.self)
      isZero = isZero && value == 0
      guard value.isFinite else { continue }
      sum += Double(value)
      isFinite = true
    }
    (self.sum, self.isZero, self.isFinite) = (sum, isZero, isFinite)
  }

  @inline(__always)
  private static func sum<Count: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ pixels: UnsafeRawBufferPointer, _ count: Int, as type: Count.Type
  ) -> UInt64 {
    var sum: UInt64 = 0
    for index in 0..<count {
      sum &+= UInt64(pixels.loadUnaligned(fromByteOffset: index &* MemoryLayout<Count>.size, as: type))
    }
    return sum
  }
}

/// How bright images are with and without beam, as far as is known: so images are told that show nothing.
///
/// An image is **empty** where all its pixels are zero, where a flat field is no brighter than the dark field, or where
/// a projection has less than 1/256 of the beam's intensity above the dark field. That is a mean line integral beyond
/// 5.5 over the whole image, which no scan is made with; a shutter that is shut, a beam that is lost and a part of a
/// file that was never written are below it.
package struct BeamLevel: Equatable, Sendable {
  /// The mean total of the dark fields; nil without any.
  private let dark: Double?
  /// The mean total of the flat fields; nil without any.
  private let flat: Double?

  private static let share = 1.0 / 256

  /// From the sums of the totals of so many dark and flat fields.
  package init(darks: (sum: Double, count: Int), flats: (sum: Double, count: Int)) {
    dark = darks.count > 0 ? darks.sum / Double(darks.count) : nil
    flat = flats.count > 0 ? flats.sum / Double(flats.count) : nil
  }

  /// The same where `other` knows less of it.
  package func filled(by other: BeamLevel) -> BeamLevel {
    BeamLevel(dark: dark ?? other.dark, flat: flat ?? other.flat)
  }

  private init(dark: Double?, flat: Double?) { (self.dark, self.flat) = (dark, flat) }

  /// Whether a flat field is empty.
  package func isEmpty(flat image: ImageTotal) -> Bool { image.isZero || isDark(image) }

  /// Whether a projection is empty. Without flat fields it is compared with the dark field alone. One without any
  /// finite pixel is not: its pixels are counted as such.
  package func isEmpty(projection image: ImageTotal) -> Bool {
    guard image.isFinite else { return false }
    guard let flat, flat > dark ?? 0 else { return image.isZero || (flat == nil && isDark(image)) }
    return image.isZero || image.sum - (dark ?? 0) < (flat - (dark ?? 0)) * Self.share
  }

  private func isDark(_ image: ImageTotal) -> Bool {
    guard image.isFinite, let dark, dark > 0 else { return false }
    return abs(image.sum - dark) <= dark * Self.share
  }
}
