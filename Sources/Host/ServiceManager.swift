internal import Glibc

/// The service manager that started this process, as systemd does: it is told how the process is, in the datagrams of
/// sd_notify(3).
///
/// ```
/// READY=1              the start is over          STATUS=projection 12/180    one line for people
/// WATCHDOG=1           the process is alive       STOPPING=1                  it ends
/// ```
/// They go to the Unix socket that NOTIFY_SOCKET names: a path, or after `@` a name in the abstract namespace.
package struct ServiceManager: Sendable {
  /// One thing to tell.
  package enum Message: Sendable, Equatable {
    /// The process does what it was started for.
    case ready
    /// What it does, for people.
    case status(String)
    /// It is alive.
    case alive
    /// It ends.
    case stopping

    fileprivate var line: String {
      switch self {
      case .ready: "READY=1"
      case .status(let text): "STATUS=" + text.split(whereSeparator: \.isNewline).joined(separator: " ")
      case .alive: "WATCHDOG=1"
      case .stopping: "STOPPING=1"
      }
    }
  }

  /// The variables of the environment that are meant for this process and none that it starts.
  package static let environmentNames = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

  /// After this long without a sign of life the manager takes the process for hung; nil where it does not watch.
  package let watchdogPeriod: Duration?
  private let address: String

  /// Who the environment names; nil where that is nobody. `processID` is this process's.
  package init?(environment: [String: String], processID: Int32) {
    guard let address = environment["NOTIFY_SOCKET"], !address.isEmpty else { return nil }
    self.address = address
    // The variables may have been meant for the process that started this one.
    let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(processID)" } ?? true
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
    watchdogPeriod = isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  /// Sends the messages in one datagram, without waiting.
  /// - Throws: `.system` where the manager cannot be told: it is gone, its queue is full, or the name is none.
  package func tell(_ messages: Message...) throws(HostError) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(call: "socket", subject: address, errno: .current) }
    defer { close(descriptor) }
    var (name, length) = try socketName()
    let text = Array(messages.map(\.line).joined(separator: "\n").utf8)
    // Sound: an address of any family begins as sockaddr does, and its length is passed beside it.
    let sent = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, length)
      }
    }
    guard sent == text.count else { throw .system(call: "sendto", subject: address, errno: .current) }
  }

  /// The socket's address, with its length: an abstract name ends with its last byte and not with a zero.
  private func socketName() throws(HostError) -> (sockaddr_un, socklen_t) {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(address.utf8)
    let capacity = MemoryLayout.size(ofValue: name.sun_path)
    guard bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@"), bytes.count > 1, bytes.count < capacity else {
      throw .system(call: "sendto", subject: "NOTIFY_SOCKET=\(address)", errno: Errno(rawValue: EAFNOSUPPORT))
    }
    let isAbstract = bytes[0] == UInt8(ascii: "@")
    if isAbstract { bytes[0] = 0 }
    // Sound: there are fewer bytes than the field has, and it was zeros.
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    return (name, socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1)))
  }
}
