import Journal
import Testing

@Suite struct MirrorSimulationTests {
  /// 1,200 runs in four parts.
  @Test(arguments: 0..<4) func `nothing acknowledged is lost as long as one of two disks has it`(_ part: Int) throws {
    var counts: [String: Int] = [:]
    for seed in UInt64(part) * 300..<UInt64(part + 1) * 300 {
      var simulation = MirrorSimulation(seed: seed)
      do { try simulation.run() } catch {
        Issue.record(error, "seed \(seed)")
        return
      }
      counts.merge(simulation.counts, uniquingKeysWith: +)
    }
    for word in ["lost", "flipped", "mended", "degraded", "rotten", "scrubbed"] {
      #expect(counts[word, default: 0] > 20, "\(word): \(counts)")
    }
  }

  @Test(arguments: ["marks", "levels"]) func `a mirror without one of its rules is found out`(_ rule: String) {
    var rules = JournalRules()
    if rule == "marks" { rules.marksLostCopies = false } else { rules.levelsCopies = false }
    for seed in UInt64(0)..<1200 {
      do {
        var simulation = MirrorSimulation(seed: seed, rules: rules)
        try simulation.run()
      } catch {
        return
      }
    }
    Issue.record("nothing noticed that the mirror does without '\(rule)'")
  }
}
