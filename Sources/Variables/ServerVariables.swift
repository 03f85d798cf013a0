package import Detectors
package import ScanPlan
package import Serve

/// Shows a server of scans to EPICS for as long as it lives: what it does, its queue and disk, the scan that is being
/// reconstructed and the last one that finished. See the target's page for their names. To be used on one thread.
package final class ServerVariables: ServerMonitor {
  private enum ServerState: Int, CaseIterable { case waiting, reconstructing, ending }

  private enum Name: String, CaseIterable {
    case state = "State"
    case scan = "Scan"
    case sample = "Sample"
    case activity = "Activity"
    case queue = "Queue"
    case diskHours = "DiskHours"
    case warning = "Warning"
    case lastScan = "LastScan"
    case lastSample = "LastSample"
    case lastLost = "LastLost"
    case lastOutput = "LastOutput"
    case message = "Message"

    var kind: PVAccessServer.VariableKind {
      switch self {
      case .state: .choice(ServerState.allCases.map { "\($0)" })
      case .activity: .choice(ScanRecord.Activity.allCases.map(\.rawValue))
      case .scan, .queue, .lastScan, .lastLost: .count
      case .sample, .warning, .lastSample, .lastOutput, .message: .line
      case .diskHours: .number
      }
    }
  }

  private var board: VariableBoard
  private let catalogue: Catalogue
  private var follower: ChangeFollower
  private var due: ContinuousClock.Instant = .now

  private static let period: Duration = .milliseconds(500)

  /// Serves the variables `prefix:State` and so on of the server that has `queue`.
  /// - Throws: `.unavailable` where the library for EPICS is missing, or cannot serve.
  package init(prefix: VariablePrefix, _ queue: ScanQueue, notice: @escaping (String) -> Void) throws(ScanFailure) {
    do throws(StreamError) {
      board = try VariableBoard(prefix: prefix, Name.allCases.map { ($0.rawValue, $0.kind) }, notice: notice)
    } catch { throw ScanFailure(error) }
    catalogue = Catalogue(queue)
    // Before it is looked what was: nothing is missed between.
    follower = ChangeFollower(queue)
    let last: ScanRecord?
    do { last = try catalogue.lastFinished() } catch { throw ScanFailure(error) }
    if let last { show(finished: last) }
  }

  /// Posts what changed, at most twice a second.
  package func show(_ status: ServerStatus) throws {
    guard .now >= due else { return }
    due = .now + Self.period
    while case let changes = follower.next(), let newest = changes.last {
      for change in changes where change.state == .finished && change.isOfState {
        if let record = try catalogue.record(change.scan) { show(finished: record) }
      }
      post(.message, newest.words)
    }
    let running = try status.running.first.flatMap { try catalogue.record($0) }
    post(.scan, running?.number ?? 0)
    post(.sample, running?.sample ?? "")
    post(.activity, ScanRecord.Activity.allCases.firstIndex(of: running?.activity ?? .waiting) ?? 0)
    post(.queue, status.queued)
    board.post(Name.diskHours.rawValue, status.disk?.hoursLeft ?? .nan)
    post(.warning, status.warnings.joined(separator: "; "))
    post(.state, (running == nil ? ServerState.waiting : .reconstructing).rawValue)
  }

  /// The server ends.
  package func end() { post(.state, ServerState.ending.rawValue) }

  private func show(finished record: ScanRecord) {
    post(.lastSample, record.sample ?? "")
    post(.lastLost, record.lost ?? 0)
    post(.lastOutput, record.output ?? "")
    // Last: who waits for another number finds the rest of it.
    post(.lastScan, record.number)
  }

  private func post(_ name: Name, _ value: Int) { board.post(name.rawValue, value) }
  private func post(_ name: Name, _ line: String) { board.post(name.rawValue, line) }
}
