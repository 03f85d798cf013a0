import Viewing

/// The viewer's page, and a desk for each finished volume that it shows, wherever a server has them.
final class VolumeViewer {
  private let desks: [Substring: VolumeDesk]

  /// The first part of each volume's address; the page knows both.
  private static let names: [Substring] = ["voxels", "compare"]

  /// `others` are what the server has beside them.
  init(_ volumes: [any ViewedVolume], others: [String] = [], _ budget: RenderBudget) {
    precondition((1...Self.names.count).contains(volumes.count), "\(volumes.count) volumes")
    let others = Self.names.prefix(volumes.count).dropFirst().map(String.init) + others
    desks = Dictionary(uniqueKeysWithValues: zip(Self.names, volumes.map { VolumeDesk($0, budget, others: others) }))
  }

  /// The page itself, for a server that has the volumes elsewhere.
  static var page: Response {
    guard let page = WebFiles.response(for: "viewer") else { preconditionFailure("the viewer has no page") }
    return page
  }

  /// The answer to a request for `path`, behind the viewer's own address: nothing for the page.
  func respond(to request: Request, path: Substring) -> Response {
    let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard request.method != .post, let first = parts.first else {
      return .init(status: 405, "this is for reading", headers: [("Allow", "GET")])
    }
    if parts.count == 1, let file = WebFiles.response(for: first.isEmpty ? "viewer" : first) { return file }
    if parts.count == 2, let desk = desks[first] {
      return desk.respond(to: request, path: parts[1], isOver: true, freshFor: .zero)
    }
    return .init(status: 404, "there is nothing at \(request.path)")
  }
}
