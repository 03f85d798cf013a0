import Glibc
internal import KernelTypes

/// The angles of a window as the kernels want them, in memory that is allocated once.
final class AnglePlan {
  /// Angles near 0 and π first, of each kind those that rise, then by drift: neighbours in the list read nearly the
  /// same bins.
  private let backAngles: UnsafeMutablePointer<BackAngle>
  /// Angles near 0 and π first, each kind sorted by drift, so that neighbours in the list read nearly the same pixels.
  private let rayStorage: UnsafeMutablePointer<Ray>
  // For sorting: any order of many angles is sorted in as many steps as it has, times their logarithm.
  private let backScratch: UnsafeMutablePointer<BackAngle>
  private let rayScratch: UnsafeMutablePointer<Ray>
  let capacity: Int
  private(set) var count = 0

  init(capacity: Int) {
    precondition(capacity >= 1, "room for \(capacity) angles")
    self.capacity = capacity
    backAngles = .allocate(capacity: capacity)
    rayStorage = .allocate(capacity: capacity)
    // Half of them are set aside in a merge at most, but for the rounding to whole runs.
    backScratch = .allocate(capacity: capacity)
    rayScratch = .allocate(capacity: capacity)
  }

  deinit {
    backAngles.deallocate()
    rayStorage.deallocate()
    backScratch.deallocate()
    rayScratch.deallocate()
  }

  var back: UnsafeBufferPointer<BackAngle> { UnsafeBufferPointer(start: backAngles, count: count) }

  /// Part `index` of `parts` of the rays.
  func rays(part index: Int, of parts: Int) -> UnsafeBufferPointer<Ray> {
    let first = count * index / parts, end = count * (index + 1) / parts
    return UnsafeBufferPointer(start: rayStorage + first, count: end - first)
  }

  static func byteCount(capacity: Int) -> Int {
    2 * capacity * (MemoryLayout<BackAngle>.stride + MemoryLayout<Ray>.stride)
  }

  /// Takes over a window. Angle i is read from and written to row `slot(i)` of a sinogram block.
  func prepare(_ angles: [WindowAngle], beam: ParallelBeam, slot: (Int) -> Int) {
    precondition(angles.count <= capacity, "\(angles.count) angles, room for \(capacity)")
    count = angles.count
    for (index, angle) in angles.enumerated() {
      let cosine = cos(angle.theta), sine = sin(angle.theta), origin = beam.origin(cosine: cosine, sine: sine)
      let slot = slot(index)
      (backAngles + index).initialize(to: BackAngle(cosine: cosine, sine: sine, origin: origin, slot: slot))
      (rayStorage + index).initialize(to: Ray(cosine: cosine, sine: sine, origin: origin, slot: slot))
    }
    sortStably(backAngles, count: count, scratch: backScratch, precedes)
    sortStably(rayStorage, count: count, scratch: rayScratch, precedes)
  }

  private func precedes(_ a: Ray, _ b: Ray) -> Bool {
    a.isSwapped == b.isSwapped ? a.drift < b.drift : b.isSwapped
  }

  private func precedes(_ a: BackAngle, _ b: BackAngle) -> Bool {
    if a.isSwapped != b.isSwapped { return b.isSwapped }
    return a.isRising == b.isRising ? a.drift < b.drift : a.isRising
  }
}
