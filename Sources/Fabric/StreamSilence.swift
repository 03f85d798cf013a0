/// Since when streams say nothing while servers answer otherwise: the only server that has them is away. Through all
/// publishers of an uplink.
package final class StreamSilence {
  private var since: [Int: ContinuousClock.Instant] = [:]
  private let limit: Duration
  /// Streams that were made anew elsewhere since somebody asked, by their names.
  private var moved: [String] = []

  /// A server that is started again, or does not answer for a moment, is waited for.
  package init(limit: Duration = .seconds(30)) { self.limit = limit }

  /// Takes note of the granules whose streams are silent now; gives those that were it for too long.
  func note(_ silent: [Int]) -> [Int] {
    let now = ContinuousClock.now
    since = Dictionary(uniqueKeysWithValues: silent.map { ($0, since[$0] ?? now) })
    return silent.filter { now - (since[$0] ?? now) >= limit }
  }

  /// They are removed, and will be made anew.
  func move(_ granules: [Int], _ names: [String]) {
    granules.forEach { since[$0] = nil }
    moved += names
  }

  /// What was made anew since the last time, for people; nil for nothing.
  package func takeWords() -> String? {
    guard let first = moved.first else { return nil }
    defer { moved = [] }
    let others = moved.count == 1 ? "" : " and \(moved.count - 1) others"
    return "the server of stream \(first)\(others) is away: made anew on the servers that are there, and filled again"
  }
}
