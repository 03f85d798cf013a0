package import Fabric
import Host
package import Rings
package import ScanFiles

/// A scan whose slices nodes make, as far as whoever puts these together has to know it.
package struct ScatteredScan: Equatable, Sendable {
  /// The run at the edge.
  package let run: RunID
  /// What outputs are named after.
  package let name: String
  /// How rows are cut; there are as many slices as rows.
  package let granules: Granules
  /// The number of the slice of row 0.
  package let firstSlice: Int
  /// Whether nodes send their slices back.
  package let returnsSlices: Bool
  /// The rotation axis in pixels of the detector.
  private let rotationAxis: Double
  /// The edge of a voxel; nil where nobody knows it.
  private let voxelSizeMillimetres: Double?
  /// The options that decide the bits.
  private let options: [String: String]

  init(_ plan: FabricPlan) {
    (run, name, granules, firstSlice) = (plan.run, plan.name, plan.granules, plan.firstSlice)
    returnsSlices = plan.returnsSlices == true
    let binning = plan.keys["binning"].flatMap { Int($0) } ?? 0
    rotationAxis = plan.rotationAxis * Double(1 << min(max(binning, 0), 6))
    (voxelSizeMillimetres, options) = (plan.pixelSizeMillimetres, plan.keys)
  }

  /// The same for the volume's file.
  package var about: VolumeDescription {
    var about = VolumeDescription()
    (about.name, about.firstSlice, about.voxelSizeMillimetres) = (name, firstSlice, voxelSizeMillimetres)
    (about.rotationAxis, about.source, about.options) = (rotationAxis, "run \(run)", options)
    return about
  }

  /// The numbers of the slices of some rows.
  package func slices(_ rows: Range<Int>) -> Range<Int> { firstSlice + rows.lowerBound..<firstSlice + rows.upperBound }
}

extension RunPlan {
  /// The scan as nodes know it; nil where there are none.
  package var scatteredScan: ScatteredScan? { fabricPlan.map(ScatteredScan.init) }
}

// Parts of a scan, at the servers.
extension FabricRuns {
  /// The scan of a run, and what nodes have made of it, in the order of granules. What lies there under a part's name
  /// and is none is passed over, and told to `notice`.
  package func parts(of run: RunID, notice: (String) -> Void) throws(ScanFailure) -> (ScatteredScan, [PartRecord]) {
    let values: [String: FabricStore.Entry]
    do throws(FabricError) { values = try FabricStore(connection, run: run).all() } catch {
      guard case .missing = error else { throw ScanFailure(error) }
      throw unknown(run)
    }
    guard let plan = values[FabricPlan.key] else { throw unknown(run) }
    let scan = ScatteredScan(try FabricPlan(decoding: plan.value, run: run))
    return (scan, PartRecord.parts(in: values, of: scan.granules, notice: notice))
  }

  /// The slices that nodes of a run have sent back.
  package func slices(of run: RunID) throws(ScanFailure) -> SliceStream {
    do throws(FabricError) { return try SliceStream(connection, run: run) } catch { throw ScanFailure(error) }
  }

  /// The newest run that has a plan.
  package func newest() throws(ScanFailure) -> RunID {
    let runs: [(run: RunID, entry: FabricStore.Entry)]
    do throws(FabricError) { runs = try FabricStore.runs(connection, key: FabricPlan.key) } catch {
      throw ScanFailure(error)
    }
    guard let newest = runs.last else { throw ScanFailure(.noInput, "\(servers) knows no run") }
    return newest.run
  }
}
