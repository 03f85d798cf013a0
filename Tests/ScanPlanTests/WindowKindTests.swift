import Testing
import Tomography

@testable import ScanPlan
@testable import Stages

/// Which updates are made while the scan runs.
@Suite struct WindowKindTests {
  private func kind(_ change: (inout ScanDescription) -> Void) -> ScanDescription.WindowKind {
    var scan = ScanDescription(input: "scan.h5", outputFolder: "out")
    change(&scan)
    return scan.windowKind
  }

  @Test func `A file that nobody looks at has no updates before its final iterations`() {
    #expect(kind { _ in } == .none)
    #expect(ScanDescription(input: "scan.h5", outputFolder: "out").makesNoWindows)
  }

  @Test func `Whoever looks at the volume while the scan runs has spread windows`() {
    #expect(kind { $0.rate = 10 } == .spread)
    #expect(kind { $0.stopSimilarity = 0.9 } == .spread)
    #expect(kind { $0.stopRises = 5 } == .spread)
    #expect(kind { $0.reference = "volume.h5" } == .spread)
    #expect(kind { $0.finalIterations = 0 } == .spread)
    #expect(kind { $0.input = "zmq+pull://detector:5555" } == .spread)
    #expect(kind { $0.watch() } == .spread)
  }

  @Test(arguments: [Algorithm.cgls, .fbp]) func `A method of all projections has no updates that nobody looks at`(
    algorithm: Algorithm
  ) {
    #expect(kind { $0.algorithm = algorithm } == .none)
    #expect(kind { ($0.algorithm, $0.rate) = (algorithm, 10) } == .sliding)
    #expect(kind { ($0.algorithm, $0.windowStep) = (algorithm, 2) } == .sliding)
    #expect(kind { ($0.algorithm, $0.input) = (algorithm, "zmq+pull://detector:5555") } == .sliding)
    var watched = ScanDescription(input: "scan.h5", outputFolder: "out")
    watched.algorithm = algorithm
    watched.watch()
    #expect(throws: Never.self) { try watched.validate() }
    #expect(watched.windows(projectionsPerHalfTurn: 180) == WindowSchedule(length: 24, step: 1, iterations: 1))
  }

  @Test(arguments: Algorithm.allCases.filter { ![.auto, .cgls, .fbp].contains($0) })
  func `A method that is named has the published windows`(algorithm: Algorithm) {
    #expect(kind { $0.algorithm = algorithm } == .sliding)
    #expect(kind { ($0.algorithm, $0.rate) = (algorithm, 10) } == .sliding)
    var watched = ScanDescription(input: "scan.h5", outputFolder: "out")
    watched.algorithm = algorithm
    let before = watched
    watched.watch()
    #expect(watched == before)
    #expect(watched.windows(projectionsPerHalfTurn: 180) == WindowSchedule(length: 24, step: 1, iterations: 1))
  }

  @Test func `An option of one kind asks for that kind`() {
    #expect(kind { $0.windowLength = 12 } == .sliding)
    #expect(kind { ($0.windowStep, $0.rate) = (0, 10) } == .sliding)
    #expect(kind { ($0.windowSubsets, $0.rate) = (2, 10) } == .sliding)
    #expect(kind { ($0.windowRecent, $0.algorithm) = (2, .sirt) } == .spread)
    #expect(kind { $0.windowMemory = .projections(0) } == .spread)
  }

  @Test func `Only who named sirt is told of its relaxation where updates diverge`() {
    for (algorithm, final) in [(.auto, nil), (.cgls, nil), (.sirt, nil), (.auto, .sirt)] as [(Algorithm, Algorithm?)] {
      var scan = ScanDescription(input: "scan.h5", outputFolder: "out")
      (scan.algorithm, scan.final) = (algorithm, final)
      let isNamed = algorithm == .sirt || final == .sirt
      #expect(scan.methods.remedy.contains("--relaxation") == isNamed, "\(algorithm)")
    }
  }
}
