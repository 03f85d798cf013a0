import Fabric
import Host
import RunModel

/// What nodes say of the slices that they make, as the uplink has heard it (`HeardScores`), in the shape of the run's
/// own scores: granule g is worker `workers` + g.
///
/// Granules that somebody has are waited for until they say something of the window that is decided about, but no
/// longer than they are silent; without word of the servers at all, as long as that.
struct NodeScores {
  private let workers: Int
  /// The newest score of each granule, by its number.
  private var newest: [Int: ScoreEvent]
  /// Granules that count, and whether somebody knows which do.
  private var (granules, isKnown) = ([Int](), false)
  /// When the uplink last knew, in seconds since 1970.
  private var heardAt: Double
  private var lookDue = ContinuousClock.now

  private static let lookInterval: Duration = .milliseconds(200)

  /// `earlier` are a predecessor's scores of nodes, the newest first. The clock begins `now`.
  init(workers: Int, after earlier: [ScoreEvent], now: Double) {
    (self.workers, heardAt) = (workers, now)
    newest = Dictionary(earlier.map { ($0.worker - workers, $0) }) { first, _ in first }
  }

  /// Whether it is time to look again.
  mutating func isDue() -> Bool {
    guard ContinuousClock.now >= lookDue else { return false }
    lookDue = .now + Self.lookInterval
    return true
  }

  /// Takes over what the uplink knows `now`; gives the scores that are new, and whether anything has changed that a
  /// decision depends on.
  mutating func take(_ report: UplinkReport?, now: Double) -> (new: [ScoreEvent], isChanged: Bool) {
    let before = (granules, isKnown)
    var new: [ScoreEvent] = []
    if let report, let at = report.scoresHeardAt, at <= now { heardAt = max(heardAt, at) }
    if now - heardAt > HeardScores.silentAfter / .seconds(1) {
      // Whatever nodes would say, nobody hears it.
      (granules, isKnown) = ([], true)
    } else if let report, report.scoresHeardAt != nil {
      let heard = report.scores ?? []
      (granules, isKnown) = (heard.filter { !$0.isSilent }.map(\.granule), true)
      for granule in heard {
        guard let said = granule.score else {
          // Another node has it now, and begins with the first window.
          newest[granule.granule] = nil
          continue
        }
        let score = ScoreEvent(worker: workers + granule.granule, said.value, truth: nil)
        guard newest[granule.granule] != score else { continue }
        newest[granule.granule] = score
        new.append(score)
      }
    }
    return (new, !new.isEmpty || before != (granules, isKnown))
  }

  /// The newest scores of the granules that count; nil while one of them has none, or nobody knows which do.
  var said: [ScoreEvent]? {
    guard isKnown else { return nil }
    let scores = granules.compactMap { newest[$0] }
    return scores.count == granules.count ? scores : nil
  }

  /// The granules that count, behind what is said of the run's own slices; nothing where none does.
  var words: String { granules.isEmpty ? "" : ", in \(counted(granules.count, "granule")) of nodes as well" }

  /// The newest window that all of these have scored; nil where one of them had not been similar there, for `patience`
  /// scores in a row, each `spacing` updates behind the one before.
  static func agreed(_ scores: [ScoreEvent], patience: Int, spacing: Int) -> ScoreEvent? {
    guard let last = scores.min(by: { $0.update < $1.update }) else { return nil }
    // Of who is ahead the scores behind that window do not count.
    let areSimilar = scores.allSatisfy { score in
      score.streak - (score.update - last.update + spacing - 1) / spacing >= patience
    }
    return areSimilar ? last : nil
  }
}
