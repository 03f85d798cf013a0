import Glibc
import Host
package import ScanPlan
package import Serve

/// The page and the API of all scans of a server: an HTTP server in its process, on a thread of its own, that shows
/// what is in the server's folder. It outlives runs, and keeps its address and its token.
package final class ScanServerPage: Sendable {
  private let server: Server
  private let token: String

  /// Where it listens, as a person opens it.
  package var address: String { "\(server.address.scheme)://\(server.address)/" }

  /// The same with the token, for whoever is to end runs and change the queue there.
  package var addressWithToken: String { "\(address)?token=\(token)" }

  private static let (tokenLengthMin, tokenLengthMax) = (16, 256)

  /// Begins to serve what `file` asks for; nil where it asks for no page.
  /// - Throws: `.configuration` for an address that is none, `.unavailable` where it cannot listen there, and where the
  ///   token cannot be read or kept, or the certificate not used.
  package init?(_ file: ServeFile, notice: @escaping @Sendable (String) -> Void) throws {
    guard let page = file.page, let wanted = try Self.address(file) else { return nil }
    let path = page.tokenFile ?? "\(file.folder)/token"
    let token = try Self.token(path, isOwn: page.tokenFile == nil)
    let listener = try Listener(wanted, notice: notice)
    let access = Access(listener.address, token: token, publicName: page.name)
    self.token = token.text
    let queue = ScanQueue(folder: file.folder), folders = file.openFolders
    server = try Server(listener) { ScansSite(queue, openFolders: folders, access: access, notice: notice) }
  }

  /// Where a server's page is to be; nil for nowhere.
  /// - Throws: `.configuration` where that is no address, and what is wrong with the files of its certificate.
  @discardableResult
  package static func address(_ file: ServeFile) throws(ScanFailure) -> DashboardAddress? {
    guard let page = file.page else { return nil }
    guard var address = DashboardAddress(page.address) else {
      throw ScanFailure(
        .configuration, "\(file.path):\(page.line): address is ADDRESS:PORT with a numeric address, as 127.0.0.1:8080")
    }
    if let files = page.certificate {
      let files = TLSFiles(certificate: files.path, key: files.key)
      _ = try TLSIdentity(files) { _ in }
      address.tls = files
    }
    return address
  }

  /// Ends it.
  package func stop() { server.stop(grace: .zero) }

  /// The token in the file at `path`; a new one where `isOwn` and there is none yet.
  private static func token(_ path: String, isOwn: Bool) throws -> Token {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      guard isOwn, errno == ENOENT else {
        throw ScanFailure(.noInput, "cannot read the token in \(path): \(String(cString: strerror(errno)))")
      }
      let token = Token()
      try writeFileAtomically(path: path, bytes: Array("\(token.text)\n".utf8), isPrivate: true)
      return token
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: tokenLengthMax + 2)
    let count = read(descriptor, &bytes, bytes.count)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).filter { !$0.isNewline }
    guard (tokenLengthMin...tokenLengthMax).contains(text.utf8.count),
      text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && ![0x22, 0x3B, 0x2C, 0x5C].contains($0) })
    else {
      throw ScanFailure(
        .configuration,
        "\(path) has no token: one line of \(tokenLengthMin) to \(tokenLengthMax) letters, digits and signs, without "
          + "blanks, quotes, commas, semicolons and backslashes")
    }
    return Token(text)
  }
}
