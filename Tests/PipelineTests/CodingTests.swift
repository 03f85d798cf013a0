import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs with `--parity`, of whose devices some are gone.
  @Suite struct CodingTests {
    private let runs: KilledRuns
    private let devices: [String]
    private static let (data, parity) = (2, 2)

    init() throws {
      runs = try KilledRuns()
      devices = (0..<Self.data + Self.parity).map { [runs] in runs.folder.file("device-\($0)") }
      for device in devices { try makeFolder(device) }
    }

    private func makeFolder(_ path: String) throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    private var option: String { "\(Self.data)+\(Self.parity)@\(devices.joined(separator: ","))" }

    private func journal(_ word: String, _ options: String...) throws -> Command.Outcome {
      try Command(["journal", word, runs.run("out")] + options).end()
    }

    private func expectSame(_ outcome: Command.Outcome, at location: SourceLocation = #_sourceLocation) throws {
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      let (result, reference) = (try outcome.result(), try KilledRuns.undisturbed.get())
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0, sourceLocation: location)
    }

    /// Every file of the journals that have records, by its path below them.
    private func journals() throws -> [String: Data] {
      let root = runs.run("out") + "/journal"
      let paths = try FileManager.default.subpathsOfDirectory(atPath: root)
      let files = paths.filter { $0.contains("/") && !$0.hasPrefix("commands") && !$0.hasPrefix("scores") }.map {
        ($0, FileManager.default.contents(atPath: "\(root)/\($0)") ?? Data())
      }
      return Dictionary(uniqueKeysWithValues: files)
    }

    private func whole() throws {
      let outcome = try journal("verify")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.output.contains("projections: shards give back 1 segment\n"), "\(outcome.output)")
    }

    @Test func `Whichever two of four devices are gone with the run folder, it comes back to the bit`()
      throws
    {
      try expectSame(runs.recon("out", "--parity", option).end())
      try whole()
      let before = try journals(), run = runs.run("out")
      #expect(before.count > 4)
      for first in devices.indices {
        for second in (first + 1)..<devices.count {
          let left = devices.indices.filter { $0 != first && $0 != second }
          for gone in [first, second] {
            try FileManager.default.moveItem(atPath: devices[gone], toPath: devices[gone] + "-away")
          }
          try FileManager.default.removeItem(atPath: run)
          // One comes back as a new, empty disk: its shards are written again.
          try makeFolder(devices[first])
          let mended = try journal("mend", "--parity", devices[left[0]])
          #expect(mended.status == .exited(65) && mended.errors.contains(devices[second]), "\(mended.errors)")
          #expect(try journals() == before, "without \(first) and \(second)")
          try makeFolder(devices[second])
          #expect(try journal("mend").status == .exited(0))
          try whole()
          for gone in [first, second] { try FileManager.default.removeItem(atPath: devices[gone] + "-away") }
        }
      }
      try FileManager.default.removeItem(atPath: runs.folder.file("out"))
      try expectSame(runs.resume("out"))
    }

    @Test func `A run that was killed is coded at its end, and with its journals gone is made again by resume`() throws
    {
      try runs.cutPower(runs.recon("out", "--rate", "15", "--lag-max", "0", "--parity", option), "out", after: 10)
      try expectSame(runs.resume("out"))
      try whole()
      let before = try journals()
      try FileManager.default.removeItem(atPath: runs.run("out") + "/journal")
      for name in ["status.json", "export.json"] {
        try FileManager.default.removeItem(atPath: runs.run("out") + "/" + name)
      }
      let outcome = try runs.resume("out")
      try expectSame(outcome)
      let name = "projections.0/00000000000000000000.segment"
      #expect(try journals()[name] == before[name])
    }

    @Test func `A journal that is gone is told in a line, with what helps, and looking makes nothing`() throws {
      try expectSame(runs.recon("out", "--parity", option).end())
      let folder = runs.run("out") + "/journal"
      try FileManager.default.removeItem(atPath: folder)
      expectFailure(65, try journal("verify"), "\(folder) is not there", "'slipring journal mend' writes again")
      expectFailure(66, try journal("list"), "not there: \(folder)", "slipring journal mend")
      #expect(!FileManager.default.fileExists(atPath: folder))
      #expect(try journal("mend").status == .exited(0))
      try whole()
    }

    @Test func `A scrub of a run whose devices are gone, or with them its journals, ends with 65`() throws {
      try expectSame(runs.recon("out", "--parity", option).end())
      #expect(try journal("scrub").status == .exited(0))
      for device in devices { try FileManager.default.moveItem(atPath: device, toPath: device + "-away") }
      expectFailure(65, try journal("scrub"), "were not read: \(devices[0]); \(devices[1])")
      for device in devices { try FileManager.default.moveItem(atPath: device + "-away", toPath: device) }
      let folder = runs.run("out") + "/journal"
      try FileManager.default.removeItem(atPath: folder)
      // What the shards give back is written again.
      #expect(try journal("scrub").status == .exited(0))
      try whole()
      try FileManager.default.removeItem(atPath: folder)
      for device in devices { try FileManager.default.removeItem(atPath: device) }
      expectFailure(65, try journal("scrub"), "were not read: \(folder); \(devices[0]); \(devices[1]); \(devices[2])")
    }

    @Test func `What both copies have damaged comes from shards, and where these are gone salvage is proposed`() throws
    {
      let mirror = runs.folder.file("mirror"), name = "/journal/projections.0/00000000000000000000.segment"
      try makeFolder(mirror)
      try expectSame(runs.recon("out", "--parity", option, "--mirror", mirror).end())
      let before = try journals()
      func damage() throws {
        try runs.damage("out", "projections", record: 7, offset: 4200)
        try FileManager.default.removeItem(atPath: mirror + name)
        try FileManager.default.copyItem(atPath: runs.run("out") + name, toPath: mirror + name)
      }
      for word in ["scrub", "mend"] {
        try damage()
        let verified = try journal("verify")
        expectFailure(65, verified, "'slipring journal mend' writes again")
        #expect(!verified.errors.contains("salvage"), "\(verified.errors)")
        let outcome = try journal(word)
        #expect(outcome.status == .exited(0), "\(word): \(outcome.errors)")
        #expect(try journals() == before, "\(word)")
        try whole()
      }
      for device in devices[..<3] { try FileManager.default.removeItem(atPath: device) }
      try damage()
      expectFailure(65, try journal("verify"), "nothing has projections: records 7..<8", "slipring journal salvage")
      let mended = try journal("mend")
      expectFailure(65, mended, "neither journals nor shards have projections: records 7..<8")
      #expect(mended.output.contains("projections: left damaged records 7..<8"), "\(mended.output)")
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `Folders on one disk need its room together, and check says so`() throws {
      let disk = try SmallDisk(byteCount: 6 << 20)
      let others = devices.indices.map { "\(disk.path)/\($0)" }
      for folder in others { try makeFolder(folder) }
      let parity = "2+2@\(others.joined(separator: ","))", words = "with what else of the run goes to that disk"
      expectFailure(73, try runs.recon("out", "--parity", parity).end(), words)
      let scan = runs.folder.file("scan.yaml")
      let keys = ["input: \(runs.scan)", "output-folder: \(runs.folder.file("out"))", "parity: \(parity)"]
      try keys.joined(separator: "\n").write(toFile: scan, atomically: true, encoding: .utf8)
      expectFailure(73, try Command.run("check", scan), words)
    }

    @Test func `Damage is mended from shards, and with too many devices gone it is said which segments`() throws {
      try expectSame(runs.recon("out", "--parity", option).end())
      let before = try journals()
      func damage() throws {
        try runs.damage("out", "projections", record: 7, offset: 4200)
        try runs.damage("out", "orders.0", record: 2)
      }
      try damage()
      expectFailure(65, try journal("verify"), "not whole", "slipring journal mend")
      #expect(try journal("mend").status == .exited(0))
      #expect(try journals() == before)
      try damage()
      #expect(try journal("salvage").status == .exited(0))
      #expect(try journals() == before, "salvage gave something up")
      for device in devices[..<3] { try FileManager.default.removeItem(atPath: device) }
      try damage()
      expectFailure(
        65, try journal("mend"), "projections, 00000000000000000000.segment, cannot be made from shards",
        "of its 4 shards are gone or damaged, and 2 may be")
      #expect(try journals() != before)
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `A device that is full never hurts the run: it is said, and filled by mend when there is room`() throws {
      let disk = try SmallDisk(byteCount: 8 << 20)
      let folder = disk.path + "/shards"
      try makeFolder(folder)
      var others = devices
      others[1] = folder
      let command = try runs.recon(
        "out", "--rate", "30", "--lag-max", "0", "--parity", "2+2@\(others.joined(separator: ","))")
      try wait("the run") {
        access(folder + "/plan.json", F_OK) == 0 && access(runs.run("out") + "/status.json", F_OK) == 0
      }
      try disk.fill()
      let outcome = try command.end()
      try expectSame(outcome)
      let coding = try #require(try outcome.result().coding)
      #expect(coding.lost.map(\.folder) == [folder] && coding.uncoded.isEmpty && coding.segments > 0, "\(coding)")
      let logs = runs.run("out") + "/log"
      let lines = try FileManager.default.contentsOfDirectory(atPath: logs).map {
        try String(contentsOfFile: "\(logs)/\($0)", encoding: .utf8)
      }
      #expect(lines.contains { $0.contains("a device of shards fails") })
      let status = try Command.run("status", runs.run("out"))
      let words = "without 1 device of shards, \(folder); of 4 any 2 may be gone"
      #expect(status.output.contains(words), "\(status.output)")
      expectFailure(65, try journal("verify"), folder, "missing or damaged")
      disk.makeRoom()
      #expect(try journal("mend").status == .exited(0))
      try whole()
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `A device that leaves an empty folder in mid-run is not filled before it is a disk again`() throws {
      let disk = try SmallDisk(byteCount: 32 << 20)
      var others = devices
      others[1] = disk.path
      let command = try runs.recon(
        "out", "--rate", "30", "--lag-max", "0", "--scrub", "1", "--parity", "2+2@\(others.joined(separator: ","))")
      try wait("the run") {
        access(disk.path + "/plan.json", F_OK) == 0 && access(runs.run("out") + "/status.json", F_OK) == 0
      }
      disk.unmount()
      try expectSame(command.end())
      expectFailure(65, try journal("scrub"), disk.path)
      expectFailure(65, try journal("mend"), "\(disk.path) is on the disk of", "--any-disk")
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
      try disk.mount()
      #expect(try journal("mend").status == .exited(0))
      try whole()
    }

    @Test func `Another run's shards in a folder are named, stay as they are, and what lacks is written beside them`()
      throws
    {
      try expectSame(runs.recon("out", "--parity", option).end())
      let away = devices.map { $0 + "-out" }
      for (device, kept) in zip(devices, away) {
        try FileManager.default.moveItem(atPath: device, toPath: kept)
        try makeFolder(device)
      }
      try expectSame(runs.recon("other", "--parity", option).end())
      let folder = "/journal/projections.0/", place = devices[1] + folder
      let foreign = try FileManager.default.contentsOfDirectory(atPath: place).filter { $0.contains(".k") }
      let name = try #require(foreign.first), bytes = FileManager.default.contents(atPath: place + name)
      for (device, kept) in zip(devices, away) {
        try FileManager.default.removeItem(atPath: device)
        try FileManager.default.moveItem(atPath: kept, toPath: device)
      }
      try #require(bytes != nil && FileManager.default.createFile(atPath: place + name, contents: bytes))
      expectFailure(65, try journal("verify"), "shard 1 of")
      let mended = try journal("mend")
      #expect(mended.status == .exited(0), "\(mended.errors)")
      #expect(mended.output.contains("has 1 file of another journal, \(name) of topic"), "\(mended.output)")
      #expect(FileManager.default.contents(atPath: place + name) == bytes)
      #expect(FileManager.default.fileExists(atPath: place + name + ".1"))
      let verified = try journal("verify")
      #expect(verified.status == .exited(0), "\(verified.errors)")
      #expect(verified.output.contains("has 1 file of another journal"), "\(verified.output)")
    }

    @Test func `Folders that cannot take shards are refused before anything is made, those on one disk are told`()
      throws
    {
      let some = devices[..<3].joined(separator: ",")
      expectFailure(64, try runs.recon("out", "--parity", "2+2@\(some)").end(), "names 3 folders for 2 + 2 shards")
      expectFailure(64, try runs.recon("out", "--parity", "2+2@\(some),\(devices[0])").end(), "names a folder twice")
      expectFailure(64, try runs.recon("out", "--parity", "0+3@\(some)").end(), "at least 1 + 1 are needed")
      expectFailure(64, try runs.recon("out", "--parity", option, "--durability", "memory").end(), "no journal to code")
      expectFailure(66, try runs.recon("out", "--parity", option + "0").end(), "is no folder")
      try Data().write(to: URL(filePath: devices[2] + "/file"))
      expectFailure(73, try runs.recon("out", "--parity", option).end(), "is not empty")
      try FileManager.default.removeItem(atPath: devices[2] + "/file")
      // However it is spelled.
      expectFailure(64, try runs.recon("out", "--parity", "2+2@\(some),\(devices[0])/").end(), "names a folder twice")
      #expect(symlink(devices[0], devices[3] + "-link") == 0)
      expectFailure(
        73, try runs.recon("out", "--parity", "2+2@\(some),\(devices[3])-link").end(), "is the same folder as")
      expectFailure(
        64, try runs.recon("out", "--parity", option, "--mirror", devices[0] + "/").end(), "name the same folder")
      #expect(!FileManager.default.fileExists(atPath: runs.run("out")))
      try makeFolder(runs.run("out"))
      expectFailure(
        73, try runs.recon("out", "--parity", "2+2@\(some),\(runs.run("out"))").end(),
        "is where the run and its output go")
    }
  }
}
