import Viewing

/// The viewer of finished volumes, one or two side by side, as a server of its own.
package final class ViewerServer: Sendable {
  private let server: Server
  private let token: Token
  private let isLoopback: Bool

  /// So many volumes are shown at once.
  package static let volumesMax = 2

  /// Begins to serve the volumes in these HDF5 files and OME-Zarr folders. Throws `.unavailable` where it cannot listen
  /// there, and what is wrong with a file. `notice` hears of a renewed certificate that cannot be used.
  package init(_ address: DashboardAddress, files: [String], notice: @escaping @Sendable (String) -> Void) throws {
    precondition((1...Self.volumesMax).contains(files.count), "\(files.count) volumes")
    let opened = try Opened(volumes: files.map { try StoredVolume(path: $0) })
    let listener = try Listener(address, notice: notice)
    let token = Token()
    let access = Access(listener.address, token: token)
    (self.token, isLoopback) = (token, listener.address.isLoopback)
    server = try Server(listener) { ViewerSite(access: access, opened.volumes) }
  }

  /// Sound: the volumes are made by one thread and used by another, which is started afterwards, and by it alone.
  private struct Opened: @unchecked Sendable { let volumes: [StoredVolume] }

  /// What a person opens.
  package var url: String { "\(server.address.scheme)://\(server.address)/\(isLoopback ? "" : "?token=\(token.text)")" }

  /// Ends the server and waits for its thread.
  package func stop() { server.stop(grace: .zero) }
}

/// The viewer of finished volumes, at the root of a server. Lives on the server's thread.
final class ViewerSite: Site {
  private let access: Access
  private let viewer: VolumeViewer

  init(access: Access, _ volumes: [any ViewedVolume]) {
    self.access = access
    // Nothing else is done here, but machines have other work.
    viewer = VolumeViewer(volumes, RenderBudget(cores: 1, now: .now))
  }

  func tick(viewers: Int) -> [UInt8]? { nil }

  func respond(to request: Request, viewers: Int) -> Response {
    if let refusal = access.refusal(of: request) { return refusal }
    if request.path == "/", let token = request.query["token"] {
      guard access.token.matches(token) else { return .init(status: 403, "the token is wrong") }
      return .redirect(to: "./", headers: [access.cookie])
    }
    if request.path == "/healthz" { return .init(status: 200, "ok") }
    return viewer.respond(to: request, path: request.path.dropFirst())
  }
}
