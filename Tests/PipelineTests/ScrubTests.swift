import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs that read their journals again while they grow, on disks that change bits of them.
  @Suite struct ScrubTests {
    private let folder: TestFolder
    private let scan: String
    private static let (stride, projections) = (4096 + 8192, 520)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "16", "--columns", "256", "--projections", "\(Self.projections)", "--flats", "3",
        "--darks", "2", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private var run: String { folder.file("out-run") }
    private func journal(_ root: String) -> String { root + "/journal/projections.0" }

    private func recon(_ name: String, _ options: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"), "--rotation-axis", "128", "--window-length", "24", "--window-step", "24",
          "--final-iterations", "1", "--format", "tiff", "--json", "--lag-max", "0",
        ] + options)
    }

    private func segments(_ journal: String) throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: journal).filter { $0.hasSuffix(".segment") }.sorted()
    }

    /// Inverts bits of records of the first segment.
    private func damage(_ journal: String, _ records: [Int], offset: Int) throws {
      let name = try #require(segments(journal).first)
      let file = try FileHandle(forUpdating: URL(filePath: "\(journal)/\(name)"))
      for record in records {
        try file.seek(toOffset: UInt64(4096 + record * Self.stride + offset))
        try file.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
      }
      try file.close()
    }

    private func status() throws -> RunStatus? {
      try FileManager.default.contents(atPath: run + "/status.json").map {
        try JSONDecoder().decode(RunStatus.self, from: $0)
      }
    }

    @Test func `Bits that change on either disk while a scan goes on are mended from the other, and said`() throws {
      let reference = try recon("reference", "--quiet").end().result()
      let mirror = folder.file("mirror")
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      let command = try recon("out", "--rate", "80", "--disk-buffer", "0.0001", "--mirror", mirror, "--scrub", "0.3")
      try wait("a sealed segment") { try access(journal(mirror), F_OK) == 0 && segments(journal(mirror)).count > 1 }
      try damage(journal(run), [3, 40], offset: 70)
      try damage(journal(mirror), [7, 41], offset: 4096 + 500)
      try wait("four places mended") { try status()?.scrub?.mended == 4 }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0)
      let scrub = try #require(result.scrub)
      #expect(scrub.found == 4 && scrub.mended == 4 && scrub.passes > 0 && scrub.failure == nil, "\(scrub)")
      for word in ["record 3: the header's checksum is wrong", "record 41: the payload's checksum is wrong"] {
        #expect(outcome.errors.contains(word), "\(word): \(outcome.errors)")
      }
      let verified = try Command.run("journal", "verify", run)
      #expect(verified.status == .exited(0), "\(verified.errors)")
      let names = try [journal(run), journal(mirror)].flatMap {
        try FileManager.default.contentsOfDirectory(atPath: $0)
      }
      #expect(names.allSatisfy { $0.hasSuffix(".segment") || $0 == "through" }, "\(names)")
    }

    @Test func `On one disk damage is said while the scan goes on, and nothing is changed`() throws {
      let command = try recon("out", "--rate", "80", "--disk-buffer", "0.0001", "--scrub", "0.3")
      try wait("a sealed segment") { try access(journal(run), F_OK) == 0 && segments(journal(run)).count > 1 }
      // A dark field, which nobody reads again.
      try damage(journal(run), [1], offset: 4096 + 9)
      try wait("a damage is told") { try status()?.scrub?.found == 1 }
      let outcome = try command.end()
      let words = "record 1: the payload's checksum is wrong; there is no other copy"
      #expect(outcome.errors.contains(words), "\(outcome.errors)")
      #expect(try outcome.result().scrub?.mended == 0)
      let told = try Command.run("status", run)
      #expect(told.output.contains("1 place of the journals damaged on disk, 1 of them not mended"), "\(told.output)")
    }

    @Test func `A run that is over is read again on request, and mended to its last record`() throws {
      let mirror = folder.file("mirror")
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      #expect(try recon("out", "--quiet", "--mirror", mirror).end().status == .exited(0))
      func scrub() throws -> Command.Outcome { try Command.run("journal", "scrub", run) }
      #expect(try scrub().status == .exited(0))
      try damage(journal(run), [0, 2], offset: 70)
      let last = try #require(segments(journal(mirror)).last)
      let file = try FileHandle(forUpdating: URL(filePath: "\(journal(mirror))/\(last)"))
      try file.seek(toOffset: UInt64(4096 + Self.stride + 64))
      try file.write(contentsOf: Data([0xAA, 0x55]))
      try file.close()
      let outcome = try scrub()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.output.contains("3 damaged, 3 of them mended"), "\(outcome.output)")
      #expect(try Command.run("journal", "verify", run).status == .exited(0))
      for root in [run, mirror] { try damage(journal(root), [2, 3], offset: 70) }
      expectFailure(
        65, try scrub(), "damage of journals that is not mended", "records 2 to 3: ",
        "the other copy is damaged there as well")
      for root in [run, mirror] {
        let journal = journal(root)
        for name in try segments(journal) { try FileManager.default.removeItem(atPath: "\(journal)/\(name)") }
      }
      expectFailure(65, try scrub(), "journal/projections.0, records 0 to", "no segment holds it")
    }

    @Test func `Several sealed segments come back from two of four devices to the bit`() throws {
      let devices = (0..<4).map { folder.file("device-\($0)") }
      for device in devices {
        try FileManager.default.createDirectory(atPath: device, withIntermediateDirectories: false)
      }
      let outcome = try recon(
        "out", "--quiet", "--rate", "1000", "--disk-buffer", "0.0001", "--parity",
        "2+2@\(devices.joined(separator: ","))"
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      func contents() throws -> [Data] {
        let names = try segments(journal(run))
        return try names.map { try Data(contentsOf: URL(filePath: "\(journal(run))/\($0)")) }
      }
      let before = try contents()
      #expect(before.count > 2)
      for gone in [run, devices[0], devices[3]] { try FileManager.default.removeItem(atPath: gone) }
      expectFailure(65, try Command.run("journal", "mend", run, "--parity", devices[1]), devices[0], devices[3])
      #expect(try contents() == before)
    }

    @Test func `Copies that are not there are not passed over`() throws {
      let mirror = folder.file("mirror")
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      #expect(try recon("out", "--quiet", "--mirror", mirror).end().status == .exited(0))
      try FileManager.default.removeItem(atPath: mirror)
      let outcome = try Command.run("journal", "scrub", run)
      expectFailure(65, outcome, "were not read: \(mirror)/journal/projections.0; ", "; and 1 more; 'slipring journal")
      #expect(outcome.output.contains("  \(mirror)/journal/projections.0 was not read\n"), "\(outcome.output)")
    }
  }
}
