public import Scan
import Synchronization

/// The live page of a run: a web server in the supervisor's process that shows how far the run is and what the volume looks like, and takes
/// the wish to end it. It listens from `init` on and knows of a run once it hears of one as its monitor.
///
/// What the supervisor does here costs it a lock and a copy; everything else happens on the server's thread. See the target's page.
public final class Dashboard: RunMonitor, Sendable {
  private let hearsay = Hearsay()
  private let server: Server
  private let token: Token

  /// Clients that watch may fetch the last pictures for so long.
  private static let grace: Duration = .seconds(2)

  /// Begins to serve. Throws `.unavailable` where it cannot listen there.
  public init(_ address: DashboardAddress) throws(ScanFailure) {
    let listener = try Listener(address)
    let (hearsay, token) = (hearsay, Token())
    let access = Access(isLoopback: listener.address.isLoopback, port: listener.address.port, token: token)
    self.token = token
    server = try Server(listener) { RunSite(access: access, hearsay: hearsay) }
  }

  /// Where it listens.
  public var address: DashboardAddress { server.address }

  /// What a person opens to see the run and to be allowed to end it.
  public var url: String { "http://\(server.address)/?token=\(token.text)" }

  /// The run's memory is there.
  public func began(_ view: RunView) { hearsay.update { $0.view = view } }

  /// How far the run is.
  public func progress(_ status: RunStatus) {
    hearsay.update {
      $0.status = status
      $0.heardAt = .now
    }
  }

  /// Something that a person should know.
  public func notice(_ text: String) {
    hearsay.update {
      $0.notices.append(text)
      $0.notices = $0.notices.suffix(News.noticesMax)
    }
  }

  /// The run has a result: tells those who watch, gives them the time to fetch the last pictures, and ends the server.
  public func finish(_ result: RunResult) {
    hearsay.update {
      $0.status?.phase = .finished
      $0.ending = .result(result)
    }
    server.stop(grace: Self.grace)
  }

  /// The run has failed.
  public func fail(_ reason: String) {
    hearsay.update {
      $0.status?.phase = .failed
      $0.ending = .failure(reason)
    }
    server.stop(grace: Self.grace)
  }
}

/// What the supervisor told last.
struct News: Sendable {
  enum Ending {
    case result(RunResult)
    case failure(String)
  }

  var view: RunView?
  var status: RunStatus?
  /// When `status` came.
  var heardAt: ContinuousClock.Instant?
  var notices: [String] = []
  var ending: Ending?

  static let noticesMax = 20
}

/// Where the supervisor's thread leaves its news for the server's.
final class Hearsay: Sendable {
  private let news = Mutex(News())

  func update(_ change: (inout News) -> Void) { news.withLock { change(&$0) } }

  var latest: News { news.withLock { $0 } }
}
