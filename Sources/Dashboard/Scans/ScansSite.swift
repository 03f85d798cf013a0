import Foundation
import Host
import Run
import ScanPlan
import Serve

/// The addresses of the pages of all scans and what is behind them. Lives on the server's thread.
///
/// ```
/// /                      the list of scans, the queue, the disk
/// /scans/17/             a scan: facts, files, what its processes said
/// /scans/17/run/…        the page of its run, while it is being reconstructed
/// /scans/17/view/…       the viewer of its volume, while it goes on and after
/// /scans/17/with/12/…    the same of two scans side by side, each of which may be going on
/// /scans/17/images/…     its newest projection, raw and corrected, and sinograms
/// /scans/17/picture.png  the middle slice
/// /api/v1/…              the same as JSON (ScansSite-api)
/// ```
final class ScansSite: Site {
  let access: Access
  let cache: ScanCache
  /// Folders whose files may be added, as they really are.
  let openFolders: [String]
  let notice: @Sendable (String) -> Void
  private var runs: [Int: ObservedRun] = [:]
  private let finished: FinishedScans

  private static let revalidates = [("Cache-Control", "no-cache")]
  private static let niceness: Int32 = 5
  /// Scans whose memory is looked at at the same time.
  private static let runsMax = 16
  private static let eventsAtATime = 500
  private static let (logByteCountMax, pictureByteCountMax, pictureEdge) = (256 << 10, 4 << 20, 256)

  init(
    _ queue: ScanQueue, openFolders: [String], access: Access, notice: @escaping @Sendable (String) -> Void
  ) {
    (self.access, self.notice) = (access, notice)
    self.openFolders = openFolders.compactMap(Self.real)
    cache = ScanCache(queue)
    finished = FinishedScans(cache.catalogue)
    // The stages go first.
    Priority.lower(by: Self.niceness)
  }

  /// A path without links; nil where there is nothing.
  static func real(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  // MARK: Events

  func tick(viewers: Int) -> [UInt8]? { nil }

  func prepare(streams: [String: Int]) {
    let now = ContinuousClock.now
    look()
    finished.letGo(now)
    for (number, run) in runs {
      run.follow(viewers: streams[Self.channel(number)] ?? 0, now)
      if let end = run.endsAt, now >= end { runs[number] = nil }
    }
  }

  func events(after position: Int, on channel: String) -> (bytes: [UInt8], position: Int)? {
    guard channel == Self.changesChannel else {
      return runs.first { Self.channel($0.key) == channel }?.value.event(after: position)
    }
    let changes = cache.changes(after: position, limit: Self.eventsAtATime)
    guard let last = changes.last else { return nil }
    return (
      changes.flatMap { Array("id: \($0.id)\nevent: scan\ndata: ".utf8) + JSONText.bytes($0) + [10, 10] }, last.id
    )
  }

  static let changesChannel = "changes"
  private static func channel(_ number: Int) -> String { "scan \(number)" }

  /// Reads what changed; what cannot be read now may be the next time.
  private func look(forSomebody: Bool = false) {
    do { try cache.look(forSomebody: forSomebody) } catch { notice("the page of all scans: \(error)") }
    for (number, run) in runs where run.endsAt == nil {
      guard let record = cache.record(number), record.state != .running else { continue }
      var result: RunResult?
      // A result that cannot be read is none to show.
      do { result = try cache.catalogue.result(number) } catch {}
      run.end(result, record.reason)
    }
  }

  // MARK: Requests

  func respond(to request: Request, viewers: Int) -> Response {
    if let refusal = access.refusal(of: request) { return refusal }
    look(forSomebody: true)
    if request.path == "/healthz" { return .init(status: 200, "ok") }
    if request.path.hasPrefix("/api/") { return api(request) }
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
    if parts.first == "scans", parts.count >= 2 { return scan(parts.dropFirst(), request, viewers) }
    guard request.method != .post else { return .init(status: 405, "this takes no POST", headers: [("Allow", "GET")]) }
    switch request.path {
    case "/": return list(request)
    case "/scans.css": return .init(type: "text/css; charset=utf-8", ScansPage.style, headers: Self.revalidates)
    case "/scans.js": return .init(type: "text/javascript; charset=utf-8", ScansPage.script, headers: Self.revalidates)
    case "/images.css", "/images.js":
      return WebFiles.response(for: request.path.dropFirst()) ?? .init(status: 404, "there is nothing there")
    case "/metrics":
      let text = ScanMetrics.text(cache, status, viewers: viewers)
      return .init(type: MetricsText.contentType, Array(text.utf8))
    default: return .init(status: 404, "there is nothing at \(request.path)")
    }
  }

  /// How the server is; nil where it has not said so yet.
  var status: ServerStatus? {
    do { return try ServerStatus.read(cache.catalogue.queue.folder) } catch { return nil }
  }

  private func list(_ request: Request) -> Response {
    guard let token = request.query["token"] else {
      return .init(type: "text/html; charset=utf-8", ScansPage.list(token: trusted(request)))
    }
    // The token moves from the address, which histories keep, to a cookie.
    guard access.token.matches(token) else { return .init(status: 403, "the token is wrong") }
    return .redirect(to: "/", headers: [access.cookie])
  }

  /// The token for who has shown it.
  private func trusted(_ request: Request) -> Token? { access.isTrusted(request) ? access.token : nil }

  /// What is below `/scans/`.
  private func scan(_ parts: ArraySlice<String>, _ request: Request, _ viewers: Int) -> Response {
    guard let number = Self.number(parts.first ?? ""), let record = cache.record(number) else {
      return .init(status: 404, "there is no such scan")
    }
    let rest = Array(parts.dropFirst())
    if rest.first == "run" {
      guard rest.count > 1 else { return .redirect(to: "/scans/\(number)/run/") }
      return run(record, "/" + rest.dropFirst().joined(separator: "/"), request, viewers)
    }
    if rest.first == "view" {
      guard rest.count > 1 else { return .redirect(to: "/scans/\(number)/view/") }
      if record.state == .running { return compare(record, record, Array(rest.dropFirst()), request, viewers) }
      return finished.respond(to: request, rest.dropFirst().joined(separator: "/")[...], .volume, of: record)
    }
    guard request.method != .post else { return .init(status: 405, "this takes no POST", headers: [("Allow", "GET")]) }
    switch rest {
    case []: return .redirect(to: "/scans/\(number)/")
    case [""]: return .init(type: "text/html; charset=utf-8", ScansPage.scan(record, token: trusted(request)))
    case ["picture.png"]: return picture(record, request, viewers)
    case let path where path.first == "images" && path.count > 1:
      return images(record, Array(path.dropFirst()), request, viewers)
    case let path where path.first == "with" && path.count > 2:
      guard let other = Self.number(path[1]).flatMap(cache.record) else {
        return .init(status: 404, "there is no scan \(path[1])")
      }
      return compare(record, other, Array(path.dropFirst(2)), request, viewers)
    case ["log"]:
      let log = cache.catalogue.queue.log(of: number)
      return .init(status: 200, LogEnd.read(log, byteCount: Self.logByteCountMax) ?? "nothing was said yet")
    default: return .init(status: 404, "there is nothing at \(request.path)")
    }
  }

  /// A scan's number as it stands in an address.
  static func number(_ text: String) -> Int? {
    guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text),
      "\(number)" == text
    else { return nil }
    return number
  }

