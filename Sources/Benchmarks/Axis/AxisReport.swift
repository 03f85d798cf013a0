/// What `bench axis` measured.
package struct AxisReport: Codable, Sendable {
  /// One scan.
  package struct Scan: Codable, Sendable {
    /// In the campaign.
    package var number: Int
    /// Of the detector.
    package var columns: Int
    /// Projections.
    package var projections: Int
    /// Degrees, the last step with them.
    package var span: Double
    /// In which the projections came.
    package var order: String
    /// Of a pixel without a sample; nil without noise.
    package var photons: Double?
    /// Whether the sample leaves the detector.
    package var isTruncated: Bool
    /// Where it is, in pixels.
    package var rotationAxis: Double
    /// Where it was found; nil where it was not.
    package var found: Double?
    /// The error that was told.
    package var error: Double?
    /// Whether nobody was warned.
    package var isSure: Bool
    /// Why it was not found.
    package var reason: String?
    /// Processor time of one thread.
    package var seconds: Double

    /// Pixels off; nil where it was not found.
    package var off: Double? { found.map { abs($0 - rotationAxis) } }
    /// Whether it is a quarter of a pixel off at most.
    package var isRight: Bool { off.map { $0 <= 0.25 } ?? false }
  }

  /// Debug or release.
  package var build: String
  /// Its name.
  package var processor: String
  /// Of the campaign.
  var seed: UInt64
  /// The widest detector.
  var columnsMax: Int
  /// All of them.
  package var scans: [Scan]

  /// Scans that are a quarter of a pixel off at most.
  package var right: Int { scans.count(where: \.isRight) }
  /// Those that are not, and whose error says so.
  package var warned: Int { scans.count { !$0.isRight && !$0.isSure } }
  /// Those that are right, and whose error says that they may not be.
  package var doubted: Int { scans.count { $0.isRight && !$0.isSure } }
}
