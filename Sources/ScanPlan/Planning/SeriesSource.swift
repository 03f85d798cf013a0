import Detectors
import Host
package import Spools

// What a live series takes from its detector, and where from.
extension ScanDescription {
  /// What the process that listens has to know of the scan, which is what a person said of it; nil of a scan that is
  /// none of a live series.
  package var seriesIntake: ScanIntake.Settings? {
    guard let address = seriesDetector, let shape = detectorShape, let projections else { return nil }
    var expected = ScanAnnouncement()
    (expected.projections, expected.flats, expected.darks) = (projections, flats ?? 0, darks ?? 0)
    return ScanIntake.Settings(
      address: address, channel: channel, expected: expected,
      silenceMax: .seconds(sourceTimeout ?? Self.silenceNever),
      known: ScanIntake.KnownScan(
        format: FrameFormat(rows: shape.rows, columns: shape.columns, pixel: pixel ?? .uint16),
        firstFrame: firstNumber))
  }

  /// How far the frames of a live series are; nil before the first came. The description was validated.
  package func seriesProgress() throws -> SpoolProgress? {
    guard let projections, SpoolDescription.isThere(seriesSpool) else { return nil }
    return try SpoolProgress(
      folder: seriesSpool, projections: projections, fields: (flats ?? 0) + (darks ?? 0), firstFrame: firstNumber)
  }

  /// Seconds that are as good as for ever.
  private static let silenceNever = 1e9
}
