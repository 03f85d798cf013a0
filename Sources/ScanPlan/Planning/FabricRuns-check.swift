package import Fabric
import Host
package import Rings
import RunModel

// Everything that servers keep of a run.
extension FabricRuns {
  /// The run that `text` names.
  /// - Throws: `.usage` where it names none.
  package func run(_ text: String) throws(ScanFailure) -> RunID {
    guard let run = RunID(text) else {
      throw ScanFailure(.usage, "\(text) is no run: slipring fabric list \(servers) has their numbers, of 32 digits")
    }
    return run
  }

  /// Reads the streams of a run.
  package func check(_ run: RunID) throws(ScanFailure) -> StreamCheck {
    let entry: FabricStore.Entry?
    do throws(FabricError) { entry = try FabricStore(connection, run: run).get(FabricPlan.key) } catch {
      guard case .missing = error else { throw ScanFailure(error) }
      throw unknown(run)
    }
    guard let entry else { throw unknown(run) }
    let plan = try FabricPlan(decoding: entry.value, run: run)
    let images: Topic = plan.images == Topic.corrected.name ? .corrected : .projections
    do throws(FabricError) {
      return try StreamCheck(
        connection, topic: FabricTopic(run: run, id: images.id, word: images.kind.word), granules: plan.granules)
    } catch { throw ScanFailure(error) }
  }
}
