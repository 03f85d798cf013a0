package import Alarms

/// A trigger's alarm begins or ends: what `watch` writes to `alarms`.
///
/// ```
/// metadata (48 + n B, little-endian)
///    0  state u16 (1 begins, 2 ends)    2  severity u16 (1 notice, 2 warning, 3 critical)    4  gauge u16, n u16
///    8  at u64 (ns since 1970)         16  value f64          24  forecast f64 (NaN for none)
///   32  evidence u64: the newest image then, by its sequence, 2^64−1 for none
///   40  flags u64: 1 where the alarm ended because the run did
///   48  the trigger's record, UTF-8, n B (1 … 512)
/// ```
package struct AlarmEvent: Equatable, Sendable {
  /// The trigger.
  package var trigger: Trigger
  /// Whether its alarm begins.
  package var isRaised: Bool
  /// When, in nanoseconds since 1970.
  package var at: UInt64
  /// The gauge then.
  package var value: Double
  /// As the trigger's model says; nil for none.
  package var forecast: Double?
  /// The newest image then, by its sequence; nil before the first.
  package var evidence: UInt64?
  /// Whether the alarm ended because the run did: its cause may last.
  package var isEndOfRun = false

  private static let (fixedByteCount, textMax) = (48, 512)

  /// An event as given.
  package init(
    trigger: Trigger, isRaised: Bool, at: UInt64, value: Double, forecast: Double?, evidence: UInt64?,
    isEndOfRun: Bool = false
  ) {
    (self.trigger, self.isRaised, self.at, self.value) = (trigger, isRaised, at, value)
    (self.forecast, self.evidence, self.isEndOfRun) = (forecast, evidence, isEndOfRun)
  }

  /// For people.
  package var words: String {
    isEndOfRun
      ? trigger.wordsAtEnd(value: value) : trigger.words(isRaised: isRaised, value: value, forecast: forecast)
  }

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    let text = Array(trigger.text.utf8)
    precondition(text.count <= Self.textMax, "a trigger of \(text.count) B")
    metadata.store(UInt16(isRaised ? 1 : 2), at: 0)
    metadata.store(UInt16(1 + (Trigger.Severity.allCases.firstIndex(of: trigger.severity) ?? 0)), at: 2)
    metadata.store(UInt16(trigger.gauge.place), at: 4)
    metadata.store(UInt16(text.count), at: 6)
    metadata.store(at, at: 8)
    metadata.store(value, at: 16)
    metadata.store(forecast ?? .nan, at: 24)
    metadata.store(evidence ?? .max, at: 32)
    metadata.store(UInt64(isEndOfRun ? 1 : 0), at: 40)
    UnsafeMutableRawBufferPointer(rebasing: metadata[Self.fixedByteCount...]).copyBytes(from: text)
    return Self.fixedByteCount + text.count
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let fixed = UnsafeRawBufferPointer(rebasing: metadata.prefix(Self.fixedByteCount))
    let fields = try MetadataFields(fixed, byteCount: Self.fixedByteCount, of: "alarm")
    let byteCount = Int(fields.u16(at: 6))
    guard (1...Self.textMax).contains(byteCount), metadata.count == Self.fixedByteCount + byteCount,
      let text = String(validating: metadata.dropFirst(Self.fixedByteCount), as: UTF8.self),
      let trigger = try? Trigger(parsing: text), trigger.gauge.place == Int(fields.u16(at: 4)),
      Trigger.Severity.allCases.firstIndex(of: trigger.severity) == Int(fields.u16(at: 2)) - 1
    else { throw .malformed("alarm of \(metadata.count) B without a trigger") }
    guard (1...2).contains(fields.u16(at: 0)) else { throw .malformed("alarm state \(fields.u16(at: 0))") }
    let (value, forecast, evidence) = (fields.f64(at: 16), fields.f64(at: 24), fields.u64(at: 32))
    guard value.isFinite else { throw .malformed("alarm at a value of \(value)") }
    self.init(
      trigger: trigger, isRaised: fields.u16(at: 0) == 1, at: fields.u64(at: 8), value: value,
      forecast: forecast.isFinite ? forecast : nil, evidence: evidence == .max ? nil : evidence,
      isEndOfRun: fields.u64(at: 40) & 1 == 1 && fields.u16(at: 0) == 2)
  }
}
