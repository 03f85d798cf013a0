import Foundation
import Host
import Run
import ScanPlan
import Serve

// The API: what people and programs may see and ask, as JSON. Web/openapi.json describes each answer; `routes` is what
// there is, and a test compares the two.
extension ScansSite {
  /// Addresses as the description has them.
  static let routes: [(method: Request.Method, path: String)] = [
    (.get, "/api/v1/status"), (.get, "/api/v1/scans"), (.post, "/api/v1/scans"), (.get, "/api/v1/scans/{number}"),
    (.post, "/api/v1/scans/{number}/remove"), (.post, "/api/v1/scans/{number}/retry"),
    (.post, "/api/v1/scans/{number}/finalize"), (.post, "/api/v1/scans/{number}/abort"),
    (.post, "/api/v1/scans/{number}/priority"), (.get, "/api/v1/queue"), (.get, "/api/v1/events"),
    (.get, "/api/v1/openapi.json"),
  ]

  /// Who asked, for the reports of runs.
  private static let requester = "the page of all scans"
  private static let (limitStandard, limitMax) = (50, 500)

  /// What is wrong with a request, for its sender.
  struct APIFailure: Error {
    let status: Int
    let text: String
    var headers: [(name: String, value: String)] = []

    init(_ status: Int, _ text: String) { (self.status, self.text) = (status, text) }

    /// What an order to the queue, or to a run, was refused for.
    init(_ error: any Error) {
      let failure = ScanFailure(error)
      status =
        switch failure.sysExit {
        case .usage, .unavailable: 409
        case .noInput: 404
        case .temporary: 503
        default: 500
        }
      text = failure.description
    }

    var response: Response {
      var response = Response(status: status, type: "application/json", JSONText.bytes(["error": text]))
      response.headers += headers
      return response
    }
  }

  /// The answer to a request below `/api/`.
  func api(_ request: Request) -> Response {
    do throws(APIFailure) { return try answer(request) } catch { return error.response }
  }

  private func answer(_ request: Request) throws(APIFailure) -> Response {
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
    guard parts.count >= 3, parts[1] == "v1" else { throw APIFailure(404, "there is nothing at \(request.path)") }
    let isPost = request.method == .post
    switch (Array(parts.dropFirst(2)), isPost) {
    case (["status"], false): return json(ServerReport(self))
    case (["scans"], false): return try scans(request)
    case (["scans"], true): return try add(request)
    case (["queue"], false): return json(["scans": cache.queued])
    case (["events"], false): return try events(request)
    case (["openapi.json"], false): return .init(type: "application/json", ScansPage.description)
    case (let path, _) where path.first == "scans" && (2...3).contains(path.count):
      guard let number = Self.number(path[1]), cache.record(number) != nil else {
        throw APIFailure(404, "there is no scan \(path[1])")
      }
      return try scan(number, path.dropFirst(2).first, request)
    default: throw try refusal(request)
    }
  }

  /// Why there is no answer: the other method is meant, or there is nothing.
  private func refusal(_ request: Request) throws(APIFailure) -> APIFailure {
    guard let route = Self.routes.first(where: { $0.path == request.path }) else {
      return APIFailure(404, "there is nothing at \(request.path)")
    }
    return Self.methodFailure(route.method)
  }

  private static func methodFailure(_ method: Request.Method) -> APIFailure {
    var failure = APIFailure(405, "this needs \(method.rawValue)")
    failure.headers = [("Allow", method.rawValue)]
    return failure
  }

  private func json(_ value: some Encodable, status: Int = 200) -> Response {
    Response(status: status, type: "application/json", JSONText.bytes(value))
  }

  // MARK: What there is

  private struct ScanList: Encodable {
    let scans: [ScanRecord]
    /// How many there are, of the state that was asked for.
    let total: Int
    /// What `before` of the next page is; nil at the end.
    let next: Int?
  }

  private func scans(_ request: Request) throws(APIFailure) -> Response {
    var state: QueueEntry.EntryState?
    if let text = request.query["state"] {
      guard let wanted = QueueEntry.EntryState(rawValue: text) else {
        throw APIFailure(400, "there is no state \(text)")
      }
      state = wanted
    }
    let limit = try number(request, "limit", in: 1...Self.limitMax) ?? Self.limitStandard
    let before = try number(request, "before", in: 1...999_999_999) ?? Int.max
    let scans = cache.page(below: before, state: state, limit: limit)
    return json(
      ScanList(scans: scans, total: cache.count(state), next: scans.count == limit ? scans.last?.number : nil))
  }

