/// What a stream says of a scan beside its images: in the header of an `array-1.0` image, or in the message with which
/// a series of DECTRIS begins. Each is as the sender says it, within limits.
///
/// ```
/// array-1.0     {…, "projections": 180, "flats": 5, "darks": 5, "sample": "tooth", "theta_start": 0, "theta_step": 1}
/// dheader-1.0   [head] [{…, "nimages": 180, "ntrigger": 1, "omega_start": 0, "omega_increment": 1}]
/// start         {…, "number_of_images": 180, "user_data": {"sample": "tooth"}}
/// ```
package struct ScanAnnouncement: Codable, Equatable, Sendable {
  /// Images of the scan, whatever they are of.
  var images: Int?
  /// Projections.
  package var projections: Int?
  /// Flat fields.
  package var flats: Int?
  /// Dark fields.
  package var darks: Int?
  /// What is measured, in plain text of one line.
  package var sample: String?
  /// Degrees of the first projection.
  package var thetaStart: Double?
  /// Degrees from one projection to the next.
  package var thetaStep: Double?

  private static let countMax: UInt64 = 10_000_000
  private static let fieldsMax = 256
  private static let sampleLengthMax = 80
  private static let angleMax = 1e6

  /// Of nothing.
  package init() {}

  /// Reads what a message says; what cannot be read is not said.
  init(_ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) {
    guard let first = parts.first else { return }
    if parts.count == 1, Stream2Message.isOne(first) {
      do throws(MessageFault) { try readStream2(first) } catch {}
      return
    }
    // The configuration of a DECTRIS header is its second part, which an image has as bytes.
    for part in parts.prefix(2) where part.first == UInt8(ascii: "{") {
      do throws(MessageFault) { try read(part) } catch {}
    }
  }

  /// All images of the scan; nil where that is not said.
  package var total: Int? { projections.map { $0 + (flats ?? 0) + (darks ?? 0) } ?? images }

  /// The same, and where it says nothing, what `other` says.
  package func filled(by other: ScanAnnouncement) -> ScanAnnouncement {
    var filled = self
    filled.images = images ?? other.images
    filled.projections = projections ?? other.projections
    (filled.flats, filled.darks) = (flats ?? other.flats, darks ?? other.darks)
    filled.sample = sample ?? other.sample
    (filled.thetaStart, filled.thetaStep) = (thetaStart ?? other.thetaStart, thetaStep ?? other.thetaStep)
    return filled
  }

  private mutating func read(_ part: UnsafeRawBufferPointer) throws(MessageFault) {
    guard part.count <= StreamDecoder.headerByteCountMax else { return }
    var object = try JSONObject(part)
    var (imagesOfTrigger, triggers) = (UInt64?.none, UInt64?.none)
    for _ in 0..<Self.fieldsMax {
      guard let (key, value) = try object.next() else { break }
      if key.isString("projections") {
        projections = Self.count(value) ?? projections
      } else if key.isString("flats") {
        flats = Self.count(value) ?? flats
      } else if key.isString("darks") {
        darks = Self.count(value) ?? darks
      } else if key.isString("nimages") {
        imagesOfTrigger = Self.count(value).map(UInt64.init)
      } else if key.isString("ntrigger") {
        triggers = Self.count(value).map(UInt64.init)
      } else if key.isString("sample") {
        sample = Self.sample(value) ?? sample
      } else if key.isString("theta_start") || key.isString("omega_start") {
        thetaStart = Self.angle(value) ?? thetaStart
      } else if key.isString("theta_step") || key.isString("omega_increment") {
        // A detector that nobody told has an increment of zero.
        thetaStep = Self.angle(value).flatMap { $0 == 0 ? nil : $0 } ?? thetaStep
      }
    }
    guard let imagesOfTrigger, imagesOfTrigger > 0 else { return }
    let all = imagesOfTrigger.multipliedReportingOverflow(by: max(1, triggers ?? 1))
    if !all.overflow, all.partialValue <= Self.countMax { images = Int(all.partialValue) }
  }

  private mutating func readStream2(_ part: UnsafeRawBufferPointer) throws(MessageFault) {
    var reader = CBORReader(part)
    var head = try reader.head()
    if head.kind == .tag { head = try reader.head() }
    guard head.kind == .map else { return }
    var pairs = reader.contents(head)
    while try reader.begin(&pairs) {
      let key = try reader.string(.text)
      guard key.isWord("number_of_images") else {
        try reader.skip()
        continue
      }
      let count = try reader.count(limit: Self.countMax)
      images = count > 0 ? Int(count) : nil
    }
  }

  private static func count(_ value: JSONValue) -> Int? {
    guard let count = try? value.count(limit: countMax) else { return nil }
    return Int(count)
  }

  private static func angle(_ value: JSONValue) -> Double? {
    guard let angle = try? value.number(), abs(angle) <= angleMax else { return nil }
    return angle
  }

  /// Text of which a folder may be named; nil where nothing of it is left.
  private static func sample(_ value: JSONValue) -> String? {
    guard value.kind == .string else { return nil }
    let text = plainLine(value.bytes.prefix(sampleLengthMax))
    return text.isEmpty ? nil : text
  }
}
