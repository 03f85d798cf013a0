import Foundation
import Glibc
import Host
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// Bad input and machines without room: one line, the right code, nothing created.
  @Suite struct RefusalTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 2, columns: 32, projections: 12)
    }

    private func recon(_ input: String, _ options: String...) throws -> Command.Outcome {
      try Command(["recon", input, "--output-folder", folder.file("out")] + options).end()
    }

    private func expectNoOutput(at location: SourceLocation = #_sourceLocation) {
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")), sourceLocation: location)
    }

    @Test func `A missing file is no input`() throws {
      expectFailure(66, try recon(folder.file("none.h5")), "none.h5")
      expectNoOutput()
    }

    @Test func `A file that is not HDF5 and one that is cut short are bad data`() throws {
      try Data("not a scan".utf8).write(to: URL(filePath: folder.file("text.h5")))
      expectFailure(65, try recon(folder.file("text.h5")), "text.h5")
      let whole = try Data(contentsOf: URL(filePath: scan))
      try whole.prefix(whole.count / 2).write(to: URL(filePath: folder.file("cut.h5")))
      expectFailure(65, try recon(folder.file("cut.h5")), "cut.h5")
      expectNoOutput()
    }

    @Test func `Options that contradict each other or the scan are refused`() throws {
      expectFailure(
        64, try recon(scan, "--window-length", "4", "--window-step", "5"), "--window-step 5 exceeds --window-length 4")
      expectFailure(64, try recon(scan, "--workers", "0"), "--workers 0")
      expectFailure(64, try recon(scan, "--window-step", "0", "--final-iterations", "0"), "reconstructs nothing")
      expectFailure(64, try recon(scan, "--relaxation", "2.5"), "--relaxation 2.5")
      // What begins with a minus is a value here.
      expectFailure(64, try recon(scan, "--axis-tilt", "-6"), "--axis-tilt -6", "-5…5")
      expectFailure(64, try recon(scan, "--range", "-0.01,0.05"), "--range -0.01,0.05", "--bits 8")
      expectFailure(64, try recon(scan, "--bits", "8", "--format", "hdf5"), "--bits 8", "TIFF")
      expectFailure(65, try recon(scan, "--rotation-axis", "40"), "--rotation-axis 40", "32 columns")
      expectFailure(65, try recon(scan, "--rotation-axis", "16", "--end-row", "3"), "2 rows")
      expectFailure(65, try recon(scan, "--rotation-axis", "16", "--binning", "6"), "--binning 6")
      expectNoOutput()
    }

    @Test func `An output folder that cannot be made is refused`() throws {
      let outcome = try Command.run("recon", scan, "--rotation-axis", "16", "--output-folder", scan + "/out")
      expectFailure(73, outcome, "/out", "foam.h5: mkdir: File exists")
    }

    @Test func `A run that does not fit into memory is refused with the figures`() throws {
      let path = folder.file("huge.h5")
      // One projection of 4,000 × 4,000: the file has 32 MB, the volume in three generations some 720 GiB.
      let writer = try DXchangeWriter(
        path: path, projectionCount: 1, rows: 4000, columns: 4000, pixel: .uint16, flatCount: 0, darkCount: 0,
        thetasDegrees: [0])
      let frame = [UInt16](repeating: 1, count: 4000 * 4000)
      try frame.withUnsafeBytes { try writer.writeProjection(0, $0) }
      try writer.finish()
      let outcome = try recon(path, "--rotation-axis", "2000", "--minus-log", "no")
      expectFailure(73, outcome, "of shared memory", "GiB", "volumes")
      expectNoOutput()
    }

    /// Reconstructs where /dev/shm has 300 KB.
    private func reconWithoutRoom(_ input: String, _ options: String...) throws -> Command.Outcome {
      let script = "mount -t tmpfs -o size=300k tmpfs /dev/shm && exec \"$0\" \"$@\""
      return try Command(
        ["--mount", "sh", "-c", script, Command.executable, "recon", input, "--output-folder", folder.file("out")]
          + options,
        executable: "/usr/bin/unshare"
      ).end()
    }

    @Test(.enabled(if: geteuid() == 0, "mounting a small /dev/shm needs root"))
    func `A small /dev/shm is an error and never a SIGBUS`() throws {
      expectFailure(73, try reconWithoutRoom(scan, "--rotation-axis", "16"), "/dev/shm has")
      expectNoOutput()
    }

    @Test(.enabled(if: geteuid() == 0, "hiding /sys needs root"))
    func `Where /sys is not mounted, as in a chroot, doctor and a run find one node`() throws {
      let script = "mount -t tmpfs tmpfs /sys && exec \"$0\" \"$@\""
      for arguments in [
        ["doctor"], ["recon", scan, "--rotation-axis", "16", "--output-folder", folder.file("out")],
      ] {
        let outcome = try Command(
          ["--mount", "sh", "-c", script, Command.executable] + arguments, executable: "/usr/bin/unshare"
        ).end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
      }
    }

    @Test(.enabled(if: geteuid() == 0, "hiding /proc needs root"))
    func `What a run cannot do without is named where it is missing`() throws {
      func hidden(_ mount: String, _ arguments: String...) throws -> Command.Outcome {
        let script = "mount -t tmpfs \(mount) && exec \"$0\" \"$@\""
        return try Command(
          ["--mount", "sh", "-c", script, Command.executable] + arguments, executable: "/usr/bin/unshare"
        ).end()
      }
      expectFailure(71, try hidden("tmpfs /proc", "doctor"), "/proc is missing")
      let doctor = try hidden("-o ro tmpfs /dev/shm", "doctor")
      #expect(doctor.status == .exited(71), "\(doctor.errors)")
      #expect(doctor.output.contains("missing   /dev/shm: not writable"), "\(doctor.output)")
    }

    /// A scan of two projections.
    private func makeScan(rows: Int = 1, columns: Int) throws -> String {
      let path = folder.file("wide.h5")
      let writer = try DXchangeWriter(
        path: path, projectionCount: 2, rows: rows, columns: columns, pixel: .uint16, flatCount: 0, darkCount: 0,
        thetasDegrees: [0, 90])
      for index in 0..<2 {
        try [UInt16](repeating: 1, count: rows * columns).withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
      return path
    }

    @Test func `A detector that is too wide is refused with the limit`() throws {
      expectFailure(
        65, try recon(makeScan(columns: 5001), "--rotation-axis", "2500"), "5001 columns", "5000", "--binning")
      expectNoOutput()
    }

    @Test(.enabled(if: geteuid() == 0, "mounting a small /dev/shm needs root"))
    func `A window of any length takes the memory of the scan's projections`() throws {
      let outcome = try reconWithoutRoom(
        makeScan(columns: 5000), "--rotation-axis", "2500", "--window-length", "1000000", "--window-step", "1000000",
        "--final-iterations", "1")
      expectFailure(73, outcome, "/dev/shm has", "reconstruction buffers")
    }

    @Test func `More updates than any ring holds are refused with the figures`() throws {
      let outcome = try recon(
        makeScan(rows: 1100, columns: 8), "--rotation-axis", "4", "--window-step", "0", "--final-iterations", "1000000",
        "--workers", "1",
        "--durability", "memory")
      expectFailure(73, outcome, "event rings")
    }

    @Test func `A volume with NaN cannot be measured, and one that amplifies saturates the detector`() throws {
      for (value, code) in [(Float.nan, 65), (-5, 0)] {
        let path = folder.file("volume.h5")
        let writer = try VolumeHDF5Writer(path: path, slices: 1, columns: 16)
        try [Float](repeating: value, count: 256).withUnsafeBufferPointer { try writer.write(slice: $0, at: 0) }
        try writer.finish()
        let outcome = try Command.run("simulate", folder.file("measured.h5"), "--volume", path, "--projections", "3")
        #expect(outcome.status == .exited(Int32(code)), "\(value): \(outcome.errors)")
      }
    }

    @Test func `A scan whose flats and darks are swapped is said to be empty`() throws {
      let path = folder.file("swapped.h5")
      let writer = try DXchangeWriter(
        path: path, projectionCount: 1, rows: 1, columns: 8, pixel: .uint16, flatCount: 1, darkCount: 1,
        thetasDegrees: [0])
      try [UInt16](repeating: 10, count: 8).withUnsafeBytes { try writer.writeFlat(0, $0) }
      try [UInt16](repeating: 100, count: 8).withUnsafeBytes { try writer.writeDark(0, $0) }
      try [UInt16](repeating: 60, count: 8).withUnsafeBytes { try writer.writeProjection(0, $0) }
      try writer.finish()
      let outcome = try recon(path, "--rotation-axis", "4", "--final-iterations", "1")
      expectFailure(65, outcome, "every pixel is dead", "flats and darks are swapped")
    }

    @Test func `A result that cannot be printed is an error`() throws {
      let command = try Command(
        [
          "-c", "exec \"$0\" \"$@\" >/dev/full", Command.executable, "recon", scan, "--output-folder",
          folder.file("out"),
          "--rotation-axis", "16",
        ]
          + ["--final-iterations", "1", "--json"], executable: "/bin/sh")
      expectFailure(74, try command.end(), "standard output")
    }

    @Test func `Dead, infinite and missing counts are corrected, counted and reported`() throws {
      let path = folder.file("bad.h5")
      let (rows, columns, count) = (1, 16, 8)
      let writer = try DXchangeWriter(
        path: path, projectionCount: count, rows: rows, columns: columns, pixel: .float32, flatCount: 1, darkCount: 1,
        thetasDegrees: (0..<count).map { Double($0) * 22.5 })
      var flat = [Float](repeating: 100, count: columns)
      flat[3] = 5
      try flat.withUnsafeBytes { try writer.writeFlat(0, $0) }
      try [Float](repeating: 10, count: columns).withUnsafeBytes { try writer.writeDark(0, $0) }
      for index in 0..<count {
        var projection = [Float](repeating: 60, count: columns)
        if index == 2 { projection[7] = .nan }
        if index == 5 { projection[9] = .infinity }
        try projection.withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
      let outcome = try recon(path, "--rotation-axis", "8", "--window-length", "4")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.errors.contains("1 dead pixels"), "\(outcome.errors)")
      #expect(outcome.errors.contains("2 NaN or infinite pixels"), "\(outcome.errors)")
    }
  }
}
