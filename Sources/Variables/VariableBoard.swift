import Detectors

/// Process variables that are posted when they change. Nothing ends because somebody cannot be told.
struct VariableBoard {
  let server: PVAccessServer
  let prefix: VariablePrefix
  /// Hears once where a variable cannot be posted.
  private var notice: ((String) -> Void)?
  private var posted: [String: String] = [:]

  /// The variables `prefix:NAME` of these names and kinds.
  init(
    prefix: VariablePrefix, _ variables: [(name: String, kind: PVAccessServer.VariableKind)],
    notice: @escaping (String) -> Void
  ) throws(StreamError) {
    (server, self.prefix, self.notice) = (try PVAccessServer(), prefix, notice)
    for (name, kind) in variables { try server.add(whole(name), kind) }
  }

  /// A variable's name for all the world.
  func whole(_ name: String) -> String { "\(prefix):\(name)" }

  mutating func post(_ name: String, _ value: Int) { post(name, Double(value)) }

  mutating func post(_ name: String, _ value: Double) {
    post(name, "\(value)") { (server, full) throws(StreamError) in try server.post(value, to: full) }
  }

  mutating func post(_ name: String, _ line: String) {
    post(name, line) { (server, full) throws(StreamError) in try server.post(line, to: full) }
  }

  /// Posts what is not there already, as `value` tells it from what was.
  mutating func post(_ name: String, _ value: String, _ body: (PVAccessServer, String) throws(StreamError) -> Void) {
    guard posted[name] != value else { return }
    posted[name] = value
    do throws(StreamError) { try body(server, whole(name)) } catch {
      notice?("EPICS: \(error)")
      notice = nil
    }
  }
}
