import Glibc

/// Looks for the axis about which a sinogram is most consistent: everywhere on a few wide bins, then nearer on more.
struct AxisSearch {
  /// Bins of the detector where all places are tried, and of the levels behind that.
  private static let (binsFirst, levels) = (32, [64, 128])
  /// Where the axis may be, as a part of the width.
  private static let inside = 0.06...0.94
  /// The slice reaches beyond what the detector sees of it: over so many times the detector's width, and so far beyond
  /// the farther edge.
  private static let (widthMin, margin) = (1.4, 1.1)
  /// Pixels of a slice times projections: a second of one core, about.
  private static let workMax = 5e6
  /// Projections of half a turn for each bin.
  private static let anglesPerBin = 1.2
  /// Iterations after which what is left over is looked at: what the minimum still moves by is an error.
  private static let stops = [12, 24]
  /// Bins beside the place found before.
  private static let reach = 3.5
  /// Bins within which what is left over must rise at both sides, by so much, where there is an axis.
  private static let (hill, prominenceMin) = (4.0, 3.0)
  /// Where it rises less, nothing is seen.
  private static let riseMin = 1.1
  /// What noise moves the minimum by counts so often: the steps have fitted some of it.
  private static let noiseWeight = 2.0
  /// What else is wrong, in bins.
  private static let systematicError = 0.03

  private let sinogram: SortedSinogram

  init(_ sinogram: SortedSinogram) { self.sinogram = sinogram }

  /// The axis, in pixels; nil where nothing is seen. `hint` is where it may well be, if no place stands out.
  func axis(hint: Double?) -> AxisPosition? {
    guard let first = summits.first, hint != nil || first.prominence >= Self.riseMin else { return nil }
    let standsOut = first.prominence >= Self.prominenceMin
    var place = standsOut ? first.axis : hint ?? first.axis
    var factor = Int.max, error = Double.infinity
    for level in Self.levels {
      let finer = affordable(width(bins: level), place: place)
      guard finer < factor else { continue }
      let before = factor == Int.max ? nil : place
      factor = finer
      guard let (few, many, noise) = minima(near: place, factor: factor) else { return nil }
      place = many
      let bin = Double(factor)
      error =
        abs(many - few) + Self.noiseWeight * noise + Self.systematicError * bin
        + min(before.map { abs($0 - many) } ?? 0, bin) / 3
      // A place like others: anywhere in the neighbourhood.
      if !standsOut, hint == nil { error = max(error, bin) }
    }
    return AxisPosition(axis: place, error: error)
  }

  /// Pixels of a bin.
  private func width(bins: Int) -> Int { max(1, Int((0.8 * Double(sinogram.columns) / Double(bins)).rounded(.up))) }

  /// A width of no more bins than there is time for.
  private func affordable(_ width: Int, place: Double) -> Int {
    let columns = Double(sinogram.columns), halfTurns = max(1, sinogram.span / .pi)
    let far = max(place, columns - place)
    // Wider bins are fewer: the work falls with their third power.
    let angles = min(Double(sinogram.thetas.count), Self.anglesPerBin * columns / Double(width) * halfTurns)
    let edge = Double(edge(far: far, columns: columns)) / Double(width)
    return max(width, Int((Double(width) * cbrt(edge * edge * angles / Self.workMax)).rounded(.up)))
  }

  /// Of the slice, in the unit of both.
  private func edge(far: Double, columns: Double) -> Int {
    Int(max(Self.widthMin * columns, 2 * Self.margin * far)) + 4
  }

