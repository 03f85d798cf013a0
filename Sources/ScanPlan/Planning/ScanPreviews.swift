import Fabric
import Host
import Rings

/// The newest projections of a scan in fewer pixels, as an edge with `uplink-preview` shows them on a fabric.
package final class ScanPreviews {
  /// One of them.
  package struct Picture: Encodable, Sendable {
    /// The run at the edge.
    package let run: String
    /// The number of the projection, and its angle in degrees.
    let projection: UInt64
    let degrees: Double
    /// Seconds since it was acquired, by the clocks of both machines.
    let age: Double
    /// Pixels of the projection in each direction that are one here.
    let binning: Int
    /// Rows and columns of the picture.
    package let rows: Int
    package let columns: Int
    /// Projections up to this one that were not shown.
    let skipped: UInt64
    /// Messages that were no preview, so far.
    let damaged: Int
    /// Whether it is the scan's last projection.
    package let isLast: Bool
    /// The pixels, row by row.
    package let pixels: [Float]

    private enum CodingKeys: String, CodingKey {
      case run, projection, degrees, age, binning, rows, columns, skipped, damaged, isLast
    }

    /// For people.
    package var words: String {
      "projection \(projection) at \((degrees * 10).rounded() / 10)°, \(rows) × \(columns) pixels of \(binning) × "
        + "\(binning), \((max(0, age) * 10).rounded() / 10) s old; \(skipped) skipped"
        + (damaged > 0 ? "; \(counted(damaged, "message")) that were none" : "") + (isLast ? "; the scan's last" : "")
    }
  }

  private let reader: PreviewReader
  private let run: RunID
  /// Messages that were no preview.
  package var damaged: Int { reader.damaged }
  /// Why the servers could not be asked the last time; nil where they answered.
  package var trouble: ScanFailure? { reader.trouble.map { ScanFailure($0) } }

  private static let patience: Duration = .seconds(5)

  /// Those of the run that `input` names, or of that whose previews began last.
  /// - Throws: `.unavailable` where there are none at all.
  package init(_ input: FabricInput, credentials: String?, authority: String?) throws(ScanFailure) {
    do throws(FabricError) {
      var address = try FabricAddress(input.servers)
      (address.credentials, address.authority) = (credentials, authority)
      if let problem = address.authorityProblem { throw .address(input.servers, problem) }
      let connection = try FabricConnection(address, name: "slipring preview", patience: Self.patience)
      let run =
        if let run = input.run { run } else { try PreviewStream.latestRun(connection) }
      guard let run else { throw .missing("run with previews: its edge shows them with --uplink-preview") }
      self.run = run
      reader = try PreviewReader(connection, run: run)
    } catch { throw ScanFailure(error) }
  }

  /// The next one, which is newer than the last, at first the newest that there is; nil where none comes before
  /// `timeout`.
  package func next(timeout: Duration) throws(ScanFailure) -> Picture? {
    do throws(FabricError) {
      return try reader.next(timeout: timeout).map { preview in
        let message = preview.message
        return Picture(
          run: "\(run)", projection: message.projection, degrees: message.theta * 180 / .pi,
          age: Machine.realtime - Double(message.acquiredAt) / 1e9, binning: message.binning, rows: message.rows,
          columns: message.columns, skipped: message.skipped, damaged: reader.damaged, isLast: message.isLast,
          pixels: preview.pixels)
      }
    } catch { throw ScanFailure(error) }
  }
}
