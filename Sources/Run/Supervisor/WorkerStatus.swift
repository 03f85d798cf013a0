package import RunModel

/// A worker of a run: cores, and the bands that are made on them.
package struct WorkerStatus: Codable, Equatable, Sendable {
  /// Its number.
  package let number: Int
  /// Its cores.
  package let cores: [Int]
  /// The bands that it makes, by their numbers: band 3 is that of the stage `reconstruct.3`.
  package let bands: [Int]
  /// The rows of each of these.
  package let rows: [RowRange]
  /// Seconds that its slowest band takes for an update, of those while the scan runs; nil before it was seen.
  package let updateSeconds: Double?
}

/// What came of the last request for other workers.
package struct WorkersAnswer: Codable, Equatable, Sendable {
  /// Who asked.
  let by: String
  /// Why it was refused; nil where it was done.
  package let refusal: String?
}