  // MARK: Runs

  /// The page of a scan's run that goes on; nil where there is none.
  private func observed(_ record: ScanRecord) -> ObservedRun? {
    if let run = runs[record.number] { return run }
    guard record.state == .running, runs.count < Self.runsMax, let run = cache.catalogue.runFolder(record.number) else {
      return nil
    }
    let observed = ObservedRun(RunFolder(path: run), scan: record.number, access: access)
    runs[record.number] = observed
    return observed
  }

  private func run(_ record: ScanRecord, _ path: String, _ request: Request, _ viewers: Int) -> Response {
    guard let run = observed(record) else {
      // Who looks at its volume goes on with the file.
      if record.state == .finished, ["/viewer", "/voxels/", "/denoised/"].contains(where: path.hasPrefix) {
        return finished.respond(to: request, path.dropFirst(), .volume, of: record)
      }
      return path == "/"
        ? .redirect(to: "/scans/\(record.number)/")
        : .init(status: 404, "scan \(record.number) is not reconstructed now")
    }
    var response = run.respond(to: request.at(path), viewers: viewers)
    if case .events = response.body {
      response.body = .events(EventStream(channel: Self.channel(record.number), position: 0))
    }
    return response
  }

  // MARK: Volumes

  /// The viewer of a scan's volume: of a run that goes on the newest one, otherwise of its file. With
  /// `with/12/` that of two scans side by side.
  private func compare(
    _ record: ScanRecord, _ other: ScanRecord, _ path: [String], _ request: Request, _ viewers: Int
  ) -> Response {
    guard path != [""] else { return VolumeViewer.page }
    let isOther = path.first == "compare", shown = isOther ? other : record
    let rest = (isOther ? ["voxels"] + path.dropFirst() : path).joined(separator: "/")
    return shown.state == .running
      ? run(shown, "/" + rest, request, viewers) : finished.respond(to: request, rest[...], .volume, of: shown)
  }

  /// Projections of a run: the newest ones while it goes on, otherwise what its folder still has.
  private func images(_ record: ScanRecord, _ path: [String], _ request: Request, _ viewers: Int) -> Response {
    let rest = path.joined(separator: "/")
    return record.state == .running
      ? run(record, "/images/" + rest, request, viewers)
      : finished.respond(to: request, rest[...], .images, of: record)
  }

  /// The middle slice: of a run that goes on the newest one, otherwise what its process left.
  private func picture(_ record: ScanRecord, _ request: Request, _ viewers: Int) -> Response {
    if record.state == .running, let run = observed(record), let view = run.view {
      let edge = request.query["edge"].flatMap(Int.init) ?? Self.pictureEdge
      let wanted = request.at("/slices/z/\(view.slices / 2).png", query: ["edge": "\(edge)"])
      return run.respond(to: wanted, viewers: viewers)
    }
    guard let png = cache.catalogue.picture(record.number, byteCountMax: Self.pictureByteCountMax) else {
      return .init(status: 404, "there is no picture of scan \(record.number)")
    }
    return .init(type: "image/png", png, headers: Self.revalidates)
  }
}

extension Request {
  /// The same request for something else.
  fileprivate func at(_ path: String, query: [String: String]? = nil) -> Request {
    Request(
      method: method, path: path, query: query ?? self.query, headers: headers, body: body, keepsAlive: keepsAlive)
  }
}
