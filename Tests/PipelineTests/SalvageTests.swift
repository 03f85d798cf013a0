import Foundation
import Glibc
import Run
import TestSupport
import Testing

@testable import Host
@testable import ScanFiles

extension Pipeline {
  /// Runs whose machine died and whose disk damaged what was acknowledged: refused as they are, finished after a
  /// salvage.
  @Suite struct SalvageTests {
    private let runs: KilledRuns

    init() throws { runs = try KilledRuns() }

    /// Expects that `resume` refuses the run, and names the records and the way out.
    private func expectRefusal(
      _ name: String, _ topic: String, _ records: String, hasOutput: Bool = false,
      at location: SourceLocation = #_sourceLocation
    ) throws {
      let outcome = try runs.resume(name)
      #expect(outcome.status == .exited(65), "\(outcome.errors)", sourceLocation: location)
      for fragment in [topic, records, "slipring journal salvage"] {
        #expect(
          outcome.errors.contains(fragment), "\(fragment) is missing: \(outcome.errors)", sourceLocation: location)
      }
      let outputs = try FileManager.default.contentsOfDirectory(atPath: runs.folder.file(name))
      #expect(outputs.contains { $0.hasPrefix("recon_") } == hasOutput, sourceLocation: location)
    }

    private func salvage(_ name: String) throws -> String {
      let outcome = try Command.run("journal", "salvage", runs.run(name))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return outcome.output
    }

