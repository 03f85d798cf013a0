import Journal
import Testing

@Suite struct RecoveryTableTests {
  @Test func `one rule and only one holds for each combination of findings`() {
    for record in RecordFinding.allCases {
      for isAcknowledged in [false, true] {
        for later in LaterFinding.allCases {
          let holding = RecoveryRule.table.filter { $0.holds(record, isAcknowledged, later) }
          #expect(holding.count == 1, "\(record), \(isAcknowledged), \(later): \(holding.map(\.label))")
        }
      }
    }
    #expect(Set(RecoveryRule.table.map(\.label)).count == RecoveryRule.table.count)
  }

  @Test func `nothing that was acknowledged is ever the end`() {
    for rule in RecoveryRule.table where rule.isAcknowledged != false {
      #expect(rule.decision == .corruption, "\(rule.label)")
    }
  }
}
