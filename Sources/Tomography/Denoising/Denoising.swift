/// How slices of a reconstructed volume are freed of noise.
///
/// Lengths are voxels; strengths are factors on what the volume's own noise suggests
/// (``noiseLevel(of:count:columns:)``), so that they have no unit and 1 suits most volumes.
package enum Denoising: Sendable, Equatable {
  /// Within each slice, the minimum of ½ ‖x − y‖² + λ TV(x) with λ = strength · σ: flat areas and sharp edges.
  case totalVariation(strength: Float)
  /// Each voxel becomes the mean of those in its slice and the two beside it whose surroundings look alike: texture
  /// stays.
  case nonLocalMeans(strength: Float)
  /// The median of the cube of edge 2 · radius + 1 around each voxel: single outliers go, thin walls too.
  case median(radius: Int)

  /// Strengths and radii that make sense.
  package static let strengths: ClosedRange<Float> = 0.01...100
  /// A cube of edge 5 is the largest.
  package static let radii = 1...2

  /// Slices above and below that a slice's result depends on.
  package var halo: Int {
    switch self {
    case .totalVariation: 0
    case .nonLocalMeans: 1
    case .median(let radius): radius
    }
  }
}

/// Denoises slices of one volume.
///
/// A slice's bits depend on itself, on the slices within the method's halo and on the noise level; not on threads, nor
/// on which slices are denoised together.
package struct Denoiser: Sendable {
  /// What is done.
  let method: Denoising
  /// Edge of a slice.
  let columns: Int
  /// Standard deviation of the noise, in the volume's unit.
  let noise: Float

  /// Rows of a slice that are one piece of work.
  static let bandRows = 32

  /// `noise` as ``noiseLevel(of:count:columns:)`` found it; without noise nothing changes but by a median.
  package init(_ method: Denoising, columns: Int, noise: Float) {
    precondition(columns > 0 && noise >= 0 && noise.isFinite, "\(columns) columns, noise \(noise)")
    self.method = method
    self.columns = columns
    self.noise = noise
  }

  /// Bytes of scratch memory that `apply` needs on so many threads.
  package static func scratchByteCount(_ method: Denoising, columns: Int, threads: Int) -> Int {
    switch method {
    case .totalVariation: threads * TotalVariation.floatCount(columns: columns) * MemoryLayout<Float>.stride
    case .nonLocalMeans: threads * NonLocalMeans.floatCount(columns: columns) * MemoryLayout<Float>.stride
    case .median: 0
    }
  }

  /// Denoises the slices `range` of a stack.
  ///
  /// - Parameters:
  ///   - stack: consecutive slices of columns × columns finite voxels, row 0 on top. Beyond its ends they are continued
  ///     with the first and
  ///     last one, so it has the halo around `range` but where the volume ends.
  ///   - output: range.count slices; must not overlap the stack.
  package func apply(
    _ stack: UnsafeBufferPointer<Float>, range: Range<Int>, into output: UnsafeMutablePointer<Float>,
    executor: some Executor
  ) {
    let size = columns * columns, count = stack.count / size
    precondition(
      stack.count == count * size && range.lowerBound >= 0 && range.upperBound <= count, "slices \(range) of \(count)")
    guard !range.isEmpty, let base = stack.baseAddress else { return }
    let scratch = ScratchMemory(byteCount: Self.scratchByteCount(method, columns: columns, threads: executor.width))
    let scratchFloats = Self.scratchByteCount(method, columns: columns, threads: 1) / MemoryLayout<Float>.stride
    // Sound: each item writes its own rows of the output, each worker its own part of the scratch memory.
    nonisolated(unsafe) let slices = SliceStack(base: base, count: count, columns: columns)
    nonisolated(unsafe) let (output, memory) = (output, scratch.start.assumingMemoryBound(to: Float.self))
    if case .totalVariation(let strength) = method {
      executor.share(count: range.count, workers: executor.width) { worker, item in
        TotalVariation(columns: columns, weight: strength * noise, memory: memory + worker * scratchFloats)
          .minimise(slices.slice(range.lowerBound + item), into: output + item * size)
      }
      return
    }
    let bands = (columns + Self.bandRows - 1) / Self.bandRows
    executor.share(count: range.count * bands, workers: executor.width) { worker, item in
      let (slice, band) = (item / bands, item % bands)
      let rows = band * Self.bandRows..<min((band + 1) * Self.bandRows, columns)
      let target = output + slice * size + rows.lowerBound * columns
      switch method {
      case .totalVariation: preconditionFailure("handled above")
      case .nonLocalMeans(let strength):
        NonLocalMeans(noise: noise, strength: strength, memory: memory + worker * scratchFloats)
          .average(slices, slice: range.lowerBound + slice, rows: rows, into: target)
      case .median(let radius):
        MedianCube(radius: radius).filter(slices, slice: range.lowerBound + slice, rows: rows, into: target)
      }
    }
    withExtendedLifetime(scratch) {}
  }
}

/// Consecutive slices in memory, continued beyond the ends with the first and the last one.
struct SliceStack {
  let base: UnsafePointer<Float>
  let count: Int
  let columns: Int

  func slice(_ index: Int) -> UnsafePointer<Float> { base + min(max(index, 0), count - 1) * columns * columns }

  /// Row `row` of slice `index`; beyond the edges the outermost row.
  func row(_ row: Int, ofSlice index: Int) -> UnsafePointer<Float> {
    slice(index) + min(max(row, 0), columns - 1) * columns
  }
}
