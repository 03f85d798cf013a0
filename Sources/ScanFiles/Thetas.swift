import Host

/// What somebody says of the thetas of a file that has none: degrees of the first projection, and from one to the next.
package struct ThetaSpacing: Equatable, Sendable {
  /// Nil for 0.
  let start: Double?
  /// Nil for half a turn over all projections.
  let step: Double?

  /// As given.
  package init(start: Double? = nil, step: Double? = nil) { (self.start, self.step) = (start, step) }

  /// Throws where nobody says how far apart the projections are of a file whose number of projections still rises.
  func checkIsKnown(in file: HDF5File) throws(FileError) {
    guard step == nil, file.isGrowing else { return }
    throw file.bad("it is still being written and has no thetas: give --theta-step, or wait until it is closed")
  }

  /// Throws where something is said of a file that has thetas, in `name`.
  func refuse(in file: HDF5File, which name: String) throws(FileError) {
    guard start == nil, step == nil else {
      throw file.bad("it has thetas, \(name); leave --theta-start and --theta-step out")
    }
  }
}

/// Turns a file's angles into radians.
struct Thetas {
  /// One a projection, in radians; all finite.
  let radians: [Double]
  /// Where they come from and their unit in the file.
  let source: String
  let notices: [String]

  /// No stage turns a sample that often; beyond it, a double begins to lose the fraction of the turn.
  private static let radiansMax = 2e6 * Double.pi

  /// - Parameters:
  ///   - values: as they are in the dataset `name`.
  ///   - attribute: its `units`, if any.
  ///   - unitByDefinition: what the file format says of angles without a unit; nil when it says nothing.
  init(
    _ values: [Double], of name: String, attribute: String?, unitByDefinition: ThetaUnit?, wanted: ThetaUnit,
    file: HDF5File
  ) throws(FileError) {
    if let bad = values.firstIndex(where: { !$0.isFinite }) {
      throw file.bad("\(name)[\(bad)] is \(values[bad]): every projection needs a finite theta")
    }
    var notices: [String] = []
    let stated = try Self.unit(attribute, of: name, isNeeded: wanted == .automatic, file: file)
    let unit: ThetaUnit
    if wanted != .automatic {
      unit = wanted
      if let stated, stated != wanted {
        notices.append("\(name) says \(stated), and is taken as \(wanted) as asked for")
      }
    } else if let stated {
      unit = stated
    } else if let unitByDefinition {
      // What the format says of a file that says nothing is often not meant: a scan over three to six degrees is rare.
      let isDoubtful = unitByDefinition == .degrees && Self.spansHalfTurn(values)
      unit = isDoubtful ? .radians : unitByDefinition
      if isDoubtful {
        notices.append(
          "\(name) has no unit and spans half a turn in radians, so it is taken as radians; "
            + "--theta-unit degrees decides otherwise")
      }
    } else {
      unit = Self.looksLikeRadians(values) ? .radians : .degrees
      notices.append("\(name) has no unit and is taken as \(unit); --theta-unit decides otherwise")
    }
    radians = unit == .degrees ? values.map { $0 * .pi / 180 } : values
    if let bad = radians.firstIndex(where: { !(abs($0) <= Self.radiansMax) }) {
      throw file.bad("\(name)[\(bad)] is \(values[bad]) \(unit), more than a million turns: that is no theta")
    }
    if stated == unit, let doubt = Self.doubt(values, unit) { notices.append("\(name) \(doubt)") }
    source = "\(name) in \(unit)"
    self.notices = notices
  }

  /// Evenly spaced, as somebody says, or over half a turn.
  init(_ spacing: ThetaSpacing, count: Int, path: String) throws(FileError) {
    let (start, step) = (spacing.start ?? 0, spacing.step ?? 180 / Double(max(1, count)))
    let degrees = (0..<count).map { start + Double($0) * step }
    radians = degrees.map { $0 * .pi / 180 }
    guard radians.allSatisfy({ abs($0) <= Self.radiansMax }) else {
      throw .badData(
        path: path, reason: "\(count) projections from \(start) degrees in steps of \(step): that are no thetas")
    }
    source = "start and step"
    notices = [
      "it has no thetas: they are taken to be \(start) to \(Float(degrees.last ?? start)) degrees "
        + "in \(count) even steps; --theta-start and --theta-step decide otherwise"
    ]
  }

