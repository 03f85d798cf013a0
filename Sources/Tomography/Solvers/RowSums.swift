import Glibc
internal import KernelTypes

/// Row sums of A: what a volume of ones (inside the mask) projects to.
struct RowSums {
  let beam: ParallelBeam
  let mask: DiskMask

  /// Writes 1 / sum for each bin of one angle; 0 where the sum is nearly zero.
  func inverse(theta: Double, into weights: UnsafeMutablePointer<Float>) {
    let cosine = cos(theta), sine = sin(theta)
    let ray = Ray(cosine: cosine, sine: sine, origin: beam.origin(cosine: cosine, sine: sine), slot: 0)
    for bin in 0..<beam.columns { weights[bin] = inverseOrZero(sum(ray, bin: bin)) }
  }

  /// Only steps near the mask's edge are looked at: the others count fully or not at all.
  private func sum(_ ray: Ray, bin: Int) -> Double {
    let entry = Double(bin) * ray.inverse + ray.start
    let reach = limits(ray, entry: entry, bin: bin, margin: 2)
    let inner = limits(ray, entry: entry, bin: bin, margin: -2).clamped(to: reach)
    var steps = Double(inner.count)
    let before = inner.isEmpty ? reach : reach.lowerBound..<inner.lowerBound
    for step in before { steps += coverage(ray, entry, step) }
    if !inner.isEmpty {
      for step in inner.upperBound..<reach.upperBound { steps += coverage(ray, entry, step) }
    }
    return steps * abs(ray.inverse)
  }

  /// Steps at which the ray lies within the mask, widened by `margin` pixels.
  private func limits(_ ray: Ray, entry: Double, bin: Int, margin: Double) -> Range<Int> {
    let count = Double(beam.columns)
    var first = 0.0, last = count - 1
    if mask.isDisk {
      let distance = Double(bin) + 0.5 - beam.rotationAxis, radius = 0.5 * count + margin
      guard radius > abs(distance) else { return 0..<0 }
      // The chord's middle along the major axis, and half its extent there.
      let middle = 0.5 * (count - 1) + distance * ray.along
      let extent = (radius * radius - distance * distance).squareRoot() * abs(ray.across)
      first = max(first, middle - extent)
      last = min(last, middle + extent)
    } else {
      // −margin ≤ entry + step · drift ≤ count − 1 + margin
      let low = -margin - entry, high = count - 1 + margin - entry
      guard low <= high else { return 0..<0 }
      if abs(ray.drift) < 1e-9 {
        guard low <= 0 && high >= 0 else { return 0..<0 }
      } else {
        first = max(first, min(low / ray.drift, high / ray.drift))
        last = min(last, max(low / ray.drift, high / ray.drift))
      }
    }
    guard first <= last else { return 0..<0 }
    let start = Int(first.rounded(.up))
    return start..<max(start, Int(last.rounded(.down)) + 1)
  }

  private func coverage(_ ray: Ray, _ entry: Double, _ step: Int) -> Double {
    let position = entry + Double(step) * ray.drift, floor = position.rounded(.down), fraction = position - floor
    return (1 - fraction) * covered(ray, Int(floor), step) + fraction * covered(ray, Int(floor) + 1, step)
  }

  private func covered(_ ray: Ray, _ minor: Int, _ major: Int) -> Double {
    (ray.isSwapped ? mask.contains(column: major, row: minor) : mask.contains(column: minor, row: major)) ? 1 : 0
  }
}

/// Below this, a row or column sum (pixels) is taken for zero: its inverse would only amplify rounding.
let sumMin = 1e-3

func inverseOrZero(_ sum: Double) -> Float { sum > sumMin ? Float(1 / sum) : 0 }
