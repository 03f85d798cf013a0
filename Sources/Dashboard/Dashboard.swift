package import Run
package import ScanPlan
import Synchronization

/// The live page of a run: a web server in the supervisor's process that shows how far the run is and what the volume
/// looks like, and takes the wish to end it. It listens from `init` on and knows of a run once it hears of one as its
/// monitor.
///
/// What the supervisor does here costs it a lock and a copy; everything else happens on the server's thread. See the
/// target's page.
package final class Dashboard: RunMonitor, Sendable {
  private let mailbox = Mailbox()
  private let server: Server
  private let token: Token

  /// Clients that watch may fetch the last pictures for so long.
  package static let grace: Duration = .seconds(2)

  /// Begins to serve. Throws `.unavailable` where it cannot listen there, and what is wrong with the
  /// files of its certificate.
  package init(_ address: DashboardAddress) throws(ScanFailure) {
    let (mailbox, token) = (mailbox, Token())
    let listener = try Listener(address) { mailbox.add(notice: $0) }
    let access = Access(listener.address, token: token)
    self.token = token
    server = try Server(listener) { RunSite(access: access, mailbox: mailbox) }
  }

  /// What a person opens to see the run and to be allowed to end it.
  package var url: String { "\(server.address.scheme)://\(server.address)/?token=\(token.text)" }

  /// The run's memory is there.
  package func began(_ view: RunView) { mailbox.update { $0.view = view } }

  /// How far the run is.
  package func progress(_ status: RunStatus) {
    mailbox.update {
      $0.status = status
      $0.heardAt = .now
    }
  }

  /// Something that a person should know.
  package func notice(_ text: String) { mailbox.add(notice: text) }

  /// The run has a result: tells those who watch, gives them the time to fetch the last pictures, and ends the server.
  package func finish(_ result: RunResult) {
    mailbox.update {
      $0.status?.phase = result.missingRows.isEmpty ? .finished : .failed
      $0.ending = .result(result)
    }
    server.stop(grace: Self.grace)
  }

  /// The run has failed. Clients have up to `grace` to hear of it.
  package func fail(_ reason: String, within grace: Duration = Dashboard.grace) {
    mailbox.update {
      $0.status?.phase = .failed
      $0.ending = .failure(reason)
    }
    server.stop(grace: grace)
  }
}

/// What the supervisor told last.
struct SupervisorState: Sendable {
  enum KnownEnding {
    case result(RunResult)
    case failure(String)
  }

  var view: RunView?
  var status: RunStatus?
  /// When `status` came.
  var heardAt: ContinuousClock.Instant?
  var notices: [String] = []
  var ending: KnownEnding?

  static let noticesMax = 20
}

/// Where the supervisor's thread leaves its news for the server's.
final class Mailbox: Sendable {
  private let content = Mutex(SupervisorState())

  func update(_ change: (inout SupervisorState) -> Void) { content.withLock { change(&$0) } }

  func add(notice: String) {
    update {
      $0.notices.append(notice)
      $0.notices = $0.notices.suffix(SupervisorState.noticesMax)
    }
  }

  var latest: SupervisorState { content.withLock { $0 } }
}
