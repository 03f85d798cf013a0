/// What a stream says of a scan beside its images: in the header of an `array-1.0` image, or in the message with which
/// a series of DECTRIS begins. Each is as the sender says it, within limits.
///
/// ```
/// array-1.0     {…, "projections": 180, "flats": 5, "darks": 5, "sample": "tooth", "theta_start": 0, "theta_step": 1,
///                "energy": 20 (keV), "pixel_size": 0.0065 (mm)}
/// dheader-1.0   [head] [{…, "nimages": 180, "ntrigger": 1, "omega_start": 0, "omega_increment": 1,
///                       "photon_energy": 20000 (eV), "x_pixel_size": 75e-6 (m)}]
/// start         {…, "number_of_images": 180, "goniometer": {"omega": {"start": 0, "increment": 1}, …},
///                "incident_energy": 20000 (eV), "pixel_size_x": 75e-6 (m),
///                "user_data": {"sample": "tooth", "projections": 175, "flats": 5}}
/// NTNDArray     attributes projections, flats, darks, sample, energy (keV) and pixel_size (mm)
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
  /// Energy of the X-rays in keV.
  package var energy: Double?
  /// Edge of a detector pixel at the sample, in mm.
  package var pixelSize: Double?
  /// Degrees of the first projection.
  package var thetaStart: Double?
  /// Degrees from one projection to the next.
  package var thetaStep: Double?

  private static let countMax: UInt64 = 10_000_000
  private static let fieldsMax = 256
  private static let sampleLengthMax = 80
  private static let angleMax = 1e6
  private static let (energies, pixelSizes) = (1e-3...1e5, 1e-7...10.0)

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

  /// What the attributes of an NTNDArray say.
  init(_ update: NDArrayUpdate) {
    func count(_ reading: NDArrayUpdate.Reading) -> Int? {
      guard case .number(let number) = reading, let count = Int(exactly: number), (0...Int(Self.countMax)) ~= count
      else { return nil }
      return count
    }
    (projections, flats, darks) = (count(update.projections), count(update.flats), count(update.darks))
    sample = Self.sample(update.sample.utf8)
    if case .number(let number) = update.energy { setEnergy(number) }
    if case .number(let number) = update.pixelSize { setPixelSize(number) }
  }

  /// In keV; what is no energy of X-rays is not said.
  private mutating func setEnergy(_ number: Double) { if Self.energies ~= number { energy = number } }

  /// In mm, likewise.
  private mutating func setPixelSize(_ number: Double) { if Self.pixelSizes ~= number { pixelSize = number } }

  /// All images of the scan; nil where that is not said.
  package var total: Int? { projections.map { $0 + (flats ?? 0) + (darks ?? 0) } ?? images }

  /// The same, and where it says nothing, what `other` says.
  package func filled(by other: ScanAnnouncement) -> ScanAnnouncement {
    var filled = self
    filled.images = images ?? other.images
    filled.projections = projections ?? other.projections
    (filled.flats, filled.darks) = (flats ?? other.flats, darks ?? other.darks)
    filled.sample = sample ?? other.sample
    (filled.energy, filled.pixelSize) = (energy ?? other.energy, pixelSize ?? other.pixelSize)
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
        sample = (value.kind == .string ? Self.sample(value.bytes) : nil) ?? sample
      } else if key.isString("energy") {
        if let number = try? value.number() { setEnergy(number) }
      } else if key.isString("photon_energy") {
        if let number = try? value.number() { setEnergy(number / 1000) }
      } else if key.isString("pixel_size") {
        if let number = try? value.number() { setPixelSize(number) }
      } else if key.isString("x_pixel_size") {
        if let number = try? value.number() { setPixelSize(number * 1000) }
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
    if CBORReader.CBORKind(rawValue: part[0] >> 5) == .tag { _ = try reader.head() }
    var said = self
    try reader.eachPair { word, value in
      var value = value
      if word.isWord("number_of_images") {
        said.images = Self.count(&value).flatMap { $0 > 0 ? $0 : nil }
      } else if word.isWord("incident_energy") {
        if let number = try? value.number() { said.setEnergy(number / 1000) }
      } else if word.isWord("pixel_size_x") {
        if let number = try? value.number() { said.setPixelSize(number * 1000) }
      } else if word.isWord("goniometer") {
        try? value.eachPair { if $0.isWord("omega") { said.readAxis($1) } }
      } else if word.isWord("user_data") {
        try? value.eachPair { said.readUserData($0, $1) }
      }
    }
    self = said
  }

  private mutating func readAxis(_ axis: CBORReader) {
    var axis = axis
    try? axis.eachPair { word, value in
      var value = value
      guard let angle = (try? value.number()).flatMap(Self.angle) else { return }
      if word.isWord("start") { thetaStart = angle }
      if word.isWord("increment"), angle != 0 { thetaStep = angle }
    }
  }

  private mutating func readUserData(_ word: UnsafeRawBufferPointer, _ value: CBORReader) {
    var value = value
    if word.isWord("sample") {
      sample = (try? value.string(.text)).flatMap { Self.sample($0) }
    } else if word.isWord("projections") {
      projections = Self.count(&value)
    } else if word.isWord("flats") {
      flats = Self.count(&value)
    } else if word.isWord("darks") {
      darks = Self.count(&value)
    }
  }

  private static func count(_ value: inout CBORReader) -> Int? { (try? value.count(limit: countMax)).map { Int($0) } }

  private static func count(_ value: JSONValue) -> Int? {
    guard let count = try? value.count(limit: countMax) else { return nil }
    return Int(count)
  }

  private static func angle(_ value: JSONValue) -> Double? { (try? value.number()).flatMap(angle) }

  private static func angle(_ angle: Double) -> Double? { abs(angle) <= angleMax ? angle : nil }

  /// Text of which a folder may be named; nil where nothing of it is left.
  static func sample(_ bytes: some Sequence<UInt8>) -> String? {
    let text = plainLine(bytes.prefix(sampleLengthMax))
    return text.isEmpty ? nil : text
  }
}
