import Testing
import Tomography

@testable import ScanPlan

/// What is known of a measurement beside its images.
@Suite struct MeasurementTests {
  private func scan(_ change: (inout ScanDescription) -> Void) -> ScanDescription {
    var scan = ScanDescription(input: "scan.h5", outputFolder: "out")
    change(&scan)
    return scan
  }

  @Test func `two energies are refused, and one that both mean is not`() throws {
    let phases = PhaseRetrieval(energy: 20, distance: 100, pixel: 0.65, deltaBeta: 500)
    #expect(scan { ($0.energy, $0.paganin) = (20, phases) }.problems() == [])
    let problems = scan { ($0.energy, $0.paganin) = (25, phases) }.problems()
    #expect(problems.count == 1 && problems[0].contains("--energy 25") && problems[0].contains("two energies"))
  }

  @Test(arguments: ["", "two\nlines", String(repeating: "ß", count: 101)])
  func `a sample is a line of text`(_ sample: String) {
    #expect(scan { $0.sample = sample }.problems().count == 1)
  }

  @Test func `what a scan says of its own measurement takes the place of what was expected of all`() {
    var own = scan {
      ($0.energy, $0.pixelSize, $0.sample) = (20, 0.001, "any")
      $0.paganin = PhaseRetrieval(energy: 20, distance: 100, pixel: 1, deltaBeta: 500)
    }
    own.measure(energy: nil, pixelSize: nil, sample: nil)
    #expect(own.energy == 20 && own.pixelSize == 0.001 && own.sample == "any" && own.paganin?.pixel == 1)
    own.measure(energy: 30, pixelSize: 0.0005, sample: "wood")
    #expect(own.energy == 30 && own.pixelSize == 0.0005 && own.sample == "wood")
    #expect(own.paganin == PhaseRetrieval(energy: 30, distance: 100, pixel: 0.5, deltaBeta: 500))
    #expect(own.problems() == [])
  }
}
