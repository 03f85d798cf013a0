import CSSL
import Glibc
import Host
import ScanPlan

/// The files of a certificate, with those that lead from it to an authority behind it, and of its private key (PEM).
package struct TLSFiles: Equatable, Sendable {
  let certificate: String
  let key: String

  /// From paths; relative ones are from the working folder.
  package init(certificate: String, key: String) { (self.certificate, self.key) = (certificate, key) }
}

/// What a server proves itself with. Whoever renews the certificate replaces the files; they are read again then.
///
/// Sound to hand over: one thread makes it, and only the server's, which is started afterwards, uses it.
final class TLSIdentity: @unchecked Sendable {
  private let files: TLSFiles
  private let notice: @Sendable (String) -> Void
  private var context: Context
  private var seen: [Stamp?]
  private var lookAt: ContinuousClock.Instant

  private static let lookEvery: Duration = .seconds(10)

  /// Reads the files. Throws `.noInput` for one that cannot be read, `.noPermission` for a key that everybody can read,
  /// and `.configuration` for what is no certificate or not its key. `notice` hears of files that were replaced and
  /// cannot be used.
  init(_ files: TLSFiles, notice: @escaping @Sendable (String) -> Void) throws(ScanFailure) {
    (self.files, self.notice) = (files, notice)
    seen = Self.stamps(files)
    context = try Context(files)
    lookAt = .now + Self.lookEvery
  }

  /// Encryption for a client that has just come.
  func session() -> TLSSession? { TLSSession(context.pointer) }

  /// Reads files that were replaced, if it is time to look. Where they cannot be used, what was read before is.
  func refresh(_ now: ContinuousClock.Instant) {
    guard now >= lookAt else { return }
    lookAt = now + Self.lookEvery
    let stamps = Self.stamps(files)
    guard stamps != seen else { return }
    seen = stamps
    do throws(ScanFailure) { context = try Context(files) } catch {
      notice("the certificate of before is served on: \(error)")
    }
  }

  /// Tells a file from one that took its place.
  private struct Stamp: Equatable {
    let numbers: [Int]

    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      numbers = [
        Int(truncatingIfNeeded: status.st_ino), status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
      ]
    }
  }

  private static func stamps(_ files: TLSFiles) -> [Stamp?] { [Stamp(files.certificate), Stamp(files.key)] }

  /// OpenSSL's SSL_CTX; sessions keep what they need of it themselves.
  private final class Context {
    let pointer: OpaquePointer

    init(_ files: TLSFiles) throws(ScanFailure) {
      try Self.checkIsPrivate(files.key)
      try Self.checkIsReadable(files.certificate)
      guard let context = SSL_CTX_new(TLS_server_method()) else {
        throw ScanFailure(.system, "no TLS: \(TLSSession.reason)")
      }
      pointer = context
      guard cssl_set_up(context) == 1 else { throw ScanFailure(.system, "no TLS: \(TLSSession.reason)") }
      // Never a question on the terminal: there is nobody to answer it.
      SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
      guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1 else {
        throw ScanFailure(.configuration, "\(files.certificate) is no certificate in PEM: \(TLSSession.reason)")
      }
      guard SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM) == 1 else {
        throw ScanFailure(
          .configuration,
          "\(files.key) is not the private key of \(files.certificate), in PEM and without a passphrase: "
            + TLSSession.reason)
      }
    }

    deinit { SSL_CTX_free(pointer) }

    private static func checkIsPrivate(_ path: String) throws(ScanFailure) {
      try checkIsReadable(path)
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IROTH == 0 else {
        throw ScanFailure(.noPermission, "everybody on this machine can read the private key \(path): chmod o-r")
      }
    }

    private static func checkIsReadable(_ path: String) throws(ScanFailure) {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else {
        throw ScanFailure(.noInput, "cannot read \(path): \(String(cString: strerror(errno)))")
      }
      close(descriptor)
    }
  }
}
