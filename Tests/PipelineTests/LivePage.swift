import Foundation
import Run
import Testing

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A run that shows its page, and somebody who looks at it.
final class LivePage {
  let port: UInt16
  let token: String
  private let command: Command

  struct Answer {
    let status: Int
    let headers: [String: String]
    let body: Data
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// Waits until the run says where its page is.
  init(_ command: Command) throws {
    self.command = command
    var line: Substring?
    try PipelineTests.wait("the address of the page") {
      line = try command.errorsSoFar().split(separator: "\n").first { $0.contains("dashboard: http://") }
      return line != nil
    }
    let url = try #require(line?.split(separator: " ").last.flatMap { URLComponents(string: String($0)) })
    port = UInt16(try #require(url.port))
    token = try #require(url.queryItems?.first { $0.name == "token" }?.value)
  }

  /// The page of all scans of a server, whose token is in a file.
  init(server command: Command, tokenFile: String) throws {
    self.command = command
    var line: Substring?
    try PipelineTests.wait("the address of the page") {
      line = try command.errorsSoFar().split(separator: "\n").first { $0.contains("page: http://") }
      return line != nil
    }
    let url = try #require(line?.split(separator: " ").last.flatMap { URLComponents(string: String($0)) })
    port = UInt16(try #require(url.port))
    token = try String(contentsOfFile: tokenFile, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func end() throws -> Command.Outcome { try command.end() }

  func wait(_ what: String, until isTrue: () throws -> Bool) throws { try PipelineTests.wait(what, until: isTrue) }

  func get(_ path: String, headers: [String: String] = [:]) throws -> Answer { try send("GET", path, headers) }

  func post(_ path: String, token: String?, headers: [String: String] = [:]) throws -> Answer {
    try send("POST", path, headers.merging(token.map { ["X-Slipring-Token": $0] } ?? [:]) { $1 })
  }

  func status() throws -> RunStatus {
    struct CampaignReport: Decodable { let status: RunStatus? }
    var status: RunStatus?
    try wait("a status") {
      status = try JSONDecoder().decode(CampaignReport.self, from: get("/api/status").body).status
      return status != nil
    }
    return try #require(status)
  }

  /// The columns of one of the page's curves, which is empty before its first point.
  func curve(_ name: String) throws -> [String: [Double]] {
    let curves = try JSONSerialization.jsonObject(with: get("/api/curves").body) as? [String: Any]
    return curves?[name] as? [String: [Double]] ?? [:]
  }

  private func send(_ method: String, _ path: String, _ headers: [String: String]) throws -> Answer {
    var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")), timeoutInterval: 60)
    request.httpMethod = method
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var result: Result<(Data, URLResponse), any Error>?
    let task = URLSession.shared.dataTask(with: request) { data, response, error in
      if let data, let response {
        result = .success((data, response))
      } else {
        result = .failure(error ?? URLError(.unknown))
      }
      done.signal()
    }
    task.resume()
    done.wait()
    let (data, response) = try #require(result).get()
    let http = try #require(response as? HTTPURLResponse)
    let fields = http.allHeaderFields.map { ("\($0.key)", "\($0.value)") }
    return Answer(status: http.statusCode, headers: Dictionary(fields) { first, _ in first }, body: data)
  }
}
