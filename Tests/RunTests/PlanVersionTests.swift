import Host
import ScanPlan
import TestSupport
import Testing

@testable import Run

@Suite struct PlanVersionTests {
  private func refusal(_ plan: String) throws -> ScanFailure? {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    try writeFileAtomically(path: folder.file("plan.json"), text: plan)
    return #expect(throws: ScanFailure.self) { try RunFolder(path: folder.path).readPlan() }
  }

  @Test(arguments: [
    (#"{"slots": {"projections": 8}}"#, "no version"), (#"{"version": null}"#, "no version"),
    (#"{"version": 1, "slots": 8}"#, "version 1"), (#"{"version": 6}"#, "version 6"), (#"{"version": 0}"#, "version 0"),
  ])
  func `A plan of another version is refused before anything else of it is read`(plan: String, words: String) throws {
    let failure = try refusal(plan)
    #expect(failure?.sysExit == .data)
    #expect(failure?.description.contains("(its plan has \(words), this one reads version 5)") == true)
    #expect(failure?.description.contains("\n") == false)
  }

  @Test func `A plan of this version that lacks what it needs is damaged`() throws {
    #expect(try refusal(#"{"version": 5}"#)?.description.contains("plan.json is damaged") == true)
    #expect(try refusal("{").map { $0.sysExit == .data && $0.description.contains("plan.json is damaged") } == true)
    let sealed = String(decoding: try SealedJSON.encode(["version": 5]), as: UTF8.self)
    #expect(try refusal(sealed)?.description.contains("does not hold what a run writes there") == true)
  }
}
