package import Host

/// What can go wrong with a fabric; each in one line for a person.
package enum FabricError: SysExitError, Equatable, Sendable {
  /// An address that is none.
  case address(String, String)
  /// The file of a key or a certificate cannot be used.
  case credentials(file: String, reason: String)
  /// No server answers.
  case unreachable(String, reason: String)
  /// The servers do not know the key, or ask for one.
  case authentication(String)
  /// The server's certificate is not vouched for, or the connection is not encrypted where it must be.
  case untrusted(String, reason: String)
  /// The connection was closed for good.
  case closed(String)
  /// The servers do not allow, or do not have, what was asked for.
  case refused(what: String, reason: String)
  /// No room: a stream, or the servers' disk.
  case full(what: String, reason: String)
  /// Something is not there.
  case missing(String)
  /// A value was changed by another one.
  case conflict(String)
  /// Somebody else has the right to something.
  case held(String, by: String)
  /// What came back is not what was written.
  case damaged(what: String, reason: String)
  /// No answer within the limit.
  case timedOut(what: String, limit: Duration)

  /// One line: what happened, and what to do where a person can do something.
  package var description: String {
    switch self {
    case .address(let text, let reason): "'\(text)' is no address of a fabric: \(reason)"
    case .credentials(let file, let reason): "\(file) cannot be used for the fabric: \(reason)"
    case .unreachable(let address, let reason): "the fabric \(address) does not answer: \(reason)"
    case .authentication(let address): "the fabric \(address) does not know who connects; give it the file of a key"
    case .untrusted(let address, let reason): "the fabric \(address) is not trusted: \(reason)"
    case .closed(let address): "the fabric \(address) has closed the connection"
    case .refused(let what, let reason): "the fabric refused \(what): \(reason)"
    case .full(let what, let reason): "the fabric has no room for \(what): \(reason)"
    case .missing(let what): "the fabric has no \(what)"
    case .conflict(let what): "\(what) of the fabric was changed by somebody else"
    case .held(let what, let holder): "\(what) is held by \(holder), which renews it"
    case .damaged(let what, let reason): "\(what) of the fabric is damaged: \(reason)"
    case .timedOut(let what, let limit): "the fabric did not answer within \(limit): \(what)"
    }
  }

  /// Whether waiting may help: servers come back.
  package var mayPass: Bool {
    switch self {
    case .unreachable, .closed, .timedOut: true
    default: false
    }
  }

  /// Whether something is not there, which others may make.
  package var isMissing: Bool { if case .missing = self { true } else { false } }

  /// The sysexits code.
  package var sysExit: SysExit {
    switch self {
    case .address: .usage
    case .credentials: .noInput
    case .unreachable, .closed, .timedOut, .missing: .unavailable
    case .authentication, .untrusted, .refused: .noPermission
    case .full: .cannotCreate
    case .conflict, .held: .temporary
    case .damaged: .data
    }
  }
}
