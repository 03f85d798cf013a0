import CSSL

/// One client's encryption (OpenSSL): bytes in, bytes out. The socket is its owner's. Use from one thread.
final class TLSSession {
  private let session: OpaquePointer
  /// Memory that OpenSSL reads what came from, and writes what is to be sent to; freed with the session.
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer

  /// Why nothing more can be understood of a client, or said to it.
  struct Failure: Error {}

  /// The most that one record holds.
  private static let recordByteCount = 16 << 10

  /// For a client that has just come; nil where there is no memory for it.
  init?(_ context: OpaquePointer) {
    guard let session = SSL_new(context) else { return nil }
    guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
      SSL_free(session)
      return nil
    }
    (self.session, self.incoming, self.outgoing) = (session, incoming, outgoing)
    SSL_set_bio(session, incoming, outgoing)
    SSL_set_accept_state(session)
  }

  deinit { SSL_free(session) }

  /// Whether nothing came yet.
  private(set) var isNew = true

  /// Whether both sides have agreed on keys, so that anything can be said.
  var isEstablished: Bool { SSL_is_init_finished(session) == 1 }

  /// Whether a client's first byte is that of TLS, not of a request in plain text.
  static func begins(_ byte: UInt8) -> Bool { byte == 22 }

  /// Takes what the client sent; returns what it says.
  func open(_ bytes: ArraySlice<UInt8>) throws(Failure) -> [UInt8] {
    isNew = false
    ERR_clear_error()
    let taken = bytes.withUnsafeBytes { BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
    guard taken == bytes.count else { throw Failure() }
    if !isEstablished {
      let result = SSL_do_handshake(session)
      guard result == 1 || SSL_get_error(session, result) == SSL_ERROR_WANT_READ else { throw Failure() }
    }
    guard isEstablished else { return [] }
    var (plain, buffer) = ([UInt8](), [UInt8](repeating: 0, count: Self.recordByteCount))
    while true {
      let count = SSL_read(session, &buffer, Int32(buffer.count))
      guard count > 0 else {
        // It may end what it says (ZERO_RETURN) behind a last request.
        guard [SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN].contains(SSL_get_error(session, count)) else {
          throw Failure()
        }
        return plain
      }
      plain += buffer[..<Int(count)]
    }
  }

  /// Encrypts what comes first of `bytes`; returns how much that is.
  func seal(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
    guard !bytes.isEmpty else { return 0 }
    ERR_clear_error()
    let count = SSL_write(session, bytes.baseAddress, Int32(min(bytes.count, Self.recordByteCount)))
    guard count > 0 else { throw Failure() }
    return Int(count)
  }

  /// What is to be sent, which it is asked for once.
  func takeOutput() -> [UInt8] {
    let count = cssl_pending(outgoing)
    guard count > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = max(0, Int(BIO_read(outgoing, buffer.baseAddress, Int32(count))))
    }
  }

  /// Says that nothing more comes: so the client knows that nobody cut the answer short.
  func end() { _ = SSL_shutdown(session) }

  /// What OpenSSL says of its last failure.
  static var reason: String {
    let code = ERR_get_error()
    guard code != 0 else { return "OpenSSL gives no reason" }
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(code, &text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
