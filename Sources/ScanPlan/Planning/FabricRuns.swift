import Fabric
import Host
import Rings

/// The runs that servers hold, for people who tidy up.
package struct FabricRuns {
  /// A run there.
  package struct Held: Encodable, Sendable {
    /// The run at the edge.
    package let run: String
    /// What its outputs are named after; nil where its plan is missing, or of another version.
    package let name: String?
    /// Granules that have a stream.
    package let granules: Int
    /// Events that all of them have; with the end of the scan there are no more than `planned`.
    package let events: UInt64
    /// Events of a whole scan, with its end; nil where that is not known.
    package let planned: Int?
    /// Messages that streams had and have lost.
    package let lost: UInt64
    /// Bytes on the servers' disks.
    package let byteCount: UInt64
    /// Granules that nodes have made; nil where that is not known.
    package let parts: Int?
  }

  let connection: FabricConnection
  let servers: String

  private static let patience: Duration = .seconds(5)

  /// The runs at these servers, which are reached with these files, if any.
  package init(servers: String, credentials: String?, authority: String?) throws(ScanFailure) {
    self.servers = servers
    do throws(FabricError) {
      var address = try FabricAddress(servers)
      (address.credentials, address.authority) = (credentials, authority)
      if let problem = address.authorityProblem { throw .address(servers, problem) }
      connection = try FabricConnection(address, name: "slipring fabric", patience: Self.patience)
    } catch { throw ScanFailure(error) }
  }

  /// All of them, those whose plan was written last at the end.
  package func all() throws(ScanFailure) -> [Held] {
    do throws(FabricError) {
      // Who may see what there is may not have the right to read what is in it.
      var plans: [(run: RunID, entry: FabricStore.Entry)] = []
      do throws(FabricError) { plans = try FabricStore.runs(connection, key: FabricPlan.key) } catch {
        guard case .refused = error else { throw error }
      }
      let holdings = try FabricHolding.all(connection)
      let unplanned = holdings.filter { holding in !plans.contains { $0.run == holding.run } }
      return unplanned.map { held($0.run, $0, nil) }
        + plans.map { plan in
          held(
            plan.run, holdings.first { $0.run == plan.run },
            try? FabricPlan(decoding: plan.entry.value, run: plan.run))
        }
    } catch { throw refusal(error, "the keys of edge and viewer list runs (edge.nk, viewer.nk of Tools/fabric keys)") }
  }

  /// An error, and beside one of rights whose key has them.
  private func refusal(_ error: FabricError, _ keys: String) -> ScanFailure {
    guard case .refused(let what, let reason) = error else { return ScanFailure(error) }
    return ScanFailure(FabricError.refused(what: what, reason: "\(reason); \(keys)"))
  }

  private func held(_ run: RunID, _ holding: FabricHolding?, _ plan: FabricPlan?) -> Held {
    // Who may list runs may not read all of what is known of them.
    let keys = plan.flatMap { _ in try? FabricStore(connection, run: run).keys() }
    return Held(
      run: "\(run)", name: plan?.name, granules: holding?.streams ?? 0, events: holding?.events ?? 0,
      planned: plan.map { $0.projections + $0.flats + $0.darks + 1 }, lost: holding?.lost ?? 0,
      byteCount: holding?.byteCount ?? 0,
      parts: plan.flatMap { plan in
        keys.map { keys in (0..<plan.granules.count).count { keys.contains(FabricNames.part($0)) } }
      })
  }

  /// Removes what the servers keep of the run that `text` names; gives how many streams that were.
  /// - Throws: `.usage` where it names no run, `.noInput` where the servers do not know it.
  package func remove(_ text: String) throws(ScanFailure) -> Int {
    let run = try run(text)
    guard try all().contains(where: { $0.run == "\(run)" }) else { throw unknown(run) }
    do throws(FabricError) { return try FabricHolding.remove(run, connection) } catch {
      throw refusal(error, "only the administrator's key removes runs (admin.nk of Tools/fabric keys)")
    }
  }

  /// Removes what the servers know of parts of the run that `text` names, so that nodes may make them again; gives how
  /// many these were.
  /// - Throws: `.usage` where it names no run, `.noInput` where the servers do not know it.
  package func remove(parts granules: GranuleRange, of text: String) throws(ScanFailure) -> Int {
    let run = try run(text)
    do throws(FabricError) {
      let store = try FabricStore(connection, run: run)
      let parts = try store.all("part.").filter { part in
        Int(part.key.dropFirst("part.".count)).map(granules.numbers.contains) ?? false
      }
      for part in parts { try store.remove(part.key, after: part.value.revision) }
      return parts.count
    } catch {
      if case .missing = error { throw unknown(run) }
      throw refusal(error, "the keys of node and administrator change parts (node.nk, admin.nk of Tools/fabric keys)")
    }
  }

  func unknown(_ run: RunID) -> ScanFailure {
    ScanFailure(.noInput, "\(servers) has nothing of run \(run): slipring fabric list has the runs that it knows")
  }
}
