package import KernelTypes

// What a successor needs to go on after the last step.
//
// ```
//     0  u64  fingerprint of layout, grid, angles and options
//     8  u64  block
//    16  u64  steps taken
//    24  –    zeros
//    64  [lane] SubsetState.Lane, as many as the widest block has, then zeros to a multiple of 4096; what the scales of
//        fixed point come from is among it
//     –  y, x and p, which in three dimensions is two: volume blocks of the grid
// ```
extension SubsetSolver {
  /// Bytes of a saved state.
  package var stateByteCount: Int {
    Self.stateByteCount(layout: layout, padding: padding, dimensions: options.dimensions)
  }

  /// Bytes of a state that a solver with the same arguments saves; a multiple of 4096.
  package static func stateByteCount(layout: SliceLayout, padding: Int, dimensions: Int) -> Int {
    headerByteCount(layout) + (dimensions == 3 ? 4 : 3) * grid(layout, padding: padding).volumeBlockByteCount
  }

  private static func headerByteCount(_ layout: SliceLayout) -> Int {
    (64 + layout.lanes * MemoryLayout<SubsetState.Lane>.stride + 4095) & ~4095
  }

  /// Copies what the steps so far made to `target`, at a multiple of 64.
  package func save(to target: UnsafeMutableRawPointer, executor: some Executor) {
    let header = Self.headerByteCount(layout)
    target.initializeMemory(as: UInt8.self, repeating: 0, count: header)
    for (index, word) in [fingerprint, UInt64(state.block), UInt64(state.nextStep)].enumerated() {
      target.storeBytes(of: word, toByteOffset: 8 * index, as: UInt64.self)
    }
    (target + 64).copyMemory(
      from: state.lanes.baseAddress!, byteCount: state.lanes.count * MemoryLayout<SubsetState.Lane>.stride)
    forEachPiece(executor) { volume, offset, place, count in
      (target + (header + place)).copyMemory(from: volume + offset, byteCount: count)
    }
  }

  /// Takes over a state that `save` made of this block with the same arguments of `init`, and goes on with the same
  /// bits. `sinogram` and `slots` as for `begin`. False, and nothing begun, where the state is another's.
  package func restore(
    from source: UnsafeRawPointer, block: Int, slab: Slab? = nil, sinogram: UnsafeRawPointer, slots: Int,
    executor: some Executor
  ) -> Bool {
    let words = (0..<3).map { source.load(fromByteOffset: 8 * $0, as: UInt64.self) }
    guard words[0] == fingerprint, words[1] == UInt64(block), words[2] <= UInt64(stepCount) else { return false }
    attach(block: block, slab: slab, sinogram: sinogram, slots: slots, executor)
    state.go(to: Int(words[2]))
    UnsafeMutableRawPointer(state.lanes.baseAddress!).copyMemory(
      from: source + 64, byteCount: state.lanes.count * MemoryLayout<SubsetState.Lane>.stride)
    let header = Self.headerByteCount(layout)
    forEachPiece(executor) { volume, offset, place, count in
      (volume + offset).copyMemory(from: source + (header + place), byteCount: count)
    }
    return true
  }

  /// The volumes in pieces: what is copied, where it starts there and behind the header.
  private func forEachPiece(
    _ executor: some Executor,
    _ body: (_ volume: UnsafeMutableRawPointer, _ offset: Int, _ place: Int, _ count: Int) -> Void
  ) {
    let size = grid.volumeBlockByteCount, piece = 1 << 20, pieces = (size + piece - 1) / piece
    let volumes = memory.volumes(dimensions: options.dimensions)
    executor.forEach(count: volumes.count * pieces) { item in
      let offset = item % pieces * piece
      body(volumes[item / pieces], offset, item / pieces * size + offset, min(piece, size - offset))
    }
  }

  /// FNV-1a over all that a state depends on.
  private var fingerprint: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ word: UInt64) {
      for byte in 0..<8 { hash = (hash ^ (word >> (8 * UInt64(byte)) & 0xff)) &* 0x100_0000_01b3 }
    }
    for number in [layout.columns, layout.rows, layout.lanes, padding, options.innerSteps, stepCount, sweepCount] {
      add(UInt64(number))
    }
    for step in schedule.steps {
      add(UInt64(step.subset))
      add(UInt64(step.relaxation.bitPattern) << 32 | UInt64(step.momentum.bitPattern))
    }
    add(gridBeam.rotationAxis.bitPattern)
    for angle in angles { add(angle.theta.bitPattern) }
    switch options.weight {
    case .rule(let factor): add(UInt64(factor.bitPattern))
    case .detail: add(2 << 32)
    case .fixed(let weight): add(1 << 32 | UInt64(weight.bitPattern))
    }
    if case .huber(let epsilon) = options.penalty { add(2 << 32 | UInt64(epsilon.bitPattern)) }
    add((options.nonNegative ? 1 : 0) | (options.diskMask ? 2 : 0))
    if options.weighsCounts { add(4) }
    if options.dimensions == 3 { add(8) }
    if !layout.measuresAll { for bin in [layout.measured.lowerBound, layout.measured.upperBound] { add(UInt64(bin)) } }
    for byte in options.precision.rawValue.utf8 { add(UInt64(byte)) }
    return hash
  }
}
