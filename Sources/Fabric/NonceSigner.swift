internal import CNATS
internal import Glibc
internal import Synchronization

/// Signs what a server gives to be signed, with the seed of a file, for as long as a connection lives.
///
/// The library takes a signature whose first byte is zero, one in 256, for none, and the server then refuses a good
/// key. Such a signature counts as a failed attempt here; the next attempt has another nonce, thus another signature.
final class NonceSigner: Sendable {
  private let file: String
  /// How many signatures the library could not have sent.
  private let unsendable = Atomic<Int>(0)
  private let canSend: @Sendable (UInt8) -> Bool

  /// `canSend` says of a signature's first byte whether the library sends it.
  init(seedFile file: String, canSend: @escaping @Sendable (UInt8) -> Bool = { $0 != 0 }) {
    (self.file, self.canSend) = (file, canSend)
  }

  var unsendableCount: Int { unsendable.load(ordering: .relaxed) }

  /// Lets a connection with these options sign; the connection must not outlive this object.
  func install(_ options: OpaquePointer, publicKey: String) -> Bool {
    let sign: natsSignatureHandler = { reason, signature, count, nonce, closure in
      guard let closure, let signature, let count, let nonce else { return NATS_INVALID_ARG }
      let signer = Unmanaged<NonceSigner>.fromOpaque(closure).takeUnretainedValue()
      let status = signer.sign(nonce, signature, count)
      if status != NATS_OK { reason?.pointee = strdup("the key cannot sign") }
      return status
    }
    return natsOptions_SetNKey(options, publicKey, sign, Unmanaged.passUnretained(self).toOpaque()) == NATS_OK
  }

  private func sign(
    _ nonce: UnsafePointer<CChar>, _ signature: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
    _ count: UnsafeMutablePointer<Int32>
  ) -> natsStatus {
    guard var seed = try? UserKey.seedText(file) + [0] else { return NATS_ERR }
    defer { explicit_bzero(&seed, seed.count) }
    let status = seed.withUnsafeBytes {
      nats_Sign($0.baseAddress?.assumingMemoryBound(to: CChar.self), nonce, signature, count)
    }
    guard status == NATS_OK, let bytes = signature.pointee else { return status }
    guard canSend(bytes[0]) else {
      unsendable.add(1, ordering: .relaxed)
      free(bytes)
      (signature.pointee, count.pointee) = (nil, 0)
      return NATS_ERR
    }
    return NATS_OK
  }
}
