internal import CNATS
internal import Glibc

/// One connection to a fabric. The library connects again by itself, to any of the servers, for as long as the
/// connection is not closed; what is published meanwhile is refused, never kept. May be used by several threads.
package final class FabricConnection: @unchecked Sendable {
  // Sound: the handle never changes, and the library locks the connection behind it.
  let handle: OpaquePointer
  /// Where it connects to.
  let address: FabricAddress
  /// The library signs with it each time it connects.
  private let signer: NonceSigner?

  private static let connectLimit: Duration = .seconds(2)
  private static let pingInterval: Duration = .seconds(1)
  private static let writeLimit: Duration = .seconds(10)
  /// Attempts whose signature cannot be sent, before they count as others that fail.
  private static let unsendableMax = 64

  /// Connects as `name`, which the servers' own lists show; `sends` says that large messages go out over it rather than
  /// come in. Where nobody answers it tries again for `patience`; what will not change by itself, as an unknown key, is
  /// thrown at once.
  package convenience init(
    _ address: FabricAddress, name: String, sends: Bool = false, patience: Duration
  ) throws(FabricError) {
    let signer = address.credentials.map { NonceSigner(seedFile: $0) }
    try self.init(address, name: name, sends: sends, patience: patience, signer: signer)
  }

  init(
    _ address: FabricAddress, name: String, sends: Bool = false, patience: Duration, signer: NonceSigner?
  ) throws(FabricError) {
    keepMessageMemory()
    (self.address, self.signer) = (address, signer)
    let options = try Self.options(address, name: name, sends: sends, signer)
    defer { natsOptions_Destroy(options) }
    let start = ContinuousClock.now
    var backOff = BackOff(), unsendableSeen = 0
    while true {
      var made: OpaquePointer?
      let status = natsConnection_Connect(&made, options)
      if status == NATS_OK, let made {
        handle = made
        return
      }
      let error = Self.connectError(status, address), unsendable = signer?.unsendableCount ?? 0
      if unsendable > unsendableSeen, unsendable <= Self.unsendableMax {
        unsendableSeen = unsendable
        continue
      }
      guard case .unreachable = error, ContinuousClock.now - start < patience else { throw error }
      pause(min(backOff.fail(), max(.zero, patience - (ContinuousClock.now - start))))
    }
  }

  deinit {
    // The library's threads sign until they have ended.
    withExtendedLifetime(signer) {
      natsConnection_Close(handle)
      natsConnection_Destroy(handle)
    }
  }

  /// Whether a server answers at present.
  var isConnected: Bool { natsConnection_Status(handle) == NATS_CONN_STATUS_CONNECTED }

  /// Whether the library has given up, which it does where a server refuses the key when it connects again.
  var isClosed: Bool { natsConnection_IsClosed(handle) }

  /// What a server has told to be forbidden since the last time; nil for nothing. Without this a refusal looks like
  /// silence.
  var violation: String? {
    var text: UnsafePointer<CChar>?
    guard natsConnection_GetLastError(handle, &text) == NATS_NOT_PERMITTED, let text else { return nil }
    return Self.line(String(cString: text))
  }

  /// What it means that nobody is there for a request to the servers' API of streams.
  var noJetStream: FabricError {
    .unreachable("\(address)", reason: "its servers run without JetStream, or have no leader for it at present")
  }

  /// Sends bytes to a subject; false where nobody is connected.
  func publish(_ subject: String, reply: String? = nil, headers: [(String, String)] = [], _ bytes: [UInt8]) -> Bool {
    guard isConnected else { return false }
    var message: OpaquePointer?
    let status = bytes.withUnsafeBytes {
      natsMsg_Create(
        &message, subject, reply, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
    }
    guard status == NATS_OK, let message else { return false }
    defer { natsMsg_Destroy(message) }
    for (key, value) in headers where natsMsgHeader_Set(message, key, value) != NATS_OK { return false }
    return natsConnection_PublishMsg(handle, message) == NATS_OK
  }

  /// Ends it: who waits for something of it in another thread does so no longer.
  package func close() { natsConnection_Close(handle) }

  /// Sends what still lies in the library's buffer.
  func flush() { natsConnection_FlushTimeout(handle, 1000) }
}

// Options of the library, and what its codes mean.
extension FabricConnection {
  private static func options(
    _ address: FabricAddress, name: String, sends: Bool, _ signer: NonceSigner?
  ) throws(FabricError) -> OpaquePointer {
    var made: OpaquePointer?
    guard natsOptions_Create(&made) == NATS_OK, let options = made else {
      throw .unreachable("\(address)", reason: "no memory")
    }
    var isComplete = false
    defer { if !isComplete { natsOptions_Destroy(options) } }
    let servers = address.locations.map { strdup($0) }
    defer { servers.forEach { free($0) } }
    var pointers = servers.map { UnsafePointer<CChar>($0) }
    let results = [
      natsOptions_SetServers(options, &pointers, Int32(pointers.count)),
      natsOptions_SetNoRandomize(options, true), natsOptions_SetName(options, name),
      natsOptions_SetTimeout(options, connectLimit.milliseconds),
      natsOptions_SetAllowReconnect(options, true), natsOptions_SetMaxReconnect(options, Int32.max),
      natsOptions_SetReconnectWait(options, 200), natsOptions_SetReconnectJitter(options, 200, 200),
      // What cannot be sent now is published anew later, from the journal: nothing is kept here meanwhile.
      natsOptions_SetReconnectBufSize(options, 1),
      natsOptions_SetPingInterval(options, pingInterval.milliseconds), natsOptions_SetMaxPingsOut(options, 2),
      natsOptions_SetWriteDeadline(options, writeLimit.milliseconds), natsOptions_SetSendAsap(options, true),
      // What is received goes through it with fewer calls; what is sent is copied to it as far as it fits.
      natsOptions_SetIOBufSize(options, sends ? 1 << 13 : 1 << 18),
      // The library's own writes them to the standard error.
      natsOptions_SetErrorHandler(options, { _, _, _, _ in }, nil),
    ]
    guard results.allSatisfy({ $0 == NATS_OK }) else {
      throw .unreachable("\(address)", reason: "its client library refuses the options")
    }
    try secure(options, address, signer)
    isComplete = true
    return options
  }

  private static func secure(
    _ options: OpaquePointer, _ address: FabricAddress, _ signer: NonceSigner?
  ) throws(FabricError) {
    if let file = address.credentials, let signer {
      let key = try UserKey(seedFile: file)
      guard signer.install(options, publicKey: key.publicText) else {
        throw .credentials(file: file, reason: lastReason)
      }
    }
    guard address.isEncrypted else { return }
    guard natsOptions_SetSecure(options, true) == NATS_OK else {
      throw .untrusted("\(address)", reason: "the client library has no TLS")
    }
    if let file = address.authority {
      guard natsOptions_LoadCATrustedCertificates(options, file) == NATS_OK else {
        throw .credentials(file: file, reason: "it holds no certificates")
      }
    }
  }

  private static func connectError(_ status: natsStatus, _ address: FabricAddress) -> FabricError {
    let reason = lastReason
    switch status {
    // A server, or this machine, that is too busy for the exchange of keys; the next attempt may be in time.
    case NATS_CONNECTION_AUTH_FAILED where reason.lowercased().contains("timeout"):
      return .unreachable("\(address)", reason: reason)
    case NATS_CONNECTION_AUTH_FAILED: return .authentication("\(address)")
    case NATS_SSL_ERROR: return .untrusted("\(address)", reason: reason)
    case NATS_SECURE_CONNECTION_REQUIRED:
      return .untrusted("\(address)", reason: "it wants an encrypted connection; write tls:// in place of nats://")
    case NATS_SECURE_CONNECTION_WANTED:
      return .untrusted("\(address)", reason: "it has no encryption, and tls:// was asked for")
    default: return .unreachable("\(address)", reason: reason)
    }
  }

  /// What the library says of its last error in this thread, in one line.
  static var lastReason: String {
    var status = NATS_OK
    guard let text = nats_GetLastError(&status) else { return String(cString: natsStatus_GetText(status)) }
    let words = line(String(cString: text))
    return words.isEmpty ? String(cString: natsStatus_GetText(status)) : words
  }

  /// A text of the library in one line, without the places in its source.
  private static func line(_ text: String) -> String {
    text.replacing(/\([A-Za-z0-9_]+\.c:[0-9]+\):? */, with: "").split(whereSeparator: \.isNewline).joined(
      separator: " ")
  }
}

extension Duration {
  /// Whole milliseconds, rounded up.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}

/// Sleeps.
package func pause(_ duration: Duration) {
  guard duration > .zero else { return }
  usleep(UInt32(clamping: duration.milliseconds * 1000))
}

/// The library allocates each message. By default malloc(3) gives memory of that size back to the system every time,
/// and the system clears it page by page for the next message: that costs as much as the transfer. This process keeps
/// it.
private func keepMessageMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20)
  mallopt(M_TRIM_THRESHOLD, 256 << 20)
}
