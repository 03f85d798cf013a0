import Host
import Run
import RunModel
import ScanPlan

import struct Foundation.Data
import class Foundation.JSONEncoder

/// The addresses of the page and what is behind them. Lives on the server's thread.
final class RunSite: Site {
  private let access: Access
  private let mailbox: Mailbox
  /// The number of its scan, where a server has many.
  private let scan: Int?
  private let budget: RenderBudget
  private var view: RunView?
  private var gallery: Gallery?
  /// By the first part of their address.
  private var volumes: [Substring: VolumeDesk] = [:]
  private var images: ImageDesk?
  private var curves: Curves?
  private var similarity: SimilarityCurves?
  private var stages = StageCurves()
  private var positions: (updates: [UInt64], scores: UInt64) = ([], 0)
  private var rates = Rates()
  private var lastEvent: RunReport?
  private var eventDue = ContinuousClock.now
  private var curvesText: (version: Int, bytes: [UInt8])?
  private let started = ContinuousClock.now

  /// A run whose supervisor has not reported for so long is not well.
  private static let silenceMax: Duration = .seconds(10)
  private static let niceness: Int32 = 5
  /// Who asked, for the run's reports.
  private static let requester = "the dashboard"
  private static let curvePoints = 400
  private static let earlierEventsMax = 20_000
  /// So many viewers cost what one costs; more of them share it.
  private static let viewersAtFullPace = 10

  init(access: Access, mailbox: Mailbox, scan: Int? = nil) {
    (self.access, self.mailbox, self.scan) = (access, mailbox, scan)
    // The stages go first.
    Priority.lower(by: Self.niceness)
    budget = RenderBudget(cores: (try? Affinity.current().count) ?? 1, now: .now)
  }

  /// Longer while many watch, so that the cost does not grow with their number.
  private static func pace(viewers: Int) -> RunReport.RefreshPeriods {
    let crowd = max(1, (viewers + viewersAtFullPace - 1) / viewersAtFullPace)
    return RunReport.RefreshPeriods(events: 250 * crowd, pictures: 500 * crowd)
  }

  func tick(viewers: Int) -> [UInt8]? {
    let now = ContinuousClock.now
    let latest = mailbox.latest
    follow(latest, now)
    let pace = Self.pace(viewers: viewers)
    guard viewers > 0, now >= eventDue || (latest.ending != nil && lastEvent?.ending == nil) else { return nil }
    let report = report(latest, pace)
    guard report != lastEvent else { return nil }
    lastEvent = report
    eventDue = now + .milliseconds(pace.events)
    return Array("data: ".utf8) + Self.json(report) + Array("\n\n".utf8)
  }

  /// Takes what is new into the curves and rates.
  private func follow(_ latest: SupervisorState, _ now: ContinuousClock.Instant) {
    if view == nil, let view = latest.view { begin(view) }
    if let view, var curves {
      // A damaged ring fails the run, and the supervisor says so.
      for update in (try? view.updates(from: &positions.updates)) ?? [] { curves.add(update) }
      self.curves = curves
      for score in (try? view.scores(from: &positions.scores)) ?? [] { similarity?.add(score) }
    }
    guard let status = latest.status else { return }
    stages.add(status.programs ?? [], projections: status.reconstructed)
    var counters = [
      "acquired": Double(status.acquired), "used": Double(status.reconstructed), "updates": Double(status.updates),
      "swept": status.sweptFraction,
    ]
    for stage in status.stages { counters["stage " + stage.name] = Double(stage.cursor) }
    rates.sample(counters, now: now)
  }

  private func begin(_ view: RunView) {
    self.view = view
    gallery = Gallery(view, budget)
    let others = view.denoisedSlices == nil ? [] : ["denoised"]
    volumes["voxels"] = VolumeDesk(LiveVolume(view, .reconstructed), budget, others: others)
    if !others.isEmpty { volumes["denoised"] = VolumeDesk(LiveVolume(view, .denoised), budget, others: others) }
    let workers = view.plan.placement.workers
    images = ImageDesk(view.images(), budget)
    positions.updates = workers.map { _ in 0 }
    var curves = Curves(updatesMax: view.plan.updateCount, rows: workers.map(\.rows))
    var similarity = SimilarityCurves(projectionsMax: view.plan.shape.projections, workers: view.plan.scorers)
    // Curves that begin later than the run are better than none.
    for update in (try? view.earlierUpdates(limit: Self.earlierEventsMax)) ?? [] { curves.add(update) }
    for score in (try? view.earlierScores(limit: Self.earlierEventsMax)) ?? [] { similarity.add(score) }
    (self.curves, self.similarity) = (curves, similarity)
  }

  private func report(_ latest: SupervisorState, _ pace: RunReport.RefreshPeriods) -> RunReport {
    RunReport(
      latest, curves: curves, similarity: similarity, stages: stages, rates: rates,
      window: gallery?.automaticWindow(isOver: latest.ending != nil), pace: pace)
  }

