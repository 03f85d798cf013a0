import Run

/// The page of a run whose supervisor is another process: what that one writes down and has in memory, shown as its own
/// page shows it. Lives on the server's thread.
final class ObservedRun {
  private let folder: RunFolder
  private let mailbox = Mailbox()
  private let site: RunSite
  private(set) var view: RunView?
  /// When somebody asked for something of it last.
  private var asked = ContinuousClock.now
  private var lookDue = ContinuousClock.now
  /// When it is let go, of a run that is over.
  private(set) var endsAt: ContinuousClock.Instant?
  /// The newest event, and how many there were.
  private var (event, eventCount) = ([UInt8](), 0)

  private static let (period, interest) = (Duration.milliseconds(500), Duration.seconds(10))
  /// Who watches has so long to fetch the last pictures.
  private static let grace: Duration = .seconds(15)

  /// The run of a scan in `folder`, for those who may see it.
  init(_ folder: RunFolder, scan: Int, access: Access) {
    self.folder = folder
    site = RunSite(access: access, mailbox: mailbox, scan: scan)
    look(asked)
  }

  /// Keeps up with the run as long as somebody watches it.
  func follow(viewers: Int, _ now: ContinuousClock.Instant) {
    guard viewers > 0 || endsAt != nil || now - asked < Self.interest else { return }
    look(now)
    guard let bytes = site.tick(viewers: viewers) else { return }
    (event, eventCount) = (bytes, eventCount + 1)
  }

  /// Reads how far the run is, twice a second.
  private func look(_ now: ContinuousClock.Instant) {
    guard now >= lookDue, endsAt == nil else { return }
    lookDue = now + Self.period
    // What is not complete yet, or is just going, will be there or not the next time.
    if view == nil, let view = try? RunView.attach(to: folder) {
      self.view = view
      mailbox.update { $0.view = view }
    }
    guard let status = try? folder.readStatus().status, status != mailbox.latest.status else { return }
    mailbox.update {
      $0.status = status
      $0.heardAt = .now
    }
  }

  /// The run is over: with a result, or without for this reason.
  func end(_ result: RunResult?, _ reason: String?) {
    guard endsAt == nil else { return }
    endsAt = .now + Self.grace
    mailbox.update {
      let isWhole = result.map { $0.missingRows.isEmpty } ?? false
      $0.status?.phase = isWhole ? .finished : .failed
      $0.ending = result.map { .result($0) } ?? .failure(reason ?? "the run has ended")
    }
  }

  /// The answer to a request for something below the run's page.
  func respond(to request: Request, viewers: Int) -> Response {
    asked = .now
    look(asked)
    return site.respond(to: request, viewers: viewers)
  }

  /// The newest event where a client has an older one.
  func event(after position: Int) -> (bytes: [UInt8], position: Int)? {
    position < eventCount ? (event, eventCount) : nil
  }
}
