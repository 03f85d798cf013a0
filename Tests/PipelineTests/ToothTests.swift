import Host
import ScanFiles
import TestSupport
import Testing
import Tomography

extension Pipeline {
  /// The main job on a real scan.
  @Suite(.enabled(if: dataFolder != nil, "the real measurements are not there; set SLIPRING_DATA"))
  struct ToothTests {
    private let columns = 640

    private func slices(_ input: String, _ options: String...) throws -> (slices: [[Float]], outcome: Command.Outcome) {
      let folder = try TestFolder()
      let data = try #require(dataFolder)
      let outcome = try Command(
        ["recon", "\(data)/\(input).h5", "--algorithm", "sirt", "--output-folder", folder.path, "--format", "hdf5"]
          + options
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let reader = try VolumeReader(path: folder.file("\(input)_rec.h5"))
      return try (
        (0..<reader.slices).map { z in
          var slice = [Float](repeating: 0, count: columns * columns)
          try slice.withUnsafeMutableBufferPointer { try reader.readSlice(z, into: $0) }
          return slice
        }, outcome
      )
    }

    private func distance(_ a: [Float], _ b: [Float]) -> Double {
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { relativeL2(a, reference: $0, columns: columns, radiusFraction: 0.42) }
      }
    }

    @Test func `Both files of the tooth give the same picture, and so do the default windows`() throws {
      let plain = ["--window-step", "0", "--final-iterations", "100"]
      let counts = try slices("tooth", "--rotation-axis", "296", plain[0], plain[1], plain[2], plain[3])
      #expect(counts.slices.count == 2)
      // The preprocessed file states other angles (0…π for 0…179.0055°), hence not the same numbers.
      let integrals = try slices("tooth_preprocessed", "--rotation-axis", "296", plain[0], plain[1], plain[2], plain[3])
      #expect(distance(integrals.slices[0], counts.slices[0]) < 0.1)
      let windows = try slices("tooth", "--rotation-axis", "296", "--final-iterations", "20")
      #expect(distance(windows.slices[0], counts.slices[0]) < 0.1)
    }

    @Test func `The rotation axis of the tooth is found within a pixel of 296`() throws {
      let (_, outcome) = try slices("tooth", "--window-step", "0", "--final-iterations", "1")
      let found = try #require(outcome.errors.firstMatch(of: /rotation axis found at ([0-9.]+) px/))
      let axis = try #require(Double(found.1))
      #expect(abs(axis - 296) <= 1, "\(axis)")
    }
  }
}
