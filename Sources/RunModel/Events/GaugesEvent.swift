package import Alarms

/// Some looks at the gauges of a run, one behind the other: what `watch` writes to `alarms` beside alarms, so that a
/// successor goes on with what its predecessor knew, and a night can be looked at afterwards.
///
/// ```
/// metadata (16 + samples · (16 + 4 gauges) B, little-endian)
///    0  samples u16, gauges u16, reserved u32, u64
///   16  of each sample: at u64 (ns since 1970), evidence u64 (2^64−1 for none), gauges f32 (NaN for unknown)
/// ```
package struct GaugesEvent: Equatable, Sendable {
  /// The looks.
  package var samples: [GaugeSample]

  /// The most looks of an event: three seconds.
  package static let samplesMax = 30
  private static let (fixedByteCount, sampleByteCount) = (16, 16 + 4 * Gauge.allCases.count)

  /// An event of 1 to `samplesMax` looks.
  package init(_ samples: [GaugeSample]) {
    precondition((1...Self.samplesMax).contains(samples.count), "\(samples.count) samples")
    self.samples = samples
  }

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    metadata.store(UInt16(samples.count), at: 0)
    metadata.store(UInt16(Gauge.allCases.count), at: 2)
    metadata.store(UInt32(0), at: 4)
    metadata.store(UInt64(0), at: 8)
    for (number, sample) in samples.enumerated() {
      let start = Self.fixedByteCount + number * Self.sampleByteCount
      metadata.store(sample.at, at: start)
      metadata.store(sample.evidence ?? .max, at: start + 8)
      for (place, value) in sample.values.enumerated() {
        metadata.store(value.bitPattern, at: start + 16 + 4 * place)
      }
    }
    return Self.fixedByteCount + samples.count * Self.sampleByteCount
  }

  /// Reads an event back; throws where it has another form.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let head = try MetadataFields(
      UnsafeRawBufferPointer(rebasing: metadata.prefix(Self.fixedByteCount)), byteCount: Self.fixedByteCount,
      of: "gauges")
    let count = Int(head.u16(at: 0))
    guard (1...Self.samplesMax).contains(count), Int(head.u16(at: 2)) == Gauge.allCases.count else {
      throw .malformed("\(count) samples of \(head.u16(at: 2)) gauges")
    }
    let fields = try MetadataFields(
      metadata, byteCount: Self.fixedByteCount + count * Self.sampleByteCount, of: "gauges")
    samples = (0..<count).map { number in
      let start = Self.fixedByteCount + number * Self.sampleByteCount, evidence = fields.u64(at: start + 8)
      var sample = GaugeSample(at: fields.u64(at: start), evidence: evidence == .max ? nil : evidence)
      for place in sample.values.indices {
        sample.values[place] = Float(bitPattern: fields.u32(at: start + 16 + 4 * place))
      }
      return sample
    }
  }
}
