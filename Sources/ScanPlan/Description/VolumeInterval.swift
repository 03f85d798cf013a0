import Host
import ScanFiles

/// How many projections each volume of a series has.
package enum VolumeInterval: Equatable, Sendable {
  /// Those of half a turn.
  case halfTurn
  /// So many.
  case projections(Int)
}

extension VolumeInterval: ScanValue {
  /// For people.
  package static var form: String { "half-turn, or a number of projections from 1" }
  /// `half-turn` or a number.
  package init?(scanText: String) {
    if scanText == "half-turn" {
      self = .halfTurn
    } else if let count = Int(written: scanText), (1...ScanKey.countMax).contains(count) {
      self = .projections(count)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .halfTurn: "half-turn"
    case .projections(let count): "\(count)"
    }
  }
}

extension VolumeInterval {
  /// Splits projections with these thetas, in radians, into those of each volume; what is left at the end makes none.
  ///
  /// Half turns are counted along the rotation, also where the file's angles begin anew with each half turn or turn.
  /// - Throws: `.data` where there is not one whole volume, or where angles do not follow each other evenly and half
  ///   turns are asked for.
  package func parts(thetas: [Double]) throws(ScanFailure) -> [Range<Int>] {
    let parts: [Range<Int>]
    switch self {
    case .projections(let count):
      parts = (0..<thetas.count / count).map { $0 * count..<($0 + 1) * count }
    case .halfTurn:
      parts = try Self.halfTurns(thetas)
    }
    guard !parts.isEmpty else {
      throw ScanFailure(
        .data, "--volume-every \(scanText) needs more than the \(thetas.count) projections that there are")
    }
    return parts
  }

  /// Steps may differ by this part of the usual one.
  private static let unevenness = 0.5
  /// Radians: with larger ones it is not known which way and how far the sample turned.
  private static let stepMax = Double.pi / 8

  private static func halfTurns(_ thetas: [Double]) throws(ScanFailure) -> [Range<Int>] {
    let steps = zip(thetas.dropFirst(), thetas).map { $0 - $1 }
    guard !steps.isEmpty else { return [] }
    let usual = steps.sorted()[steps.count / 2]
    guard usual != 0 else {
      throw ScanFailure(
        .data,
        "--volume-every half-turn needs a sample that goes on turning one way, and the usual step between angles is "
          + "0 degrees; give a number of projections")
    }
    guard abs(usual) <= stepMax else {
      throw ScanFailure(
        .data,
        "--volume-every half-turn needs a sample that turns in small steps, and the usual one is \(degrees(usual)) "
          + "degrees; give a number of projections")
    }
    var turned = [0.0]
    for (index, step) in steps.enumerated() {
      // Half turns that a file takes back.
      let real = step - ((step - usual) / .pi).rounded() * .pi
      guard abs(real - usual) <= unevenness * abs(usual) else {
        throw ScanFailure(
          .data,
          "--volume-every half-turn needs angles that follow each other evenly, and from projection \(index) to "
            + "\(index + 1) the step is \(degrees(step)) and not \(degrees(usual)) degrees; give a number of "
            + "projections")
      }
      turned.append(turned[index] + abs(real))
    }
    // Half a step: a projection at the border belongs to the next, however its angle was rounded.
    let tolerance = abs(usual) / 2
    var parts: [Range<Int>] = [], first = 0
    // With the projection that would follow the last.
    for (index, angle) in (turned + [turned[turned.count - 1] + abs(usual)]).enumerated()
    where angle >= .pi * Double(parts.count + 1) - tolerance {
      parts.append(first..<index)
      first = index
    }
    return parts
  }

  private static func degrees(_ radians: Double) -> Double { (radians * 180 / .pi * 100).rounded() / 100 }
}

extension ScanDescription {
  /// The projections of each volume of a series, of which `volumeEvery` says how many.
  package func seriesParts(_ interval: VolumeInterval) throws -> [Range<Int>] {
    try interval.parts(thetas: isLive ? liveThetas : openInput().info.thetas)
  }

  /// The same of one volume of a series, which has those of the projections that are used; of a live one it is made of
  /// what another process takes from the detector.
  package func part(_ projections: Range<Int>) -> ScanDescription {
    var part = self
    if seriesDetector != nil {
      part.input = ScanSource.spoolPrefix + seriesSpool
      (part.channel, part.sourceTimeout) = (nil, nil)
    }
    let first = subset?.numbers.lowerBound ?? 0
    part.volumeEvery = nil
    part.subset = ProjectionRange(first + projections.lowerBound..<first + projections.upperBound)
    return part
  }

  /// Every key that has a value, as it is written.
  package var words: [String: String] {
    Dictionary(uniqueKeysWithValues: ScanKey.all.compactMap { key in key.text(self).map { (key.name, $0) } })
  }
}
