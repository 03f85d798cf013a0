import Host
import RunModel
import Tomography

// What the works do with the volume that was taken.
extension LiveStage {
  /// Labels of a voxel: outside the part that is looked at, below the threshold, and not below it.
  enum Label {
    static let (outside, pore, solid) = (UInt8(0), UInt8(1), UInt8(2))
  }

  /// Slices that are denoised between two signs of life; the bits do not depend on it.
  private static let slicesAtOnce = 4

  /// Each slice depends on those beside it and on the noise of the whole volume, as where `--denoise` does it.
  func denoise(_ method: Denoising, isLast: Bool) throws -> [String: Double] {
    guard let output = environment.output else { preconditionFailure("a denoised volume has a region") }
    let source = environment.source
    let noise = noiseLevel(slices: source.slices, columns: source.columns) { slices, target in
      _ = target.update(fromContentsOf: source.voxels(slices))
    }
    let denoiser = Denoiser(method, columns: source.columns, noise: noise)
    let pool = try isLast ? ThreadPool(threads: environment.threads) : nil
    for first in stride(from: 0, to: source.slices, by: Self.slicesAtOnce) {
      let range = first..<min(first + Self.slicesAtOnce, source.slices)
      let slices = max(0, range.lowerBound - method.halo)..<min(range.upperBound + method.halo, source.slices)
      let target = output.nextSlice(first).assumingMemoryBound(to: Float.self)
      let inside = range.lowerBound - slices.lowerBound..<range.upperBound - slices.lowerBound
      if let pool {
        denoiser.apply(source.voxels(slices), range: inside, into: target, executor: PoolExecutor(pool: pool))
      } else {
        denoiser.apply(source.voxels(slices), range: inside, into: target, executor: SerialExecutor())
      }
      beat()
    }
    return ["noise": Double(noise)]
  }

  func segment(within: Double) throws -> [String: Double] {
    guard let output = environment.output else { preconditionFailure("labels have a region") }
    let source = environment.source, size = source.columns * source.columns
    let (threshold, disk) = (histogram(source, within).threshold, SliceDisk(columns: source.columns, within: within))
    var counts = (pores: 0, all: 0)
    for slice in 0..<source.slices {
      let labels = UnsafeMutableBufferPointer(
        start: output.nextSlice(slice).assumingMemoryBound(to: UInt8.self), count: size)
      label(source.voxels(slice..<slice + 1), threshold, disk, into: labels, &counts)
      beat()
    }
    return ["threshold": threshold, "below": Double(counts.pores) / Double(max(1, counts.all))]
  }

  func analyse(within: Double, isLast: Bool) throws -> [String: Double] {
    let source = environment.source, size = source.columns * source.columns
    let disk = SliceDisk(columns: source.columns, within: within)
    let histogram = source.hasLabels ? nil : self.histogram(source, within)
    var components = ConnectedComponents(columns: source.columns)
    var analysis = VolumeAnalysis(within: within, threshold: histogram?.threshold)
    let own = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: size)
    defer { own.deallocate() }
    for slice in 0..<source.slices {
      var counts = (pores: 0, all: 0)
      if let histogram {
        label(source.voxels(slice..<slice + 1), histogram.threshold, disk, into: own, &counts)
        components.add(UnsafeBufferPointer(own), label: Label.pore)
      } else {
        let labels = source.labels(slice)
        for label in labels where label != Label.outside { counts.all += 1 }
        for label in labels where label == Label.pore { counts.pores += 1 }
        components.add(labels, label: Label.pore)
      }
      analysis.add(pores: counts.pores, of: counts.all)
      beat()
    }
    analysis.sizes = components.sizes().sorted(by: >)
    if isLast {
      if let grey = environment.grey { _ = try grey.take(beat: beat) }
      let grey = environment.grey.map { self.histogram($0, within).counts } ?? histogram?.counts
      analysis.histogram = grey?.binned(VolumeAnalysis.binsMax)
      try environment.write(analysis)
    }
    return analysis.figures
  }

  /// Counts the voxels inside the disks; the threshold of a volume that is the same everywhere is that value.
  private func histogram(_ source: LiveSource, _ within: Double) -> (counts: VoxelHistogram, threshold: Double) {
    var counts = VoxelHistogram(columns: source.columns, within: within)
    for slice in 0..<source.slices {
      counts.add(source.voxels(slice..<slice + 1))
      beat()
    }
    return (counts, otsuThreshold(counts.bins) ?? Double(counts.value(atPercent: 0)))
  }

  private func label(
    _ voxels: UnsafeBufferPointer<Float>, _ threshold: Double, _ disk: SliceDisk,
    into labels: UnsafeMutableBufferPointer<UInt8>, _ counts: inout (pores: Int, all: Int)
  ) {
    labels.update(repeating: Label.outside)
    let threshold = Float(threshold)
    for row in 0..<disk.columns {
      for column in disk.range(row: row) {
        let voxel = row * disk.columns + column
        // What is no number is no part of the sample.
        guard voxels[voxel].isFinite else { continue }
        let isPore = voxels[voxel] < threshold
        labels[voxel] = isPore ? Label.pore : Label.solid
        counts.all += 1
        if isPore { counts.pores += 1 }
      }
    }
  }
}

/// A disk about the middle of a slice, of a part of the slice's width.
struct SliceDisk {
  /// Edge of the slice.
  let columns: Int
  private let ranges: [Range<Int>]

  /// `within` 1 is the disk that the slice's edges touch.
  init(columns: Int, within: Double) {
    precondition(columns > 0 && 0...1 ~= within, "\(within) of \(columns) columns")
    self.columns = columns
    let whole = DiskMask(columns: columns, isDisk: true)
    let half = 0.5 * Double(columns), radius = within * half
    ranges = (0..<columns).map { row in
      guard within < 1 else { return whole.columns(row: row) }
      let y = half - Double(row) - 0.5
      guard abs(y) <= radius else { return 0..<0 }
      let first = Int((half - 0.5 - (radius * radius - y * y).squareRoot()).rounded(.up))
      return first..<max(first, columns - first)
    }
  }

  /// Columns of a row that are inside, perhaps none.
  func range(row: Int) -> Range<Int> { ranges[row] }
}
