import Glibc
import Host
import Testing

@testable import Packing

/// How much smaller counts with noise become. Bytes are the same everywhere; times are printed for who asks.
@Suite struct PackingFigureTests {
  /// Images of a detector that counts about so many photons a pixel, and of one with noise in its lowest bits.
  private static let images: [(name: String, level: Double, sigma: Double, shares: ClosedRange<Double>)] = [
    ("12 bits: 3,000 photons", 3000, 55, 0.61...0.65), ("14 bits: 12,000 photons", 12_000, 110, 0.60...0.64),
    ("16 bits: 48,000 photons", 48_000, 219, 0.68...0.71), ("16 bits: noise in all of them", 32_768, 60_000, 1...1.01),
  ]

  /// Rows of a granule.
  private func image(level: Double, sigma: Double) -> [UInt16] {
    var random = SplitMix64(seed: 11)
    return (0..<16 * 2048).map { _ in
      // A sum of twelve is as good as a normal deviate here.
      let deviate = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
      return sigma > 10_000 ? UInt16.random(in: 0...(.max), using: &random) : UInt16(max(0, level + sigma * deviate))
    }
  }

  @Test(arguments: images.indices) func `Counts with noise get as small as their noise allows`(index: Int) {
    let (name, level, sigma, shares) = Self.images[index]
    let image = image(level: level, sigma: sigma), byteCount = image.count * 2, rounds = 50
    var (packed, target) = ([UInt8](repeating: 0, count: byteCount + 4096), [UInt16](repeating: 0, count: image.count))
    var share = 0.0
    let packing = seconds {
      for _ in 0..<rounds {
        let count = image.withUnsafeBytes { image in
          packed.withUnsafeMutableBytes { shuffleImage(image, elementByteCount: 2, into: $0) }
        }
        share = Double(count ?? 0) / Double(byteCount)
      }
    }
    let count = Int((share * Double(byteCount)).rounded())
    let unpacking = seconds {
      for _ in 0..<rounds {
        packed[..<count].withUnsafeBytes { packed in
          target.withUnsafeMutableBytes {
            try? unshuffleImage(packed, hasSizes: false, elementByteCount: 2, into: $0)
          }
        }
      }
    }
    #expect(target == image && shares.contains(share), "\(share)")
    let megabytes = Double(byteCount * rounds) / 1e6
    print("\(name): \(share) of the bytes, \(1e3 * packing / megabytes), \(1e3 * unpacking / megabytes) ms/MB")
  }

  /// Processor time of this thread.
  private func seconds(_ work: () -> Void) -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    work()
    return now() - start
  }
}
