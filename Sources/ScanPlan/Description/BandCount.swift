import Host

/// Into how many bands a run's rows are cut: each has a process of its own, on the cores of the worker that makes it.
package enum BandCount: Equatable, Sendable {
  /// Some for each core, of 32 to 64 rows where there are enough.
  case auto
  /// So many.
  case number(Int)

  /// A run has no more, as no topic has more readers.
  static let most = 31
}

extension BandCount: ScanValue {
  /// For people.
  package static var form: String { "auto, or a number of bands from 1 to \(most)" }
  /// `auto` or a number.
  package init?(scanText: String) {
    if scanText == "auto" {
      self = .auto
    } else if let count = Int(written: scanText), (1...Self.most).contains(count) {
      self = .number(count)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .auto: "auto"
    case .number(let count): "\(count)"
    }
  }
}

extension BandCount {
  /// Below so many rows a band's lanes are not full; with more than so many there is little to hand over.
  private static let (rowsMin, rowsMax, bandsPerCore) = (32, 64, 4)

  /// Bands of so many rows for `workers` on so many cores: at least one a worker, and no more than there are multiples
  /// of `alignment` rows.
  func count(rows: Int, workers: Int, cores: Int, alignment: Int) -> Int {
    let most = min(Self.most, (rows + alignment - 1) / alignment)
    guard case .auto = self else {
      guard case .number(let number) = self else { preconditionFailure("bands of no number") }
      return min(number, most)
    }
    let wanted = max(rows / Self.rowsMax, min(2 * cores, rows / Self.rowsMin))
    let count = min(most, wanted, Self.bandsPerCore * cores)
    // As many on each core, where each has several.
    return min(most, max(workers, 1, count > cores ? count / cores * cores : count))
  }
}
