import Foundation
import ScanPlan
import TestSupport
import Testing

@testable import Dashboard
@testable import Serve

/// The pages and the API of all scans, as clients see them.
@Suite struct ScansSiteTests {
  private let folder: TestFolder
  private let queue: ScanQueue
  private let token = Token()

  init() throws {
    folder = try TestFolder()
    queue = ScanQueue(folder: folder.file("served"))
    try queue.create()
    try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
    try Data().write(to: URL(filePath: folder.file("incoming/a.h5")))
    try Data().write(to: URL(filePath: folder.file("secret.h5")))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("incoming/link.h5"), withDestinationPath: folder.file("secret.h5"))
    // What a server says of itself.
    let status = """
      {"pid": 1, "started": 2, "file": "serve.yaml", "sources": {"files": "folder", "camera": "detector"}, "scans": {},
       "running": [], "processes": [{"name": "intake camera", "pid": 3, "failures": 0}], "warnings": [], "untold": 0,
       "disk": {"freeBytes": 1000, "totalBytes": 4000, "bytesPerHour": 100}}
      """
    try Data(status.utf8).write(to: URL(filePath: queue.folder + "/server.json"))
  }

  private func add(_ state: QueueEntry.EntryState = .waiting) throws {
    _ = try queue.add { QueueEntry(number: $0, source: "camera", sample: "wood <b>", state: state, added: 1e9) }
  }

  private func withSite(_ body: (UInt16) throws -> Void) throws {
    let listener = try Listener(#require(DashboardAddress("127.0.0.1:0")))
    let access = Access(isLoopback: true, port: listener.address.port, token: token)
    let (queue, incoming) = (queue, folder.file("incoming"))
    let server = try Server(listener) { ScansSite(queue, openFolders: [incoming], access: access) { _ in } }
    defer { server.stop(grace: .zero) }
    try body(server.address.port)
  }

  private func get(_ path: String, _ port: UInt16) throws -> (status: Int, body: [String: Any]) {
    let answer = try Client.request(path, port: port)
    return (answer.status, try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:])
  }

  private func post(_ path: String, _ port: UInt16, _ body: String = "", _ headers: [String: String] = [:]) throws
    -> Client.Answer
  {
    let own = ["X-Slipring-Token": token.text, "Content-Type": "application/json"]
    return try Client.request(path, method: "POST", port: port, headers: own.merging(headers) { $1 }, body: body)
  }

  @Test func `Scans are given a page at a time, the newest first, and by their state`() throws {
    for _ in 0..<3 { try add() }
    try add(.failed)
    try withSite { port throws in
      func numbers(_ query: String) throws -> ([Int], Int?, Int?) {
        let body = try get("/api/v1/scans?\(query)", port).body
        let scans = body["scans"] as? [[String: Any]] ?? []
        return (scans.compactMap { $0["number"] as? Int }, body["next"] as? Int, body["total"] as? Int)
      }
      #expect(try numbers("") == ([4, 3, 2, 1], nil, 4))
      #expect(try numbers("limit=2") == ([4, 3], 3, 4))
      #expect(try numbers("limit=2&before=3") == ([2, 1], 1, 4))
      #expect(try numbers("state=failed") == ([4], nil, 1))
      for wrong in ["limit=0", "limit=501", "limit=x", "before=-1", "state=gone"] {
        #expect(try get("/api/v1/scans?\(wrong)", port).status == 400, "\(wrong)")
      }
    }
  }

  @Test func `What is not there, and what is asked for in the wrong way, is told`() throws {
    try add()
    try withSite { port throws in
      for path in ["/api/v1/scans/2", "/api/v1/scans/01", "/api/v1/scans/x", "/api/v1/none", "/api/v2/scans", "/api/"] {
        #expect(try get(path, port).status == 404, "\(path)")
      }
      for path in ["/none", "/scans/2/", "/scans/../queue", "/scans/1/%2e%2e/token", "/scans/1/run/api/status"] {
        #expect(try Client.request(path, port: port).status == 404, "\(path)")
      }
      let get = try Client.request("/api/v1/scans/1/remove", port: port)
      #expect(get.status == 405 && get.headers["allow"] == "POST")
      #expect(try post("/api/v1/scans/1", port).status == 405)
      #expect(try post("/api/v1/status", port).headers["allow"] == "GET")
      #expect(try post("/", port).status == 405)
      #expect(try Client.request("/scans/1", port: port).headers["location"] == "/scans/1/")
      #expect(try Client.request("/scans/1/run/", port: port).headers["location"] == "/scans/1/")
    }
  }

  @Test func `Whoever changes something shows the token, and comes from this page`() throws {
    try add()
    try withSite { port throws in
      let path = "/api/v1/scans/1/remove"
      #expect(try Client.request(path, method: "POST", port: port).status == 403)
      #expect(try post(path, port, "", ["X-Slipring-Token": "no"]).status == 403)
      #expect(try post(path, port, "", ["Origin": "http://evil.example"]).status == 403)
      #expect(try post(path, port, "", ["Sec-Fetch-Site": "cross-site"]).status == 403)
      #expect(try post(path, port, "", ["Host": "evil.example"]).status == 421)
      #expect(try Client.request("/api/v1/scans", port: port, headers: ["Host": "evil.example"]).status == 421)
      #expect(try queue.entry(1)?.state == .waiting)
      let bearer = ["Authorization": "Bearer \(token.text)"]
      #expect(try Client.request(path, method: "POST", port: port, headers: bearer).status == 200)
      #expect(try queue.entry(1)?.state == .removed)
    }
  }

  @Test func `Orders change the queue at once, and those that make no sense are refused`() throws {
    try add()
    try add(.failed)
    for state in [QueueEntry.EntryState.waiting, .running, .finished] { try add(state) }
    try withSite { port throws in
      func queued() throws -> [Int?] {
        (try get("/api/v1/queue", port).body["scans"] as? [[String: Any]] ?? []).map { $0["number"] as? Int }
      }
      #expect(try queued() == [4, 1, 3])
      #expect(try post("/api/v1/scans/3/priority", port, "{\"priority\": 8}").status == 200)
      #expect(try queued() == [4, 3, 1])
      #expect(try post("/api/v1/scans/1/priority", port, "{\"priority\": 7}").status == 200)
      #expect(try queue.entry(1)?.priority == 7)
      let scan = try get("/api/v1/scans/1", port).body["scan"] as? [String: Any]
      #expect(scan?["priority"] as? Int == 7)
      #expect(try post("/api/v1/scans/1/priority", port, "{}").status == 400)
      #expect(
        try post("/api/v1/scans/1/priority", port, "{\"priority\": 9}", ["Content-Type": "text/plain"]).status == 415)
      for beyond in ["99999999", "\(Int.max)", "\(Int.min)"] {
        #expect(try post("/api/v1/scans/1/priority", port, "{\"priority\": \(beyond)}").status == 409)
      }
      for order in ["finalize", "abort", "retry"] {
        #expect(try post("/api/v1/scans/1/\(order)", port).status == 409, "\(order)")
      }
      #expect(try post("/api/v1/scans/2/retry", port).status == 200)
      #expect(try queue.entry(2)?.state == .waiting)
    }
  }

  @Test func `Files are added from the folders that are open, and from nowhere else, whatever leads there`() throws {
    try withSite { port throws in
      func added(_ files: String...) throws -> Int {
        let list = files.map { "\"\($0)\"" }.joined(separator: ",")
        return try post("/api/v1/scans", port, "{\"files\": [\(list)]}").status
      }
      #expect(try added(folder.file("incoming/a.h5")) == 201)
      #expect(try queue.entry(1)?.file == ScansSite.real(folder.file("incoming/a.h5")))
      #expect(try queue.entry(1)?.source == "files")
      for path in ["secret.h5", "incoming/../secret.h5", "incoming/link.h5", "incoming/none.h5", "incoming"] {
        #expect(try added(folder.file(path)) == 403, "\(path)")
      }
      #expect(try added("incoming/a.h5") == 403)
      #expect(try added(folder.file("incoming/a.h5"), folder.file("secret.h5")) == 403)
      #expect(try post("/api/v1/scans", port, "{\"files\": []}").status == 400)
      #expect(try post("/api/v1/scans", port, "{\"files\": [\"/a\"], \"source\": \"none\"}").status == 404)
      #expect(try post("/api/v1/scans", port, "no").status == 400)
      #expect(try queue.numbers() == [1])
    }
  }

  @Test func `Events tell each change once, and go on behind the last one that a client had`() throws {
    try add()
    try withSite { port throws in
      func ids(_ headers: [String: String], count: Int, _ query: String = "") throws -> [Int] {
        let client = try Client(port: port)
        client.send(
          "GET /api/v1/events\(query) HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers.map { "\($0): \($1)\r\n" }.joined()
            + "\r\n")
        var text = ""
        _ = client.receive { bytes in
          text = String(decoding: bytes, as: UTF8.self)
          return text.components(separatedBy: "event: scan\n").count > count && text.hasSuffix("\n\n")
        }
        return text.split(whereSeparator: \.isNewline).compactMap { $0.hasPrefix("id: ") ? Int($0.dropFirst(4)) : nil }
      }
      let client = try Client(port: port)
      client.send("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      _ = client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("\r\n\r\n") }
      try queue.move(1, priority: 3)
      try queue.remove(1)
      var text = ""
      _ = client.receive { bytes in
        text = String(decoding: bytes, as: UTF8.self)
        return text.contains("\"state\":\"removed\"")
      }
      #expect(text.contains("id: 2\nevent: scan\ndata: {") && text.contains("id: 3\n") && !text.contains("id: 1\n"))
      #expect(try ids(["Last-Event-ID": "1"], count: 2) == [2, 3])
      #expect(try ids([:], count: 3, "?after=0") == [1, 2, 3])
    }
  }

  @Test func `The description names each address of the API, and every answer is what it says`() throws {
    for state in QueueEntry.EntryState.allCases { try add(state) }
    let text = try #require(try JSONSerialization.jsonObject(with: Data(ScansPage.description)) as? [String: Any])
    let paths = try #require(text["paths"] as? [String: [String: Any]])
    let described = paths.flatMap { path, item in
      item.keys.filter { $0 == "get" || $0 == "post" }.map { "\($0.uppercased()) \(path)" }
    }
    #expect(Set(described) == Set(ScansSite.routes.map { "\($0.method.rawValue) \($0.path)" }))
    let schemas = Schemas(text)
    try withSite { port throws in
      func check(_ answer: Client.Answer, _ method: String, _ template: String) throws {
        let operation = paths[template]?[method] as? [String: Any]
        let response = (operation?["responses"] as? [String: Any])?["\(answer.status)"] as? [String: Any]
        let content = response?["content"] as? [String: [String: Any]]
        let type = answer.headers["content-type"]?.split(separator: ";").first.map(String.init) ?? ""
        let schema = try #require(content?[type]?["schema"], "\(method) \(template) gives \(answer.status), \(type)")
        guard type == "application/json" else { return }
        let value = try JSONSerialization.jsonObject(with: Data(answer.body))
        #expect(schemas.problem(value, schema) == nil, "\(method) \(template)")
      }
      for path in ["/api/v1/status", "/api/v1/scans", "/api/v1/queue", "/api/v1/openapi.json"] {
        try check(Client.request(path, port: port), "get", path)
      }
      try check(Client.request("/api/v1/scans?limit=0", port: port), "get", "/api/v1/scans")
      for number in 1...7 {
        try check(Client.request("/api/v1/scans/\(number)", port: port), "get", "/api/v1/scans/{number}")
        for order in ["finalize", "abort", "priority", "remove", "retry"] {
          let template = "/api/v1/scans/{number}/\(order)"
          let body = order == "priority" ? "{\"priority\": 1}" : ""
          try check(post("/api/v1/scans/\(number)/\(order)", port, body), "post", template)
        }
      }
      let added = "{\"files\": [\"\(folder.file("incoming/a.h5"))\"]}"
      try check(post("/api/v1/scans", port, added), "post", "/api/v1/scans")
      try check(post("/api/v1/scans", port, "{}"), "post", "/api/v1/scans")
      let change = try JSONSerialization.jsonObject(
        with: Data(JSONText.bytes(#require(ChangeFollower(queue, after: 0).firstChange))))
      #expect(schemas.problem(change, ["$ref": "#/components/schemas/Change"]) == nil)
    }
  }

  @Test func `Figures are there for Prometheus`() throws {
    try add(.failed)
    try withSite { port throws in
      let text = try Client.request("/metrics", port: port).text
      for line in [
        "slipring_scans{state=\"failed\"} 1.0", "slipring_queue_scans 0.0", "slipring_disk_free_bytes 1000.0",
        "slipring_disk_full_in_seconds 36000.0", "slipring_process_up{process=\"intake camera\"} 1.0",
        "slipring_changes_untold_total 0.0",
      ] { #expect(text.contains(line + "\n"), "\(line) is missing:\n\(text)") }
    }
  }

  @Test func `A sample's name is text on its page, whatever it looks like`() throws {
    try add()
    try withSite { port throws in
      let page = try Client.request("/scans/1/", port: port).text
      #expect(page.contains("wood &lt;b&gt;") && !page.contains("wood <b>") && !page.contains("{{"))
      #expect(!page.contains(token.text))
      let login = try Client.request("/?token=\(token.text)", port: port)
      #expect(login.status == 303 && login.headers["set-cookie"]?.contains("HttpOnly") == true)
      let cookie = ["Cookie": "slipring-\(port)=\(token.text)"]
      #expect(try Client.request("/scans/1/", port: port, headers: cookie).text.contains(token.text))
    }
  }

  @Test func `A thousand scans are shown within a second`() throws {
    for number in 1...1000 {
      try FileManager.default.createDirectory(atPath: queue.folder(of: number), withIntermediateDirectories: false)
      let entry = QueueEntry(number: number, source: "camera", sample: "wood", state: .finished, added: 1e9)
      try Data(JSONText.bytes(entry)).write(to: URL(filePath: queue.folder(of: number) + "/entry.json"))
    }
    try withSite { port throws in
      var total: Int?
      // A quarter of a second by itself; other tests run at the same time.
      let time = try ContinuousClock().measure {
        total = try get("/api/v1/scans?limit=500", port).body["total"] as? Int
      }
      #expect(total == 1000 && time < .seconds(10), "\(time)")
    }
  }
}

extension ChangeFollower {
  /// The first change that there is.
  fileprivate var firstChange: ScanChange? {
    var follower = self
    return follower.next().first
  }
}

/// As much of JSON Schema as the description uses.
private struct Schemas {
  private let named: [String: Any]

  init(_ description: [String: Any]) {
    named = (description["components"] as? [String: Any])?["schemas"] as? [String: Any] ?? [:]
  }

  /// Where a value is not what a schema says; nil where it is.
  func problem(_ value: Any, _ schema: Any, at place: String = "$") -> String? {
    guard let schema = schema as? [String: Any] else { return "\(place): no schema" }
    if let reference = schema["$ref"] as? String {
      return problem(value, named[reference.split(separator: "/").last.map(String.init) ?? ""] ?? "", at: place)
    }
    if let words = schema["enum"] as? [String], !words.contains(value as? String ?? "") { return "\(place): \(value)" }
    switch schema["type"] as? String {
    case "string": return value is String ? nil : "\(place) is no text"
    case "integer": return (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } == true ? nil : place
    case "number": return value is NSNumber ? nil : "\(place) is no number"
    case "array":
      guard let items = value as? [Any] else { return "\(place) is no list" }
      return items.lazy.compactMap { problem($0, schema["items"] ?? "", at: place + "[]") }.first
    case "object": return object(value, schema, place)
    default: return "\(place): an unknown type"
    }
  }

  private func object(_ value: Any, _ schema: [String: Any], _ place: String) -> String? {
    guard let object = value as? [String: Any] else { return "\(place) is no object" }
    let properties = schema["properties"] as? [String: Any]
    for name in schema["required"] as? [String] ?? [] where object[name] == nil { return "\(place) has no \(name)" }
    for (name, value) in object {
      if let property = properties?[name] {
        if let problem = problem(value, property, at: "\(place).\(name)") { return problem }
      } else if let others = schema["additionalProperties"] as? [String: Any] {
        if let problem = problem(value, others, at: "\(place).\(name)") { return problem }
      } else if properties != nil {
        return "\(place).\(name) is not described"
      }
    }
    return nil
  }
}
