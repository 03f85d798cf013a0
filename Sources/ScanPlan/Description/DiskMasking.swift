/// What becomes of voxels outside the disk that is inscribed in a slice. Few projections see them, so they hold a
/// slice's largest values.
package enum DiskMasking: Sendable {
  /// They are computed like the others, and are zero where a file holds integers.
  case auto
  /// They stay zero, whatever is computed.
  case yes
  /// They are computed and written like the others.
  case no
}

extension DiskMasking: ScanValue {
  /// For people.
  package static var form: String { "auto, yes or no" }
  /// `auto`, or one of YAML's words for yes and no.
  package init?(scanText: String) {
    if scanText == "auto" {
      self = .auto
    } else if let isWanted = Bool(scanText: scanText) {
      self = isWanted ? .yes : .no
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .auto: "auto"
    case .yes: "yes"
    case .no: "no"
    }
  }
}

extension ScanDescription {
  /// Whether integers hold zero outside the disk, though the volume does not.
  var masksIntegers: Bool { diskMask == .auto && bits != .thirtyTwo && format.parts.tiff }

  /// What became of voxels outside the disk, for who reads the output.
  var diskWords: String {
    switch diskMask {
    case .yes: "yes: voxels outside the inscribed disk are zero"
    case .auto where masksIntegers: "integers: those of voxels outside the inscribed disk stand for zero"
    case .auto, .no: "no"
    }
  }
}
