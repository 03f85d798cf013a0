import Host
import RunModel
import ScanPlan
import Testing

@testable import Rehearsal

/// Plans of rehearsals, and what is wrong with others.
@Suite struct RehearsalPlanTests {
  private func plan(_ text: String) throws(ScanFailure) -> RehearsalPlan {
    try RehearsalPlan(path: "faults.yaml", bytes: Array(text.utf8))
  }

  @Test func `A plan is read with its faults in the order of their times`() throws {
    let plan = try plan(
      """
      detector: 64,256@50
      memory: 20
      disk: 2G
      cores: 3
      faults:
        - at 2.5s: kill reconstruct.1
        - at 500ms: link   down 3s
        - at 2s: link 100mbit
        - at 2s: link free
        - at 4s: disk full 2s
        - at 5s: detector pause 1s
        - at 1m: machine
        - at 6s: kill any
      expect:
        - lost <= 0
        - latency-p99 <= 500ms
        - seconds < 60
        - volume = same
      """)
    #expect(plan.detector == RehearsedDetector("64,256@50") && plan.detector?.rate == 50)
    #expect(plan.memory == 20 && plan.disk == 2 << 30 && plan.cores == 3)
    #expect(
      plan.faults.map(\.text) == [
        "at 500ms: link down 3s", "at 2s: link 100mbit", "at 2s: link free", "at 2.5s: kill reconstruct.1",
        "at 4s: disk full 2s", "at 5s: detector pause 1s", "at 6s: kill any", "at 1m: machine",
      ])
    #expect(plan.faults[0].action == .linkDown(seconds: 3) && plan.faults[0].time == 0.5)
    #expect(plan.faults[1].action == .linkRate(bytesPerSecond: 12_500_000))
    #expect(plan.faults[3].action == .kill(.reconstruct(1)) && plan.faults[6].action == .kill(nil))
    #expect(plan.expectations.map(\.subject) == [.lost, .latency, .seconds, .volume])
    let latency = plan.expectations[1]
    #expect(latency.verdict(0.5) == .holds && latency.verdict(0.51) == .broken && latency.verdict(nil) == .unknown)
    #expect(plan.expectations[2].verdict(60) == .broken && plan.expectations[3].verdict(0) == .broken)
  }

  @Test(arguments: [
    ("nothing", "has no keys"), ("expect: []", "expect is missing"), ("faults: []", "expect is missing"),
    ("expect:\n  - lost <= 0\nspeed: 3", ":3: there is no key speed; known are detector, memory"),
    ("expect:\n  - lost <= 0\n  - lost is 0", ":3: an expectation is one of lost, overrun"),
    ("expect:\n  - volume = other", ":2: an expectation"), ("expect:\n  - lost <= -1", ":2: an expectation"),
    ("expect:\n  - [lost]", ":2: an expectation"),
    ("faults:\n  - at 2s: link up\nexpect: [lost <= 0]", ":2: a fault is \"at TIME: FAULT\""),
    ("faults:\n  - at -2s: machine\nexpect: [lost <= 0]", ":2: a fault is"),
    ("faults:\n  - at 2s: link down 3\nexpect: [lost <= 0]", ":2: a fault is"),
    ("faults:\n  - at 2s: link 1e9mbit\nexpect: [lost <= 0]", ":2: a fault is"),
    ("faults:\n  at 2s: machine\nexpect: [lost <= 0]", "faults is a list"),
    ("faults:\n  - at 1s: disk full 1s\nexpect: [lost <= 0]", "say disk: SIZE"),
    ("memory: 0\nexpect: [lost <= 0]", ":1: memory is"), ("cores: 0\nexpect: [lost <= 0]", ":1: cores is"),
    ("disk: 2T\nexpect: [lost <= 0]", ":1: disk is"),
    ("detector: 64,256\nexpect: [lost <= 0]", ":1: detector is ROWS,COLUMNS@RATE"),
    ("expect:\n" + (0..<20).map { "  - &a\($0) x\n" }.joined(), "18: there are too many anchors"),
    ("expect: [a: b", "this is not YAML"), ("expect: []\nexpect: []", ":1: the key expect is there more than once"),
    ("---\nexpect: []\n---\na: 1", ":3: this is not YAML: expected a single document"),
    ("expect: []\n\u{0}", ":2: this is not YAML: control characters"),
  ])
  func `A mistake is one line, with the line of the file`(text: String, words: String) {
    let failure = #expect(throws: ScanFailure.self) { try plan(text) }
    #expect(failure?.sysExit == .configuration)
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "none")")
    #expect(failure?.description.contains(where: \.isNewline) == false)
  }

  @Test func `A stage that is to be killed is one of the run's`() throws {
    let stages: [StageName] = [.acquire, .reconstruct(0), .export]
    func check(_ fault: String) throws {
      try plan("faults:\n  - at 2s: \(fault)\nexpect: [lost <= 0]").checkStages(stages)
    }
    for fault in ["kill acquire", "kill reconstruct.0", "kill any", "machine"] { try check(fault) }
    let failure = #expect(throws: ScanFailure.self) { try check("kill denoise") }
    #expect(failure?.sysExit == .configuration)
    #expect(
      failure?.description == "faults.yaml: at 2s: kill denoise: the run has no stage denoise; it has acquire, "
        + "reconstruct.0, export, and kill any takes one")
    for fault in ["kill reconstruct.1", "kill reconstruct", "kill acquire.0"] {
      #expect(throws: ScanFailure.self, "\(fault)") { try check(fault) }
    }
  }

  @Test func `A plan has a limit on faults`() {
    let faults = Array(repeating: "  - at 1s: machine\n", count: RehearsalPlan.faultsMax + 1).joined()
    #expect(throws: ScanFailure.self) { try plan("faults:\n\(faults)expect: [lost <= 0]") }
  }

  @Test(arguments: ["64,256@0", "@", "64@50", "0,4@50", "64,256@50@1", "64,256@nan"])
  func `What is no detector is none`(text: String) { #expect(RehearsedDetector(text) == nil) }
}
