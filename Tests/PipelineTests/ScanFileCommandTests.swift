import Foundation
import Glibc
import Host
import Run
import ScanPlan
import TestSupport
import Testing

extension Pipeline {
  /// A run from its scan file: init, check, run.
  @Suite struct ScanFileCommandTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 2, columns: 32, projections: 40)
    }

    @Test(.enabled(if: geteuid() == 0, "only what root writes is for somebody else"))
    func `What root writes is for the service's group to read, where there is one`() throws {
      let description = ScanDescription(input: scan, outputFolder: folder.file("out"))
      for (group, mode) in [("daemon", 0o640), ("no-such-group", 0o600)] as [(String, mode_t)] {
        let path = folder.file(group)
        try ScanFile.create(path, description, group: group)
        var status = stat()
        try #require(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == mode && status.st_uid == 0, "\(group)")
        #expect(status.st_gid == (getgrnam(group)?.pointee.gr_gid ?? getegid()), "\(group)")
      }
    }

    private static let setpriv = "/usr/bin/setpriv"

    @Test(.enabled(if: geteuid() == 0 && access(setpriv, X_OK) == 0, "another user needs root and setpriv"))
    func `A scan file that the user may not read is refused with the user's name`() throws {
      let file = folder.file("scan.yaml")
      #expect(try Command.run("init", file).status == .exited(0))
      for (user, name) in [("65534", "nobody"), ("12345", "12345")] {
        let outcome = try Command(
          ["--reuid", user, "--regid", "12345", "--clear-groups", Command.executable, "run", file],
          executable: Self.setpriv
        ).end()
        expectFailure(66, outcome, "cannot read the scan file \(file): Permission denied", "runs as user \(name),")
      }
    }

    @Test func `A scan file that init wrote passes check and runs to the same volume as recon`() throws {
      let file = folder.file("scan.yaml")
      let made = try Command.run("init", file, "--input", scan, "--output-folder", folder.file("out"))
      #expect(made.status == .exited(0) && made.output.contains("slipring check"), "\(made.errors)")
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let checked = try Command.run("check", file)
      #expect(checked.status == .exited(0) && checked.errors.isEmpty, "\(checked.errors)")
      for words in ["40 projections of 2 × 32", "of it in /dev/shm", "worker 0: ", "s of final iterations"] {
        #expect(checked.output.contains(words), "\(checked.output)")
      }
      // A file makes no windows unless somebody watches, or it is to come like a detector's images.
      #expect(!checked.output.contains("updates a second"))
      let watched = folder.file("watched.yaml")
      try (text + "\nrate: 50\n").write(toFile: watched, atomically: true, encoding: .utf8)
      #expect(try Command.run("check", watched).output.contains("updates a second"))
      let ran = try Command.run("run", file, "--json", "--quiet")
      #expect(ran.status == .exited(0), "\(ran.errors)")
      let reconstructed = try Command.run("recon", scan, "--output-folder", folder.file("other"), "--json", "--quiet")
      #expect(try ran.result().volumeSHA256 == reconstructed.result().volumeSHA256)
      // A grid of seven times the edges has 49 times the pixels.
      func finalSeconds(padding: String) throws -> Double {
        let words = "input: \(scan)\noutput-folder: \(folder.file("padded"))\nrotation-axis: 16\npadding: \(padding)\n"
        try words.write(toFile: watched, atomically: true, encoding: .utf8)
        let outcome = try Command.run("check", watched, "--json")
        let seconds = try #require(outcome.output.firstMatch(of: /"finalSeconds" : ([0-9.e-]+)/)).1
        return try #require(Double(seconds))
      }
      let (plain, padded) = (try finalSeconds(padding: "none"), try finalSeconds(padding: "96"))
      #expect(padded > 4 * plain, "\(plain) s, padded \(padded) s")
      // What was in effect is a scan file as well.
      #expect(try Command.run("check", folder.file("out/scan.yaml")).status == .exited(0))
      expectFailure(73, try Command.run("init", file), "is there already")
      #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test func `Mistakes in a scan file are all told with their lines, and nothing is run`() throws {
      let file = folder.file("scan.yaml")
      try "input: \(scan)\noutput-folder: \(folder.file("out"))\nwidow-length: 12\nthreads: 0\n".write(
        toFile: file, atomically: true, encoding: .utf8)
      let checked = try Command.run("check", file)
      expectFailure(78, checked, "2 mistakes")
      for line in [
        "scan.yaml:3: there is no key \"widow-length\"; did you mean window-length?",
        "scan.yaml:4: threads 0 is outside 1…1024",
      ] {
        #expect(checked.errors.contains(line), "\(checked.errors)")
      }
      expectFailure(78, try Command.run("run", file), "scan.yaml:3: there is no key", "1 more: see slipring check")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }

    @Test func `What the input has against a scan file is told with the line of the key`() throws {
      let file = folder.file("scan.yaml")
      func check(_ keys: String, _ input: String) throws -> Command.Outcome {
        try "input: none.h5\noutput-folder: \(folder.file("out"))\n\(keys)\n".write(
          toFile: file, atomically: true, encoding: .utf8)
        return try Command.run("check", file, input)
      }
      let axis = try check("rotation-axis: 40", scan)
      expectFailure(65, axis, "does not fit its input")
      #expect(
        axis.errors.contains("scan.yaml:3: rotation-axis 40") && axis.errors.contains("32 columns"), "\(axis.errors)")
      expectFailure(66, try check("", folder.file("none.h5")), "none.h5")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }

    @Test func `A worker takes no more memory than was estimated, at a size where its volume is most of it`() throws {
      let large = folder.file("large.h5")
      let made = try Command.run(
        "simulate", large, "--rows", "32", "--columns", "512", "--projections", "48", "--quiet")
      try #require(made.status == .exited(0), "\(made.errors)")
      let outcome = try Command.run(
        "recon", large, "--output-folder", folder.file("out"), "--rotation-axis", "256", "--window-step", "12",
        "--final-iterations", "1",
        "--format", "hdf5", "--json", "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      for (worker, memory) in try outcome.result().memory {
        let peak = try #require(memory.peakBytes)
        // An estimate that is far off would refuse runs for which there is room.
        #expect(peak <= memory.estimateBytes && peak > memory.estimateBytes / 2, "\(worker): \(memory)")
      }
    }

    @Test func `A scan file that cannot be read is one clear line`() throws {
      expectFailure(66, try Command.run("run", folder.file("none.yaml")), "none.yaml", "No such file")
      expectFailure(66, try Command.run("check", folder.path), "is not a file")
      expectFailure(66, try Command.run("check", "/dev/zero"), "is not a file")
      try Data(count: 65 << 10).write(to: URL(filePath: folder.file("long.yaml")))
      expectFailure(78, try Command.run("check", folder.file("long.yaml")), "64 KiB")
    }

    @Test func `The options of recon are the keys of a scan file, in the same words`() throws {
      let help = try Command.run("recon", "--experimental-dump-help")
      let arguments = try JSONDecoder().decode(Help.self, from: Data(help.output.utf8)).command.arguments
      // How a command tells of its run is no part of what it runs, and nor is whether it may replace another's result.
      let own: Set = [
        "overwrite", "json", "quiet", "dashboard", "no-dashboard", "tls-certificate", "tls-key", "epics",
        "epics-control", "version", "help",
      ]
      let names = arguments.map { $0.preferredName?.name ?? $0.valueName }.filter { !own.contains($0) }
      #expect(Set(names) == Set(ScanKey.all.map(\.name)))
      for argument in arguments {
        guard let key = ScanKey.named(argument.preferredName?.name ?? argument.valueName) else { continue }
        // What an option is without being given stands behind what it is.
        let (words, help) = (try #require(argument.abstract), ScanKey.help(key.name))
        #expect(words == help || words.hasPrefix(help + " (default: "))
      }
    }

    /// As much of the argument parser's description of itself as is needed.
    private struct Help: Decodable {
      struct Command: Decodable { let arguments: [Argument] }
      struct Name: Decodable { let name: String }
      struct Argument: Decodable {
        let abstract: String?
        let valueName: String
        let preferredName: Name?
      }
      let command: Command
    }
  }
}