  private init(radians: [Double], source: String, notices: [String]) {
    (self.radians, self.source, self.notices) = (radians, source, notices)
  }

  /// Those of some projections, by their numbers.
  func keeping(_ indices: [Int]) -> Thetas {
    Thetas(radians: indices.map { radians[$0] }, source: source, notices: notices)
  }

  /// Why the unit that a file states is hardly meant; nil where it may be.
  private static func doubt(_ values: [Double], _ unit: ThetaUnit) -> String? {
    if unit == .degrees {
      guard spansHalfTurn(values) else { return nil }
      return "says degrees and spans half a turn in radians: --theta-unit radians takes it so"
    }
    guard values.count > 2, let least = values.min(), let most = values.max() else { return nil }
    // With or without the last step: half a turn or a whole one, of degrees.
    let spans = [most - least, (most - least) * Double(values.count) / Double(values.count - 1)]
    guard spans.contains(where: { abs($0 / 180 - 1) < 0.01 || abs($0 / 360 - 1) < 0.01 }) else { return nil }
    let turns = Int((spans[1] / 2 / .pi).rounded())
    return "says radians and spans \(turns) turns: --theta-unit degrees takes it as degrees"
  }

  /// Radians never exceed a full turn, up to rounding in single precision; degrees of a scan practically always do.
  private static func looksLikeRadians(_ values: [Double]) -> Bool { values.allSatisfy { abs($0) <= 2 * .pi + 1e-5 } }

  /// Whether angles, taken as radians, span about half a turn or more, and never exceed a full one.
  private static func spansHalfTurn(_ values: [Double]) -> Bool {
    guard values.count > 2, let least = values.min(), let most = values.max(), looksLikeRadians(values) else {
      return false
    }
    return (most - least) * Double(values.count) / Double(values.count - 1) > 0.98 * .pi
  }

  /// The unit that a `units` attribute says; nil where there is none, or an unknown one that is not needed.
  static func unit(_ attribute: String?, of name: String, isNeeded: Bool, file: HDF5File) throws(FileError)
    -> ThetaUnit?
  {
    switch attribute?.lowercased() {
    case nil, "": return nil
    case "degrees", "degree", "deg", "deg.", "°": return .degrees
    case "radians", "radian", "rad", "rad.": return .radians
    case .some(let other):
      guard !isNeeded else {
        throw file.bad("\(name) has the unknown unit '\(other)'; say --theta-unit degrees or radians")
      }
      return nil
    }
  }
}

/// The factor from a unit of length to millimetres, or nil when it is none that is known.
func millimetres(perUnit unit: String) -> Double? {
  switch unit.lowercased() {
  case "m", "meter", "meters", "metre", "metres": 1e3
  case "cm", "centimeter", "centimeters": 10
  case "mm", "millimeter", "millimeters", "millimetre", "millimetres": 1
  case "um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres": 1e-3
  case "nm", "nanometer", "nanometers", "nanometre", "nanometres": 1e-6
  default: nil
  }
}

/// Pixel sizes in millimetres, from an atom's to a metre. Anything else is a placeholder and would not survive as a
/// scale of single precision.
private let sizesPossible = 1e-7...1e3

/// The first length of `names` that is one number with a unit, and the size of some pixel.
func pixelSizeMillimetres(_ file: HDF5File, of names: [String]) throws(FileError) -> Double? {
  for name in names where try file.hasDataset(name) {
    guard let unit = try file.text(ofAttribute: "units", of: name), let factor = millimetres(perUnit: unit) else {
      continue
    }
    let values = try file.numbers(name)
    if let size = values.first, values.count == 1, sizesPossible.contains(size * factor) { return size * factor }
  }
  return nil
}
