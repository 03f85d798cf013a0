import Foundation
import Host
import ScanPlan
import TestSupport
import Testing

@testable import Run

@Suite struct SealedJSONTests {
  private struct Value: Codable, Equatable {
    var name: String
    var numbers: [Double]
  }

  private let value = Value(name: "a \"word\"\n", numbers: [0.1, 24, -7e300])

  @Test func `What is sealed is JSON for everybody, and whole`() throws {
    let text = try SealedJSON.encode(value)
    #expect(SealedJSON.check(text) == .whole)
    #expect(try JSONDecoder().decode(Value.self, from: Data(text)) == value)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
    #expect(object.keys.sorted() == ["name", "numbers", "sha256"])
  }

  @Test func `No bit of a sealed text can flip, and no byte be missing or too many`() throws {
    let text = try SealedJSON.encode(value)
    for bit in 0..<8 * text.count {
      var damaged = text
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(SealedJSON.check(damaged) != .whole, "bit \(bit)")
    }
    for count in 0..<text.count { #expect(SealedJSON.check(Array(text[..<count])) != .whole, "\(count) bytes") }
    #expect(SealedJSON.check(text + [10]) != .whole && SealedJSON.check([10] + text) != .whole)
  }

  @Test func `A damaged report is refused in one line that says what to do`() throws {
    let folder = try TestFolder()
    let run = RunFolder(path: folder.path)
    try run.write(value, to: run.losses)
    try run.checkReports { _ in Issue.record("nothing is damaged") }
    var text = try SealedJSON.encode(value)
    text[12] ^= 1
    try writeFileAtomically(path: run.losses, bytes: text)
    let failure = #expect(throws: ScanFailure.self) { try run.checkReports { _ in } }
    #expect(failure?.sysExit == .data && failure?.description.contains("losses.json is damaged") == true)
    try FileManager.default.removeItem(atPath: run.losses)
    // The export's report is written again.
    try writeFileAtomically(path: run.export, bytes: text)
    var notices: [String] = []
    try run.checkReports { notices.append($0) }
    #expect(notices.count == 1 && !FileManager.default.fileExists(atPath: run.export))
  }
}
