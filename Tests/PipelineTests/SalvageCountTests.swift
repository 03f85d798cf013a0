import Foundation
import Host
import Run
import Testing

extension Pipeline {
  /// Every projection is accounted for after a salvage: used or lost, whatever of its journal is damaged.
  @Suite struct SalvageCountTests {
    private let runs: KilledRuns
    private var journal: String { runs.run("out") + "/journal/projections.0" }
    private static let end = KilledRuns.firstProjection + KilledRuns.projections

    init() throws {
      runs = try KilledRuns()
      let finished = try runs.recon("out").end()
      try #require(finished.status == .exited(0), "\(finished.errors)")
    }

    private var segment: String {
      get throws {
        try #require(FileManager.default.contentsOfDirectory(atPath: journal).first { $0.hasSuffix(".segment") })
      }
    }

    /// Each worker may say so.
    private func expectNothingLeft(_ outcome: Command.Outcome) {
      #expect(
        outcome.status == .exited(65) && outcome.errors.contains("no projection of the scan is left"),
        "\(outcome.errors)")
    }

    private func salvage() throws -> String {
      let outcome = try Command.run("journal", "salvage", runs.run("out"))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return outcome.output
    }

    @Test(arguments: [5, 25, 60, 65])
    func
      `Where the end is lost with projections before it, all of them are counted, and the end is the one that it was`(
        first: Int
      ) throws
    {
      for record in first...Self.end { try runs.damage("out", "projections", record: record) }
      let said = try salvage()
      #expect(said.contains("projections: ended again after \(KilledRuns.projections) projections: end of scan"))
      let outcome = try runs.resume("out")
      if first == KilledRuns.firstProjection { return expectNothingLeft(outcome) }
      let result = try outcome.result()
      #expect(result.lost == Self.end - first && result.lost + result.projections == KilledRuns.projections)
      #expect(result.stoppedBy == "end of scan" && result.lostFields == 0)
    }

    @Test(arguments: ["deleted", "cut to its header", "cut to nothing"])
    func `Where every record is lost the run says so, and shows no result of before`(damage: String) throws {
      let path = try "\(journal)/\(segment)"
      switch damage {
      case "deleted": try FileManager.default.removeItem(atPath: path)
      case "cut to its header": try FileHandle(forUpdating: URL(filePath: path)).truncate(atOffset: 4096)
      default: try FileHandle(forUpdating: URL(filePath: path)).truncate(atOffset: 0)
      }
      _ = try salvage()
      for _ in 0..<2 { expectNothingLeft(try runs.resume("out")) }
      let left = try FileManager.default.contentsOfDirectory(atPath: runs.run("out"))
      #expect(!left.contains("export.json") && left.contains("salvaged"))
      #expect(FileManager.default.fileExists(atPath: runs.run("out") + "/salvaged/1/export.json"))
    }

    @Test func `A segment under another name gets its own again, and a copy of one is put away`() throws {
      let reference = try runs.reference()
      let own = try segment
      let (other, third) = ("\(journal)/00000000000000000007.segment", "\(journal)/00000000000000000030.segment")
      try FileManager.default.moveItem(atPath: "\(journal)/\(own)", toPath: other)
      try FileManager.default.copyItem(atPath: other, toPath: third)
      let said = try salvage()
      #expect(
        said.contains("moved 00000000000000000007.segment to \(own), 00000000000000000030.segment to "), "\(said)")
      let result = try runs.resume("out").result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0)
    }

    @Test func `A damaged record of a loss is put away, and what is lost is found again`() throws {
      try runs.damage("out", "projections", record: 20)
      _ = try salvage()
      let loss = try #require(FileManager.default.contentsOfDirectory(atPath: journal).first { $0.hasSuffix(".loss") })
      let file = try FileHandle(forUpdating: URL(filePath: "\(journal)/\(loss)"))
      try file.seek(toOffset: 50)
      try file.write(contentsOf: Data([0xAA]))
      #expect(try salvage().contains("moved \(loss)"))
      let result = try runs.resume("out").result()
      // Who says that the record was durable may have been set aside with what was made of it: then it is read again.
      #expect(result.lost <= 1 && result.lost + result.projections == KilledRuns.projections)
    }

    @Test func `A short campaign of damages loses no projection from the counts`() throws {
      let seed = 20_261_129
      let chaos = URL(filePath: Command.executable).deletingLastPathComponent().appending(path: "chaos").path
      let outcome = try Command(["--damage", "9", "--seed", "\(seed)"], executable: chaos).end()
      #expect(outcome.status == .exited(0), "seed \(seed): \(outcome.output)\(outcome.errors)")
    }
  }
}
