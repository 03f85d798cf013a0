import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// DECTRIS detectors that send stream version 2, and what they send of other series.
  @Suite(.enabled(if: Senders.python != nil, "Python with pyzmq, lz4 and cbor2 cannot be installed"))
  struct SeriesSourceTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections) = (5, 48, 60)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks", "2", "--flats", "3", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: false)
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = []) throws -> Command {
      try Command(
        [
          "recon", input, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"), "--rotation-axis", "24", "--window-length", "6", "--final-iterations", "2",
          "--lag-max", "0", "--json",
        ] + options)
    }

    /// What is reconstructed of a detector that sends so.
    private func reconstruct(_ encoding: String, _ script: String, _ options: [String] = []) throws -> Command.Outcome {
      let counts = [Self.rows, Self.columns, Self.projections].map(String.init)
      let (sender, port) = try Senders.start(
        "send_dectris2.py", in: folder, [folder.file("raw")] + counts + [encoding, script])
      let shape = ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--fields", scan]
      let outcome = try recon("zmq+pull://127.0.0.1:\(port)", encoding, shape + options).end()
      try sender.process.signal(SIGKILL)
      _ = try sender.end()
      return outcome
    }

    @Test func `What is sent as DECTRIS stream 2 gives the volume that the file gives, bit for bit`() throws {
      let reference = try recon(scan, "reference").end().result()
      for encoding in ["none", "big", "lz4", "two-channels"] {
        let options = encoding == "two-channels" ? ["--channel", "threshold_1"] : []
        let outcome = try reconstruct(encoding, "start7 7:0-60 end7", options)
        #expect(outcome.status == .exited(0), "\(encoding): \(outcome.errors)")
        let result = try outcome.result()
        #expect(result.volumeSHA256 == reference.volumeSHA256 && result.droppedMessages.isEmpty, "\(encoding)")
      }
      // What is left of another series is refused, and the scan is whole.
      let outcome = try reconstruct("bslz4", "6:50-60 end6 start7 7:0-60 end7")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.droppedMessages == ["other-series": 10])
      #expect(
        outcome.errors.contains(
          "other-series (series 6 came from its image 50 on, its header or image 0 was wanted first)"),
        "\(outcome.errors)")
    }

    @Test func `A series that begins while a scan runs ends it, with a line`() throws {
      let outcome = try reconstruct("none", "start7 7:0-40 start8 8:0-60 end8")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections == 40 && result.lost == 20 && result.droppedMessages == ["other-series": 1])
      let line = "series 8 began before all of the scan came, which it ends"
      #expect(outcome.errors.components(separatedBy: line).count == 2, "\(outcome.errors)")
      // No image of the other series is in the volume.
      try copyScan(
        scan, to: folder.file("part.h5"), projections: Array(0..<40), degrees: 180 / Double(Self.projections))
      #expect(try recon(folder.file("part.h5"), "part").end().result().volumeSHA256 == result.volumeSHA256)
    }
  }
}
