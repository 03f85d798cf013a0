import Journal
import Testing

/// The journal with one rule taken away. A simulation has to notice each within its runs; the same runs pass with every
/// rule in place (`SimulationTests`).
struct Mutant: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let lies: Bool
  let change: @Sendable (inout JournalRules) -> Void

  static let all: [Mutant] = [
    Mutant(testDescription: "acknowledges without a sync", lies: false) { $0.syncsBatches = false },
    Mutant(testDescription: "syncs after failed writes (a hard link)", lies: false) { $0.linksSyncToWrites = false },
    Mutant(testDescription: "does not sync the folder", lies: false) { $0.syncsFolder = false },
    Mutant(testDescription: "does not check payloads", lies: true) { $0.checksPayload = false },
    Mutant(testDescription: "syncs again after a failed sync", lies: false) { $0.abandonsAfterFailedSync = false },
    Mutant(testDescription: "acknowledges a batch before the one before it", lies: false) {
      $0.acknowledgesInOrder = false
    },
    Mutant(testDescription: "takes damage for the end", lies: true) { $0.protectsAcknowledged = false },
    Mutant(testDescription: "does not wait for the lock", lies: false) { $0.waitsForLock = false },
    Mutant(testDescription: "takes a short write for a whole one", lies: false) { $0.continuesShortWrites = false },
    Mutant(testDescription: "removes segments without a record of it", lies: false) { $0.recordsRetirement = false },
  ]
}

@Suite struct MutantTests {
  @Test(arguments: Mutant.all) func `a journal without one of its rules is found out`(_ mutant: Mutant) {
    var rules = JournalRules()
    mutant.change(&rules)
    for seed in UInt64(0)..<3000 {
      do {
        var simulation = Simulation(seed: seed, lies: mutant.lies, rules: rules)
        try simulation.run()
      } catch {
        #expect(throws: Never.self, "seed \(seed) fails with every rule in place too") {
          var simulation = Simulation(seed: seed, lies: mutant.lies)
          try simulation.run()
        }
        return
      }
    }
    Issue.record("nothing noticed that the journal \(mutant.testDescription)")
  }
}
