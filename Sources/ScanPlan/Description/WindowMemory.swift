import Host

/// How much memory the workers have for projections that spread windows draw from: so many projections, or GiB in all.
package enum WindowMemory: Equatable, Sendable {
  /// So many of the newest projections.
  case projections(Int)
  /// As many as fit.
  case gibibytes(Double)

  /// The newest projections that are kept, where the line integrals of one take `byteCount`.
  func projections(ofByteCount byteCount: Int) -> Int {
    switch self {
    case .projections(let count): count
    case .gibibytes(let size): Int(min(size * Double(1 << 30) / Double(max(byteCount, 1)), 1e9))
    }
  }
}

extension WindowMemory: ScanValue {
  private static let unit = "GiB"

  /// For people.
  package static var form: String { "a number of projections, or of GiB as in 2.5GiB" }

  /// `900` or `2.5GiB`.
  package init?(scanText: String) {
    if scanText.hasSuffix(Self.unit) {
      guard let size = Double(written: scanText.dropLast(Self.unit.count)), (0...1e6).contains(size) else { return nil }
      self = .gibibytes(size)
    } else {
      guard let count = Int(written: scanText), (0...ScanKey.countMax).contains(count) else { return nil }
      self = .projections(count)
    }
  }

  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .projections(let count): "\(count)"
    case .gibibytes(let size): size.scanText + Self.unit
    }
  }
}
