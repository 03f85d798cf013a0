import Glibc
import Host
import ScanPlan

/// Where the dashboard listens, as `--dashboard` takes it.
package struct DashboardAddress: Equatable, Sendable, CustomStringConvertible {
  /// A numeric IPv4 or IPv6 address, without brackets.
  let host: String
  /// 0 lets the system choose.
  let port: UInt16
  /// What it is encrypted with; nil for plain HTTP.
  package var tls: TLSFiles? = nil

  /// 127.0.0.1:8787.
  package static let standard = DashboardAddress(host: "127.0.0.1", port: 8787)

  private init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

  /// From `ADDRESS:PORT`, `[ADDRESS]:PORT` or a port alone, which is on 127.0.0.1; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let last = parts.last, let port = UInt16(last), !last.hasPrefix("+") else { return nil }
    var host = parts.dropLast().joined(separator: ":")
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    if host == "localhost" || parts.count == 1 { host = "127.0.0.1" }
    self.init(host: host, port: port)
    guard isIPv4 || isIPv6 else { return nil }
  }

  /// What its URLs begin with.
  var scheme: String { tls == nil ? "http" : "https" }

  /// As it stands in a URL.
  package var description: String { "\(isIPv6 ? "[\(host)]" : host):\(port)" }

  var isIPv4: Bool {
    var address = in_addr()
    return inet_pton(AF_INET, host, &address) == 1
  }

  var isIPv6: Bool {
    var address = in6_addr()
    return inet_pton(AF_INET6, host, &address) == 1
  }

  /// Whether only this machine can reach it.
  var isLoopback: Bool { host == "::1" || (isIPv4 && host.hasPrefix("127.")) }
}

/// A socket that accepts connections; closed with this object.
final class Listener: Sendable {
  let descriptor: Int32
  /// With the port that the system chose.
  let address: DashboardAddress
  /// What clients get to see who is here; nil for plain HTTP.
  let identity: TLSIdentity?

  /// Clients that come at the same moment: for one more of them the system waits a second.
  private static let backlog: Int32 = 256

  /// Throws `.unavailable` where the port is taken or the address is not this machine's, and as `TLSIdentity`, whose
  /// notices `notice` hears.
  init(_ wanted: DashboardAddress, notice: @escaping @Sendable (String) -> Void = { _ in }) throws(ScanFailure) {
    identity = try wanted.tls.map { files throws(ScanFailure) in try TLSIdentity(files, notice: notice) }
    let family = wanted.isIPv6 ? AF_INET6 : AF_INET
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw Self.failure(wanted) }
    var isOn: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
    guard Self.bind(descriptor, wanted) == 0, listen(descriptor, Self.backlog) == 0,
      let port = Self.port(of: descriptor)
    else {
      let failure = Self.failure(wanted)
      close(descriptor)
      throw failure
    }
    self.descriptor = descriptor
    address = wanted.with(port: port)
  }

  deinit { close(descriptor) }

  private static func failure(_ address: DashboardAddress) -> ScanFailure {
    let reason = errno == EADDRINUSE ? "another program has the port" : String(cString: strerror(errno))
    return ScanFailure(
      .unavailable, "no dashboard at \(address): \(reason); choose another address with --dashboard ADDRESS:PORT")
  }

  private static func bind(_ descriptor: Int32, _ address: DashboardAddress) -> Int32 {
    // Sound: a socket address of either family may be given as the general one with its own size.
    func bind<Address>(_ value: Address) -> Int32 {
      withUnsafePointer(to: value) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
        }
      }
    }
    if address.isIPv6 {
      var value = sockaddr_in6()
      value.sin6_family = sa_family_t(AF_INET6)
      value.sin6_port = address.port.bigEndian
      inet_pton(AF_INET6, address.host, &value.sin6_addr)
      return bind(value)
    }
    var value = sockaddr_in()
    value.sin_family = sa_family_t(AF_INET)
    value.sin_port = address.port.bigEndian
    inet_pton(AF_INET, address.host, &value.sin_addr)
    return bind(value)
  }

  private static func port(of descriptor: Int32) -> UInt16? {
    var value = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    // Sound: the port is at the same place in both families' addresses, and the larger one has room for either.
    let result = withUnsafeMutablePointer(to: &value) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    return result == 0 ? UInt16(bigEndian: value.sin6_port) : nil
  }
}

extension DashboardAddress {
  fileprivate func with(port: UInt16) -> DashboardAddress {
    var address = DashboardAddress(host: host, port: port)
    address.tls = tls
    return address
  }
}
