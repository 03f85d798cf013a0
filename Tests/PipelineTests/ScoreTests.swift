import Glibc
import Host
import Run
import RunModel
import TestSupport
import Testing

extension Pipeline {
  /// The scores of whole runs: the same whatever else was known, however busy the machine was, and whoever died.
  @Suite struct ScoreTests {
    private static let (columns, projections) = (96, 120)
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "3", "--columns", "\(Self.columns)", "--projections", "\(Self.projections)",
        "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ name: String, faults: String? = nil, _ options: [String]) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "48", "--format", "hdf5", "--workers", "2", "--order", "bit-reversal", "--rate", "40",
          "--lag-max", "0", "--final-iterations", "2", "--quiet", "--json",
        ] + options, faults: faults)
    }

    /// What identifies a score, and what it says.
    private struct Score: Equatable {
      let (update, against, similarity, range): (Int, Int?, Double?, ClosedRange<Double>)
    }

    /// The scores of each worker.
    private func scores(_ name: String) throws -> [[Score]] {
      let scores = try RunHistory(RunFolder(path: folder.file(name + "-run"))).scores.filter { $0.similarity != nil }
      return (0..<2).map { worker in
        scores.filter { $0.worker == worker }.map {
          Score(update: $0.update, against: $0.against, similarity: $0.similarity, range: $0.range)
        }
      }
    }

    private func end(_ command: Command) throws {
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
    }

    @Test func `Scores are the same with a reference, with a worker that has little time, and after deaths`() throws {
      let never = ["--stop-ssim", "1", "--stop-after", "\(Self.projections)"]
      try end(recon("plain", never))
      let plain = try scores("plain")
      #expect(plain.allSatisfy { $0.count > 10 && $0.map(\.update) == $0.map(\.update).sorted() })

      try end(recon("known", ["--reference", folder.file("plain") + "/foam_rec.h5"]))
      #expect(try scores("known") == plain)

      let slow = try recon("slow", never)
      let status = try waitForImages(1, of: folder.file("slow-run"))
      let pid = try #require(status.stages.first { $0.name == "reconstruct.1" }?.pid)
      // A third of the time for most of the three seconds of the scan, in turns that are short beside what a hang is.
      for _ in 0..<30 {
        kill(pid, SIGSTOP)
        usleep(40_000)
        kill(pid, SIGCONT)
        usleep(20_000)
      }
      try end(slow)
      #expect(try scores("slow") == plain)

      try end(
        recon(
          "killed", faults: "control=scored:5,scored:4,time:150;reconstruct.1=flip-after:30,flip-after:7", never))
      #expect(try scores("killed") == plain)
    }
  }
}