  /// Where less is left over than beside it, in pixels, with the rise at the lower side over what is left there; the
  /// highest first.
  private var summits: [(axis: Double, prominence: Double)] {
    let factor = max(1, sinogram.columns / Self.binsFirst), bins = Double(sinogram.columns / factor)
    let points = curve(
      binned(by: factor), places: Self.inside.lowerBound * bins...Self.inside.upperBound * bins)
    var found: [(axis: Double, prominence: Double)] = []
    for index in points.indices.dropFirst().dropLast() {
      let (axis, _, value) = points[index]
      guard value <= points[index - 1].many, value <= points[index + 1].many, value < .infinity else { continue }
      let beside = [-1.0, 1].map { side in
        points.filter { (0...Self.hill).contains(($0.axis - axis) * side) }.map(\.many).max() ?? value
      }
      found.append((axis * Double(factor), (beside.min() ?? value) / max(value, .leastNormalMagnitude)))
    }
    return found.sorted { ($0.prominence, $1.axis) > ($1.prominence, $0.axis) }
  }

  /// The minimum near a place, in pixels, after the fewer and after the more iterations, and the standard error that
  /// what is left over there gives it.
  private func minima(near place: Double, factor: Int) -> (few: Double, many: Double, noise: Double)? {
    var middle = place / Double(factor)
    let bin = Double(factor), binned = binned(by: factor)
    for _ in 0..<3 {
      let points = curve(binned, places: middle - Self.reach...middle + Self.reach)
      guard let many = minimum(points, \.many), let few = minimum(points, \.few) else { return nil }
      if abs(many.axis - middle) < Self.reach - 1 {
        return (few.axis * bin, many.axis * bin, (many.spread / Double(binned.values.count)).squareRoot() * bin)
      }
      middle = min(max(many.axis, 1), Double(sinogram.columns / factor - 1))
    }
    return (middle * bin, middle * bin, bin * Self.reach)
  }

  private typealias Point = (axis: Double, few: Double, many: Double)

  /// The vertex of a parabola through the lowest points, and what is left over there as a part of its curvature.
  private func minimum(_ points: [Point], _ value: (Point) -> Double) -> (axis: Double, spread: Double)? {
    guard let lowest = points.min(by: { value($0) < value($1) }), value(lowest) < .infinity else { return nil }
    let near = points.filter { abs($0.axis - lowest.axis) <= 1.01 }
    guard let fit = Parabola(x: near.map { $0.axis - lowest.axis }, y: near.map(value)), abs(fit.vertex) <= 1 else {
      return (lowest.axis, Double(sinogram.values.count))
    }
    return (lowest.axis + fit.vertex, value(lowest) / fit.curvature)
  }

  private func binned(by factor: Int) -> SortedSinogram {
    sinogram.binned(by: factor).thinned(anglesPerBin: Self.anglesPerBin)
  }

  /// What is left over at places half a bin apart, in bins.
  private func curve(_ binned: SortedSinogram, places: ClosedRange<Double>) -> [Point] {
    let far = max(places.upperBound, Double(binned.columns) - places.lowerBound)
    let consistency = AxisConsistency(binned, grid: edge(far: far, columns: Double(binned.columns)))
    var points: [Point] = []
    for first in stride(from: places.lowerBound, through: places.upperBound, by: Double(AxisConsistency.lanes)) {
      for phase in [0, 0.5] {
        let found = consistency.leftOver(first: first + phase, stops: Self.stops)
        for lane in 0..<AxisConsistency.lanes {
          let axis = first + phase + Double(lane)
          if axis <= places.upperBound { points.append((axis, found[0][lane], found[1][lane])) }
        }
      }
    }
    return points.sorted { $0.axis < $1.axis }
  }
}

extension SortedSinogram {
  /// The mean of neighbouring projections, no fewer than so many of a half turn for each bin.
  func thinned(anglesPerBin: Double) -> SortedSinogram {
    let group = max(1, Int(Double(thetas.count) / (anglesPerBin * Double(columns) * span / .pi)))
    guard group > 1 else { return self }
    let count = thetas.count / group
    var means = [Float](repeating: 0, count: count * columns), middles = [Double](repeating: 0, count: count)
    for angle in 0..<count * group {
      middles[angle / group] += thetas[angle] / Double(group)
      for bin in 0..<columns {
        means[angle / group * columns + bin] += values[angle * columns + bin] / Float(group)
      }
    }
    return SortedSinogram(thetas: middles, columns: columns, values: means, span: span)
  }
}
