import Fabric
import Rings
import RunModel

/// What the holders of granules say of their slices, as their leases say it. Nothing of it is believed before it was
/// compared with what it should be of; what is none is counted.
struct HeardScores {
  /// A node that has a granule.
  private struct Holder {
    let node: String
    var epoch: UInt64
    var cursor: UInt64
    var score: GranuleScore?
    /// When it last said something new.
    var lastSign: ContinuousClock.Instant
  }

  /// Values that were no score of their granule, each revision of them once.
  private(set) var damaged = 0
  private let run: RunID
  private let granules: Granules
  private var holders: [Int: Holder] = [:]
  private var revisions: [Int: UInt64] = [:]

  /// Who has a granule, and neither takes events nor scores slices, is waited for so long.
  static let silentAfter: Duration = .seconds(30)

  /// Of the granules of a run.
  init(run: RunID, granules: Granules) { (self.run, self.granules) = (run, granules) }

  /// Takes the lease of a granule that was read at `now`; `lease` is nil where the value is none, `revision` where
  /// nobody has the granule.
  mutating func take(_ granule: Int, _ lease: LeaseRecord?, revision: UInt64?, now: ContinuousClock.Instant) {
    guard let revision else {
      (holders[granule], revisions[granule]) = (nil, nil)
      return
    }
    guard revisions[granule] != revision else { return }
    revisions[granule] = revision
    guard let lease else {
      (holders[granule], damaged) = (nil, damaged + 1)
      return
    }
    var holder =
      holders[granule].flatMap { $0.node == lease.node && Self.isSame($0.epoch, lease.epoch) ? $0 : nil }
      ?? Holder(node: lease.node, epoch: lease.epoch, cursor: lease.cursor, score: nil, lastSign: now)
    if let score = lease.score, score != holder.score {
      if isRight(score, granule, after: holder.score) {
        (holder.score, holder.lastSign) = (score, now)
      } else {
        damaged += 1
      }
    }
    if lease.cursor > holder.cursor { holder.lastSign = now }
    (holder.epoch, holder.cursor) = (lease.epoch, max(holder.cursor, lease.cursor))
    holders[granule] = holder
  }

  /// A lease says its own number from its first renewal on.
  private static func isSame(_ known: UInt64, _ epoch: UInt64) -> Bool { known == epoch || known == 0 }

  private func isRight(_ score: GranuleScore, _ granule: Int, after last: GranuleScore?) -> Bool {
    guard let rows = granules.range(of: granule), score.isOf(run, granule, rows: rows) else { return false }
    guard let last else { return true }
    return score.value.update > last.value.update && score.value.projections >= last.value.projections
  }

  /// Who has which granule but those that are made, in the order of these.
  func reports(without made: Set<Int>, now: ContinuousClock.Instant) -> [UplinkReport.Granule] {
    holders.sorted { $0.key < $1.key }.filter { !made.contains($0.key) }.map { granule, holder in
      UplinkReport.Granule(
        granule: granule, node: holder.node, score: holder.score,
        isSilent: now - holder.lastSign > Self.silentAfter)
    }
  }
}
