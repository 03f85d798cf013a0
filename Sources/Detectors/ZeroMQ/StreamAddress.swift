package import Host

/// Where messages come from or go to, as in `zmq+pull://192.168.1.7:9999`.
package struct StreamAddress: Equatable, Sendable, CustomStringConvertible {
  /// What the socket at this end does.
  package enum Pattern: String, CaseIterable, Sendable {
    /// Takes every message once; a sender that finds the queue full waits.
    case pull
    /// Takes what is sent while it listens; a publisher never waits.
    case sub
    /// Sends each message to one receiver, and waits for it.
    case push
    /// Sends to everybody who listens.
    case pub
    /// Sends one message at a time, and waits for its reply.
    case req
    /// Takes messages, and answers each.
    case rep

    var isSender: Bool { self == .push || self == .pub }

  }

  /// What the socket at this end does.
  package let pattern: Pattern
  /// A name or number; IPv6 numbers in brackets.
  let host: String
  /// The port; 0 lets a sender have any free one.
  let port: Int

  /// What every address of a stream begins with.
  package static let scheme = "zmq+"

  /// Reads an address. Throws `.address` where it is none.
  package init(_ text: String) throws(StreamError) {
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].hasPrefix(Self.scheme),
      let pattern = Pattern(rawValue: String(parts[0].dropFirst(Self.scheme.count)))
    else {
      throw .address(text, "it begins with zmq+pull://, zmq+sub://, zmq+push://, zmq+pub://, zmq+req:// or zmq+rep://")
    }
    guard let colon = parts[1].lastIndex(of: ":"), let port = Int(parts[1][parts[1].index(after: colon)...]),
      (pattern.isSender ? 0...65_535 : 1...65_535).contains(port)
    else { throw .address(text, "it ends with a port, as in \(parts[0])://127.0.0.1:9999") }
    let host = String(parts[1][..<colon])
    guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy(Self.isPartOfHost) else {
      throw .address(text, "'\(host)' is neither a host's name nor its number")
    }
    (self.pattern, self.host, self.port) = (pattern, host, port)
  }

  private static func isPartOfHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: ".-_:[]".utf8.contains(byte)
    }
  }

  /// As it was read.
  package var description: String { "\(Self.scheme)\(pattern.rawValue)://\(host):\(port)" }

  /// As libzmq names it.
  var endpoint: String { "tcp://\(host == "localhost" ? "127.0.0.1" : host):\(port)" }

  /// Whether messages come from there.
  var receives: Bool { pattern == .pull || pattern == .sub }

  /// Whether nobody beyond this machine can reach it.
  package var isLoopback: Bool { host == "localhost" || host.hasPrefix("127.") || host == "[::1]" }
}

/// What goes wrong with a stream as a whole; what is wrong with one message is a `MessageFault`.
package enum StreamError: SysExitError, Equatable, Sendable {
  /// The address is none.
  case address(String, String)
  /// No variable's name may begin so.
  case prefix(String, String)
  /// A call of libzmq failed.
  case system(call: String, address: String, reason: String)
  /// Nobody took a message within the limit.
  case notTaken(address: String, after: Duration)
  /// What takes images from EPICS is not there, or does not load.
  case withoutPVAccess(reason: String)
  /// Somebody does not do what is asked of them, or is not there.
  case refused(address: String, reason: String)

  /// What happened, where, and what to do.
  package var description: String {
    switch self {
    case .address(let text, let reason): "\(text) is no address: \(reason)"
    case .prefix(let text, let reason): "\(text.debugDescription) is no prefix of process variables: \(reason)"
    case .system(let call, let address, let reason): "\(address): \(call): \(reason)"
    case .notTaken(let address, let limit):
      "\(address): nobody took a message for \(limit); start the receiver, as in slipring recon"
    case .withoutPVAccess(let reason): "pva:// cannot be had: \(reason); \(PVAccessLibrary.remedy)"
    case .refused(let address, let reason): "\(address): \(reason)"
    }
  }

  /// The sysexits code.
  package var sysExit: SysExit {
    switch self {
    case .address, .prefix: .usage
    case .system: .system
    case .notTaken, .withoutPVAccess, .refused: .unavailable
    }
  }
}
