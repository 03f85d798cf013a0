import Glibc
import Host

/// What `--events-config` names: a file of lines `key=value`, as librdkafka and Kafka's own tools have them. Keys that
/// begin with `diaspora.` are for these sinks, all others go to librdkafka as they are.
///
/// ```
/// # how to reach the cluster
/// security.protocol=SASL_SSL
/// sasl.mechanism=SCRAM-SHA-512
/// sasl.username=beamline
/// sasl.password=…
/// diaspora.token.file=/etc/slipring/token
/// diaspora.ca.file=/etc/ssl/certs/lab.pem
/// ```
struct EventSettings: Sendable {
  /// One line of it.
  struct Setting: Sendable {
    let key: String
    let value: String
    let line: Int
  }

  let path: String
  /// For librdkafka, in their order.
  let kafka: [Setting]
  /// The file with the token that requests carry; nil for none.
  let tokenFile: String?
  /// The file with the authorities that servers are believed by; nil for those of the system.
  let authoritiesFile: String?

  private static let (byteCountMax, linesMax) = (64 << 10, 500)
  private static let ownKeys = ["diaspora.token.file", "diaspora.ca.file"]
  /// What delivery relies on.
  private static let reserved: Set<String> = [
    "bootstrap.servers", "metadata.broker.list", "acks", "request.required.acks", "enable.idempotence",
    "message.timeout.ms", "delivery.timeout.ms", "transactional.id", "group.id", "enable.auto.commit",
    "auto.commit.enable", "queue.buffering.max.messages", "queue.buffering.max.kbytes",
  ]

  /// No settings.
  static let none = EventSettings()

  private init() { (path, kafka, tokenFile, authoritiesFile) = ("", [], nil, nil) }

  /// Reads a file. Throws `.unreadable`, `.setting` for a line that is none, and `.open` where it holds a secret that
  /// others may read.
  init(path: String) throws(EventsError) {
    let (text, isPrivate) = try Self.read(path, byteCountMax: Self.byteCountMax)
    var settings: [Setting] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = line.trimmed
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      guard settings.count < Self.linesMax else {
        throw .setting(path: path, line: index + 1, reason: "more than \(Self.linesMax) settings")
      }
      settings.append(try Self.setting(line, index + 1, path))
    }
    let secret = settings.first { Self.isSecret($0.key) }
    guard secret == nil || isPrivate else { throw .open(path: path) }
    func own(_ key: String) -> String? { settings.last { $0.key == key }.map { absolutePath($0.value) } }
    self.path = path
    kafka = settings.filter { !Self.ownKeys.contains($0.key) }
    (tokenFile, authoritiesFile) = (own(Self.ownKeys[0]), own(Self.ownKeys[1]))
  }

  /// Whether the value of a key is nobody's business.
  static func isSecret(_ key: String) -> Bool {
    ["password", "secret", "key.pem", "jaas", "oauthbearer.config"].contains { key.contains($0) }
  }

  /// What librdkafka says, without the values of secrets.
  func withoutSecrets(_ text: String) -> String {
    kafka.filter { Self.isSecret($0.key) && !$0.value.isEmpty }.reduce(plainText(text)) {
      $0.replacing($1.value, with: "…")
    }
  }

  /// Throws where a file that is named here is of no use.
  func check() throws(EventsError) {
    _ = try token()
    guard let authoritiesFile, access(authoritiesFile, R_OK) != 0 else { return }
    throw .unreadable(path: authoritiesFile, reason: "\(Errno.current)")
  }

  /// The token of requests, read again with each as it may be renewed; nil for none.
  func token() throws(EventsError) -> String? {
    guard let tokenFile else { return nil }
    let (text, isPrivate) = try Self.read(tokenFile, byteCountMax: 16 << 10)
    guard isPrivate else { throw .open(path: tokenFile) }
    let token = text.trimmed
    guard !token.isEmpty, token.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .unreadable(path: tokenFile, reason: "it is not one line with a token")
    }
    return token
  }

  private static func setting(_ line: String, _ number: Int, _ path: String) throws(EventsError) -> Setting {
    // The line itself may hold a secret, and is not shown.
    guard let sign = line.firstIndex(of: "="), case let key = String(line[..<sign]).trimmed, !key.isEmpty,
      key.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
    else { throw .setting(path: path, line: number, reason: "it is not key=value") }
    guard !reserved.contains(key) else {
      throw .setting(path: path, line: number, reason: "\(key) is Slipring's own to set; leave it out")
    }
    guard !key.hasPrefix("diaspora.") || ownKeys.contains(key) else {
      throw .setting(path: path, line: number, reason: "\(key) is none of \(ownKeys.joined(separator: ", "))")
    }
    return Setting(key: key, value: String(line[line.index(after: sign)...]).trimmed, line: number)
  }

  /// The text of a file, and whether it is its owner's alone.
  private static func read(_ path: String, byteCountMax: Int) throws(EventsError) -> (text: String, isPrivate: Bool) {
    // With O_NONBLOCK nobody waits for the writer of a pipe in its place.
    let descriptor = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path: path, reason: "\(Errno.current)") }
    defer { close(descriptor) }
    var status = stat()
    guard isRegularFile(descriptor), fstat(descriptor, &status) == 0 else {
      throw .unreadable(path: path, reason: "it is not a file")
    }
    var bytes = [UInt8](repeating: 0, count: byteCountMax + 1)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { throw .unreadable(path: path, reason: "\(Errno.current)") }
    guard count <= byteCountMax else { throw .unreadable(path: path, reason: "it has more than \(byteCountMax) B") }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw .unreadable(path: path, reason: "it is not text in UTF-8")
    }
    return (text, status.st_mode & 0o077 == 0)
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    var text = self[...]
    while text.first?.isWhitespace == true { text = text.dropFirst() }
    while text.last?.isWhitespace == true { text = text.dropLast() }
    return String(text)
  }
}
