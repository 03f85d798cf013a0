import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Volumes of parts of one scan.
  @Suite struct SeriesTests {
    private let folder: TestFolder
    private let scan: String
    private let method = ["--algorithm", "sirt", "--window-step", "0", "--final-iterations", "2", "--quiet"]

    init() throws {
      folder = try TestFolder()
      scan = folder.file("long.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "2", "--columns", "48", "--projections", "70", "--rotation-axis", "23", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private struct Series: Decodable {
      struct Volume: Decodable {
        let firstProjection: Int
        let projections: Int
        let result: RunResult
        let failure: String?
      }
      let left: Int
      let outputs: [String]
      let volumes: [Volume]
    }

    private func command(_ options: [String]) -> [String] {
      ["recon", scan, "--rotation-axis", "23", "--json"] + method + options
    }

    private func series(_ name: String, _ options: [String] = []) throws -> Series {
      let outcome = try Command(
        command(["--output-folder", folder.file(name), "--volume-every", "30"] + options)
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(Series.self, from: Data(outcome.output.utf8))
    }

    @Test func `Each volume is that of its projections, and all are found in one file`() throws {
      let made = try series("series", ["--format", "hdf5"])
      #expect(made.left == 10 && made.volumes.map(\.firstProjection) == [0, 30])
      #expect(made.volumes.map(\.projections) == [30, 30])
      let other = try Command(
        command(["--output-folder", folder.file("alone"), "--subset", "30:60", "--format", "hdf5"])
      ).end().result()
      #expect(made.volumes[1].result.volumeSHA256 == other.volumeSHA256 && other.projections == 30)
      #expect(made.volumes[0].result.volumeSHA256 != other.volumeSHA256)
      #expect(made.outputs == [folder.file("series/long_rec_series.h5")])
      // The same command makes nothing again.
      let identifiers = made.volumes.map(\.result.run)
      #expect(try series("series", ["--format", "hdf5"]).volumes.map(\.result.run) == identifiers)
      // A volume that was removed is made again, and no other.
      try FileManager.default.removeItem(atPath: folder.file("series/volume_00001/long_rec.h5"))
      let again = try series("series", ["--format", "hdf5"])
      #expect(again.volumes[0].result.run == identifiers[0] && again.volumes[1].result.run != identifiers[1])
      #expect(again.volumes.map(\.result.volumeSHA256) == made.volumes.map(\.result.volumeSHA256))
      #expect(try folder.names(in: "series/volume_00001").contains("long_rec.h5"))
      // Another one leaves it alone.
      expectFailure(
        73, try Command(command(["--output-folder", folder.file("series"), "--volume-every", "20"])).end(),
        "another series")
    }

    @Test func `A volume whose projections show nothing is left out, and the others are made`() throws {
      var spoiled = DiskScan()
      for frame in 30..<60 { spoiled.frames[frame] = DiskScan.image { _ in 100 } }
      let path = folder.file("shut.h5")
      try spoiled.write(path)
      let arguments =
        ["recon", path, "--rotation-axis", "31", "--json", "--output-folder", folder.file("shut")] + method
        + ["--volume-every", "30", "--format", "hdf5"]
      // The same command says the same again, and makes nothing anew.
      var runs: [[String]] = []
      for _ in 0..<2 {
        let outcome = try Command(arguments).end()
        expectFailure(65, outcome, "1 of 3 volumes are left out (1)", "every projection is empty")
        let made = try JSONDecoder().decode(Series.self, from: Data(outcome.output.utf8))
        #expect(made.volumes.map { $0.failure == nil } == [true, false, true])
        #expect(made.outputs == [folder.file("shut/shut_rec_series.h5")])
        runs.append(made.volumes.map(\.result.run))
      }
      #expect(runs[0] == runs[1])
    }

    @Test func `A series that is killed goes on, to the same volumes`() throws {
      let options = ["--format", "zarr", "--final-iterations", "400"]
      let whole = try series("whole", options)
      let killed = try Command(
        command(["--output-folder", folder.file("killed"), "--volume-every", "30"] + options))
      let deadline = Deadline(after: .seconds(20))
      let second = folder.file("killed/volume_00001/run/plan.json")
      while !FileManager.default.fileExists(atPath: second), !deadline.hasPassed { usleep(2000) }
      try killed.process.signal(SIGKILL)
      _ = try killed.end()
      let resumed = try series("killed", options)
      #expect(resumed.volumes.map(\.result.volumeSHA256) == whole.volumes.map(\.result.volumeSHA256))
      #expect(resumed.outputs == [folder.file("killed/long_rec_series.zarr")])
    }

    @Test func `A signal ends the volume in the making and makes none of less`() throws {
      let options = ["--output-folder", folder.file("ended"), "--volume-every", "30", "--format", "hdf5"]
      let long = try Command(command(options + ["--final-iterations", "100000"]))
      let deadline = Deadline(after: .seconds(20))
      while !FileManager.default.fileExists(atPath: folder.file("ended/volume_00000/run/plan.json")),
        !deadline.hasPassed
      { usleep(2000) }
      usleep(300_000)
      try long.process.signal(SIGTERM)
      #expect(try long.end().status == .exited(128 + SIGTERM))
      #expect(try !folder.names(in: "ended/volume_00000").contains("long_rec.h5"))
    }

    @Test func `What contradicts a series is refused before anything is made`() throws {
      for (options, code, words) in [
        (["--volume-every", "30", "--bits", "8"], 64, "--range LOW,HIGH"),
        (["--volume-every", "30", "--overwrite"], 64, "--overwrite"),
        (["--volume-every", "71"], 65, "needs more than the 70 projections"),
        (["--subset", "60:71"], 65, "has 70 projections"),
      ] {
        let outcome = try Command(command(["--output-folder", folder.file("none")] + options)).end()
        expectFailure(Int32(code), outcome, words)
      }
      #expect(!FileManager.default.fileExists(atPath: folder.file("none/series.json")))
    }

    @Test(
      .enabled(if: Senders.readers != nil, "Python with h5py and zarr cannot be installed"), arguments: ["0.4", "0.5"])
    func `Programs of others read all volumes with their times`(version: String) throws {
      _ = try series("out", ["--format", "all", "--zarr-version", version])
      let script = Senders.root.appending(path: "Tests/Readers/read_series.py").path
      let outcome = try Command([script, folder.file("out"), "long"], executable: #require(Senders.readers)).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let found = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      #expect(found["shape"] as? [Int] == [2, 2, 48, 48] && found["axes"] as? [String] == ["t", "z", "y", "x"])
      #expect(found["times"] as? [Double] == [14.5, 44.5] && found["title"] as? String == "long")
      #expect(found["parts"] as? [Bool] == [true, true] && found["zarr"] as? Bool == true)
      #expect(found["zarrAxes"] as? [String] == ["t", "z", "y", "x"] && found["scale"] as? [Double] == [1, 1, 1, 1])
    }
  }
}
