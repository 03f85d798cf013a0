import Host
import ScanPlan
import Testing

@testable import slipring

@Suite struct SweepValuesTests {
  @Test(arguments: [
    ("rotation-axis=290:292:0.5", ["290", "290.5", "291", "291.5", "292"]),
    ("rotation-axis=1:0.7:-0.1", ["1", "0.9", "0.8", "0.7"]), ("binning=2:2:1", ["2"]),
    ("weight=1e-7:4e-7:1.5e-7", ["1e-07", "2.5e-07", "4e-07"]), ("weight=3e-9:3e-9:1", ["3e-09"]),
    ("a=1e6:3e6:1e6", ["1000000", "2000000", "3000000"]), ("a=0.3333333:1.3333333:1", ["0.3333333", "1.3333333"]),
    ("algorithm=fbp, sirt", ["fbp", "sirt"]), ("reg=5,0.1;50,0.1", ["5,0.1", "50,0.1"]),
    ("paganin=energy=20,distance=100,pixel=0.65", ["energy=20", "distance=100", "pixel=0.65"]),
  ])
  func `Ranges and lists are read`(text: String, words: [String]) throws {
    #expect(try SweepValues(text).words == words)
  }

  @Test(arguments: [
    "rotation-axis", "rotation-axis=", "axis=1:2:0", "axis=2:1:0.5", "axis=0:1:0.001", "axis=1,1", "axis=,",
  ])
  func `Anything else is refused`(text: String) {
    let failure = #expect(throws: ScanFailure.self) { try SweepValues(text) }
    #expect(failure?.exitCode == 64 && failure?.description.contains(text) == true)
  }

  @Test func `An option without a value is refused`() {
    #expect(throws: ScanFailure.self) {
      try SweepValues(name: "rotation-axis", text: "", option: "--rotation-axis ")
    }
  }

  @Test func `A key gets a word that it can have`() throws {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    try scan.set("binning", to: "2")
    #expect(scan.binning == 2)
    #expect(throws: ScanFailure.self) { try scan.set("axis", to: "2") }
    #expect(throws: ScanFailure.self) { try scan.set("binning", to: "many") }
  }
}