  func respond(to request: Request, viewers: Int) -> Response {
    if let refusal = access.refusal(of: request) { return refusal }
    let latest = mailbox.latest
    if request.method == .post { return command(request) }
    switch request.path {
    case "/": return page(request, report(latest, Self.pace(viewers: viewers)))
    case "/api/status": return .init(type: "application/json", Self.json(report(latest, Self.pace(viewers: viewers))))
    case "/api/curves": return curvesResponse()
    case "/api/events": return .events
    case "/healthz": return health(latest)
    case "/metrics":
      let text = MetricsText.text(
        report(latest, Self.pace(viewers: viewers)), pixels: curves?.pixels ?? .init(), viewers: viewers)
      return .init(type: MetricsText.contentType, Array(text.utf8))
    case "/finalize", "/abort": return .init(status: 405, "this needs POST", headers: [("Allow", "POST")])
    default: return picture(request, isOver: latest.ending != nil, Self.pace(viewers: viewers))
    }
  }

  /// What is below an address of its own: files of the page, pictures, parts of volumes.
  private func picture(_ request: Request, isOver: Bool, _ pace: RunReport.RefreshPeriods) -> Response {
    let parts = request.path.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 1, let file = WebFiles.response(for: parts[0]) { return file }
    if parts.count == 2, parts[0] == "slices" { return slice(request, isOver: isOver, pace) }
    if parts.count == 2, let desk = volumes[parts[0]] {
      return desk.respond(to: request, path: parts[1], isOver: isOver, freshFor: .milliseconds(2 * pace.pictures))
    }
    if parts.count == 2, parts[0] == "images", let images {
      return images.respond(to: request, path: parts[1], isOver: isOver, freshFor: .milliseconds(2 * pace.pictures))
    }
    if view == nil, ["voxels", "images"].contains(parts[0]) {
      return .init(status: 503, "there is no volume yet", headers: [("Retry-After", "1")])
    }
    return .init(status: 404, "there is nothing at \(request.path)")
  }

  /// A wish to end the run, from somebody who may.
  private func command(_ request: Request) -> Response {
    guard let kind = RunRequests.RequestKind(rawValue: String(request.path.dropFirst())) else {
      return .init(status: 404, "there is nothing at \(request.path)")
    }
    guard let view else { return .init(status: 409, "the run has not begun") }
    let requests = RunRequests(runFolder: view.folder)
    do {
      switch kind {
      case .finalize: try requests.finalize(by: Self.requester)
      case .abort: try requests.abort(by: Self.requester)
      }
    } catch {
      return .init(status: 409, ScanFailure(error).description)
    }
    // A form without the page's script wants the page again.
    if request.form["token"] != nil { return .redirect(to: "./") }
    return .init(status: 202, kind == .finalize ? "the run ends with what was acquired" : "the run stops")
  }

  private func page(_ request: Request, _ report: RunReport) -> Response {
    guard let token = request.query["token"] else {
      let html = Page.html(report, token: access.isTrusted(request) ? access.token : nil, scan: scan)
      return .init(type: "text/html; charset=utf-8", Array(html.utf8))
    }
    // The token moves from the address, which histories keep, to a cookie.
    guard access.token.matches(token) else {
      return .init(status: 403, "the token is wrong: this address belongs to an earlier run")
    }
    return .redirect(to: "./", headers: [access.cookie])
  }

  private func slice(_ request: Request, isOver: Bool, _ pace: RunReport.RefreshPeriods) -> Response {
    guard let wanted = PictureRequest(request) else {
      return .init(
        status: 400, "a picture is /slices/z|y|x/NUMBER.png?edge=16…2048&of=reconstructed|denoised&low=BLACK&high=WHITE"
      )
    }
    guard let gallery else { return .init(status: 503, "there is no volume yet", headers: [("Retry-After", "1")]) }
    do throws(Gallery.Missing) {
      let picture = try gallery.picture(wanted, isOver: isOver, freshFor: .milliseconds(pace.pictures / 2), now: .now)
      if request.headers["if-none-match"] == picture.tag { return .unchanged(tag: picture.tag) }
      let headers = [
        ("Cache-Control", "no-cache"), ("ETag", picture.tag), ("X-Slipring-Generation", "\(picture.generation)"),
      ]
      return .init(type: "image/png", picture.png, headers: headers)
    } catch {
      switch error {
      case .noSuchCut: return .init(status: 404, "there is no such cut, or no such volume")
      case .notDenoised: return .init(status: 503, "this is not denoised yet", headers: [("Retry-After", "1")])
      case .busy: return .init(status: 503, "no time for pictures now", headers: [("Retry-After", "1")])
      }
    }
  }

  /// Whether the supervisor reports: before the first report, for as long as planning may take.
  private func health(_ latest: SupervisorState) -> Response {
    let silence = ContinuousClock.now - (latest.heardAt ?? started)
    guard latest.heardAt != nil, latest.ending == nil, silence > Self.silenceMax else {
      return .init(status: 200, "ok")
    }
    return .init(status: 503, "the supervisor has said nothing for \(Int(silence / .seconds(1))) s")
  }

  private func curvesResponse() -> Response {
    guard let curves else { return .init(type: "application/json", Array("{}".utf8)) }
    let version = curves.version + (similarity?.version ?? 0) + stages.version
    if curvesText?.version != version {
      let drawn = DrawnCurves(curves, similarity, stages, goal: view?.similarityGoal, pointsMax: Self.curvePoints)
      curvesText = (version, Self.json(drawn))
    }
    return .init(type: "application/json", curvesText?.bytes ?? [])
  }

  static func json(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { return Array(try encoder.encode(value)) } catch { preconditionFailure("a report cannot be encoded: \(error)") }
  }
}