  private func number(_ request: Request, _ name: String, in range: ClosedRange<Int>) throws(APIFailure) -> Int? {
    guard let text = request.query[name] else { return nil }
    guard let number = text == "0" ? 0 : Self.number(text), range.contains(number) else {
      throw APIFailure(400, "\(name) is a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private func events(_ request: Request) throws(APIFailure) -> Response {
    let last = request.headers["last-event-id"].flatMap { $0 == "0" ? 0 : Self.number($0) }
    let after = try number(request, "after", in: 0...999_999_999) ?? last ?? cache.lastChange
    return .events(EventStream(channel: Self.changesChannel, position: min(after, cache.lastChange)))
  }

  // MARK: What can be asked

  private func scan(_ number: Int, _ order: String?, _ request: Request) throws(APIFailure) -> Response {
    let orders = ["remove", "retry", "finalize", "abort", "priority"]
    guard order == nil || orders.contains(order ?? "") else {
      throw APIFailure(404, "there is nothing at \(request.path)")
    }
    guard (request.method == .post) == (order != nil) else { throw Self.methodFailure(order == nil ? .get : .post) }
    let queue = cache.catalogue.queue
    let priority = order == "priority" ? try decoded(PriorityOrder.self, request).priority : 0
    do {
      switch order {
      case "remove": try queue.remove(number)
      case "retry": try queue.retry(number)
      case "priority": try queue.move(number, priority: priority)
      case "finalize": try RunRequests(runFolder: try run(number)).finalize(by: Self.requester)
      case "abort":
        _ = try run(number)
        try queue.remove(number)
      default: break
      }
      try cache.look(isUrgent: order != nil)
      guard let details = try cache.catalogue.details(number) else {
        throw APIFailure(404, "there is no scan \(number)")
      }
      return json(details)
    } catch let failure as APIFailure {
      throw failure
    } catch {
      throw APIFailure(error)
    }
  }

  /// The run of a scan that is being reconstructed.
  private func run(_ number: Int) throws -> RunFolder {
    guard cache.record(number)?.state == .running, let path = cache.catalogue.runFolder(number) else {
      throw ScanFailure(.usage, "scan \(number) is not being reconstructed")
    }
    return RunFolder(path: path)
  }

  private struct PriorityOrder: Decodable { let priority: Int }

  private struct AddOrder: Decodable {
    let files: [String]
    let source: String?
    let priority: Int?
  }

  private struct Added: Encodable { let scans: [Int] }

  /// Files that one request may add.
  private static let filesMax = 100

  private func add(_ request: Request) throws(APIFailure) -> Response {
    let order = try decoded(AddOrder.self, request)
    guard (1...Self.filesMax).contains(order.files.count) else {
      throw APIFailure(400, "files has one to \(Self.filesMax) paths")
    }
    guard let sources = status?.sources else {
      throw APIFailure(503, "the server has not said yet what its sources are; try again")
    }
    guard let source = order.source ?? sources.filter({ $0.value == "folder" }).keys.min(), sources[source] != nil
    else {
      throw APIFailure(404, "source is one of \(sources.keys.sorted().joined(separator: ", "))")
    }
    var files: [String] = []
    for file in order.files { files.append(try allowed(file)) }
    var numbers: [Int] = []
    do {
      for file in files {
        numbers.append(
          try cache.catalogue.queue.add(file: file, source: source, priority: order.priority ?? 0).number)
      }
      try cache.look(isUrgent: true)
    } catch {
      throw APIFailure(error)
    }
    return json(Added(scans: numbers), status: 201)
  }

  /// A file as it really is, where it lies in a folder whose files may be added.
  private func allowed(_ file: String) throws(APIFailure) -> String {
    // One answer for what is not there and what is not allowed: nobody learns from it what lies elsewhere.
    guard file.hasPrefix("/"), !file.utf8.contains(0), let real = Self.real(file),
      openFolders.contains(where: { real.hasPrefix($0 == "/" ? $0 : $0 + "/") })
    else {
      throw APIFailure(
        403, "\(file) is no file in a folder whose files may be added; serve.yaml names them (files-from)")
    }
    return real
  }

  private func decoded<Value: Decodable>(_ type: Value.Type, _ request: Request) throws(APIFailure) -> Value {
    let content = request.headers["content-type"]?.split(separator: ";").first.map { $0.lowercased() }
    guard content == "application/json" else { throw APIFailure(415, "the body is application/json") }
    do { return try JSONDecoder().decode(type, from: Data(request.body)) } catch {
      throw APIFailure(400, "the body is not what the description asks for")
    }
  }
}

/// How a server is: what `/api/v1/status` gives.
struct ServerReport: Encodable {
  let version: String
  let time: Double
  let folder: String
  /// What the server says of itself; nil where it has not yet.
  let server: ServerStatus?
  /// Scans in each state.
  let scans: [String: Int]
  let running: [ScanRecord]
  /// Hours until the disk is full.
  let diskHoursLeft: Double?
  let lastChange: Int

  init(_ site: ScansSite) {
    version = programVersion
    time = Double(Machine.realtimeNanoseconds) / 1e9
    folder = site.cache.catalogue.queue.folder
    server = site.status
    let counts = site.cache.counts
    scans = Dictionary(uniqueKeysWithValues: QueueEntry.EntryState.allCases.map { ($0.rawValue, counts[$0] ?? 0) })
    running = site.cache.running.compactMap(site.cache.record)
    diskHoursLeft = server?.disk?.hoursLeft
    lastChange = site.cache.lastChange
  }
}