    private func finish(_ name: String) throws -> RunResult {
      let outcome = try runs.resume(name)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    @Test func `Views of what is made again are made again, and their readers begin anew`() throws {
      let outcome = try runs.recon("out", "--view", "pairs,from=projections,with=updates,match=window").end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let readers = runs.run("out") + "/views/pairs", aside = runs.run("out") + "/salvaged/1"
      try FileManager.default.createDirectory(atPath: readers, withIntermediateDirectories: true)
      try Data().write(to: URL(filePath: readers + "/reader.cursor"))
      try runs.damage("out", "projections", record: 20)
      let said = try salvage("out")
      #expect(said.contains("views.0: set aside in \(aside), to be made again: it points to what is lost"), "\(said)")
      #expect(FileManager.default.fileExists(atPath: aside + "/readers-pairs/reader.cursor"))
      let again = try runs.resume("out")
      #expect(again.status == .exited(0), "\(again.errors)")
      #expect(again.output.contains("\"isComplete\" : true"), "\(again.output)")
      let listed = try Command.run("journal", "list", runs.run("out"))
      #expect(!listed.output.contains("views.0: records 0..<0 "), "\(listed.output)")
    }

    @Test(arguments: ["orders.0", "updates.1"])
    func `Orders and reports that are damaged are made again, and the volume has the same bits`(topic: String) throws {
      let reference = try runs.reference()
      try runs.cutPower("out", after: 20)
      try runs.damage("out", topic, record: 3)
      try expectRefusal("out", topic, "records 3..<4")
      let said = try salvage("out")
      #expect(
        said.contains("\(topic): set aside in \(runs.run("out"))/salvaged/1")
          && said.contains("projections: nothing was damaged"))
      #expect(try !FileManager.default.contentsOfDirectory(atPath: runs.run("out") + "/salvaged/1/\(topic)").isEmpty)
      // The machine may die again before everything is made again; a fast one has finished by then.
      let again = try Command(["resume", runs.run("out"), "--quiet", "--json"])
      usleep(300_000)
      try again.process.signal(SIGKILL)
      _ = try again.end()
      try RunFolder(path: runs.run("out")).removeRegions(timeout: .seconds(10))
      let result = try finish("out")
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
      #expect(
        result.projections == KilledRuns.projections && result.lost == 0 && result.lostFields == 0
          && result.duplicates == 0)
      #expect(try runs.residuals("out") == runs.residuals("reference"))
      #expect(try salvage("out").split(separator: "\n").allSatisfy { $0.hasSuffix("nothing was damaged") })
    }

    @Test(arguments: ["corrected.0", "projections"])
    func `What was filtered is filtered again where it, or what it was made of, is damaged`(journal: String) throws {
      let reference = try runs.recon("reference", "--zingers", "2").end().result()
      try runs.cutPower(runs.recon("out", "--rate", "30", "--lag-max", "0", "--zingers", "2"), "out", after: 20)
      // Of `corrected`, whose records are twice as long as is taken for granted here, that is the header of the record
      // before.
      try runs.damage("out", journal, record: journal == "projections" ? 10 : 2)
      #expect(try runs.resume("out").status == .exited(65))
      #expect(try salvage("out").contains("corrected: set aside in \(runs.run("out"))/salvaged/1"))
      let result = try finish("out")
      let lost = journal == "projections" ? 1 : 0
      #expect(result.lost == lost && result.projections == KilledRuns.projections - lost && result.duplicates == 0)
      #expect((result.volumeSHA256 == reference.volumeSHA256) == (lost == 0))
    }

    @Test func `A finished run whose orders are damaged is finished again`() throws {
      // Slowly, and not near the end, so that later records say of this one that it is durable on a busy machine too.
      let reference = try runs.recon("out", "--rate", "100", "--lag-max", "0").end().result()
      try runs.damage("out", "orders.1", record: 15)
      try expectRefusal("out", "orders.1", "records 15..<16", hasOutput: true)
      _ = try salvage("out")
      #expect(try finish("out").volumeSHA256 == reference.volumeSHA256)
    }

    @Test func `Where the end of the scan is lost it ends with its records`() throws {
      let reference = try runs.recon("out", "--rate", "100", "--lag-max", "0").end().result()
      // That the end was durable is said by the orders of the other worker.
      try runs.damage("out", "orders.0", record: 3)
      let end = KilledRuns.firstProjection + KilledRuns.projections
      try runs.damage("out", "projections", record: end)
      try expectRefusal("out", "projections.0", "records \(end)..<\(end + 1)", hasOutput: true)
      #expect(try salvage("out").contains("projections: gave up records \(end)..<\(end + 1)"))
      let result = try finish("out")
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0 && result.lostFields == 0)
    }

    @Test func `Lost projections are counted, and the volume is that of the others however far the run was`() throws {
      let reference = try runs.reference()
      let first = KilledRuns.firstProjection
      var digests: Set<String> = []
      for (number, updates) in [10, 30].enumerated() {
        let name = "out\(number)"
        try runs.cutPower(name, after: updates)
        try runs.damage(name, "projections", record: first + 7)
        try runs.damage(name, "projections", record: first + 8)
        try expectRefusal(name, "projections.0", "records \(first + 7)..<\(first + 9)")
        let said = try salvage(name)
        #expect(said.contains("projections: gave up records \(first + 7)..<\(first + 9)"), "\(said)")
        #expect(said.contains("orders.0: set aside") && said.contains("updates.1: set aside"), "\(said)")
        let result = try finish(name)
        #expect(
          result.projections == KilledRuns.projections - 2 && result.lost == 2 && result.lostFields == 0
            && result.duplicates == 0)
        #expect(result.stoppedBy == "end of scan")
        digests.insert(try #require(result.volumeSHA256))
        #expect(try finish(name).volumeSHA256 == result.volumeSHA256)
      }
      #expect(digests.count == 1 && reference.volumeSHA256.map(digests.contains) == false)
      let file = try HDF5File(path: runs.folder.file("out0/foam_rec.h5"))
      #expect(try file.text(ofAttribute: "lost_projections", of: DXchange.data) == "2")
      let told = try Command.run("resume", runs.run("out1"))
      #expect(
        told.status == .exited(0) && told.errors.contains("2 projections and 0 flat or dark fields were lost"),
        "\(told.errors)")
    }

    @Test func `Orders that are gone are told, and what was made of lost projections by them does not stay`() throws {
      var digests: Set<String> = []
      for name in ["whole", "gone"] {
        try runs.cutPower(name, after: 20)
        if name == "gone" {
          let journal = runs.run(name) + "/journal/orders.1"
          for file in try FileManager.default.contentsOfDirectory(atPath: journal) {
            try FileManager.default.removeItem(atPath: "\(journal)/\(file)")
          }
        }
        try runs.damage(name, "projections", record: KilledRuns.firstProjection + 7)
        let told = try salvage(name)
        #expect(told.contains("updates.1: set aside"), "\(told)")
        #expect(told.contains("orders.1: ") || name == "whole", "\(told)")
        let result = try finish(name)
        #expect(result.lost == 1 && result.projections == KilledRuns.projections - 1)
        digests.insert(try #require(result.volumeSHA256))
      }
      #expect(digests.count == 1)
    }

    @Test func `A damaged payload stops the run where it is read, and a lost flat field leaves its work to the others`()
      throws
    {
      let reference = try runs.reference()
      try runs.cutPower("out", after: 15)
      let flat = KilledRuns.firstProjection - 1
      try runs.damage("out", "projections", record: flat, offset: 4096 + 10)
      let refused = try runs.resume("out")
      #expect(refused.status == .exited(65), "\(refused.errors)")
      #expect(
        refused.errors.contains("record \(flat): the payload's checksum")
          && refused.errors.contains("slipring journal salvage"))
      #expect(try salvage("out").contains("gave up records \(flat)..<\(flat + 1)"))
      let result = try finish("out")
      #expect(result.projections == KilledRuns.projections && result.lost == 0 && result.lostFields == 1)
      #expect(result.volumeSHA256 != reference.volumeSHA256)
    }

    @Test func `Without any flat field nothing is reconstructed`() throws {
      try runs.cutPower("out", after: 15)
      let first = KilledRuns.firstProjection
      for record in 0..<first { try runs.damage("out", "projections", record: record) }
      _ = try salvage("out")
      let outcome = try runs.resume("out")
      #expect(
        outcome.status == .exited(65) && outcome.errors.contains("no flat field of the scan is left"),
        "\(outcome.errors)")
    }
  }
}
