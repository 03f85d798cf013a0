import KernelTypes
import RunModel
import Synchronization
import Tomography

// A worker begins with no voxel that is not what its predecessor wrote: whoever writes into its volume, or a bit of
// memory that flips, would make another volume of it.
extension ReconstructStage {
  /// Takes note of what was computed of some blocks of the next generation.
  func sealNext(_ blocks: Range<Int>, in layout: SliceLayout) {
    let pieces = volume.pieces(of: blocks, in: layout)
    executor.forEach(count: pieces.count) { volume.seal(piece: pieces.lowerBound + $0, in: layout) }
  }

  /// Takes note of what the newest generation is, if that was not done.
  func sealNewest() {
    guard !volume.isSealed(volume.newest) else { return }
    executor.forEach(count: volume.pieces(of: volume.newest).count) { volume.sealNewest(piece: $0) }
    volume.sealNewest()
  }

  /// Throws where blocks of a sealed generation, which something was computed from, are not what they were. From one of
  /// binned projections nothing else was.
  func check(_ blocks: Range<Int>, of generation: VolumeRegion.Generation) throws(StageError) {
    if volume.isLive(generation) || volume.live != nil && volume.isCoarse(generation) { return }
    // Of a coarse one, in which blocks are other ones, all are asked: they are few.
    let pieces = volume.isCoarse(generation) ? volume.pieces(of: generation) : volume.pieces(of: blocks)
    guard areWhole(pieces, { volume.isWhole(piece: $0, of: generation) }) else {
      throw .damaged(Self.damage(generation))
    }
  }

  /// Throws where generation `number` comes out as no number. Whoever wrote into what it was computed from may be the
  /// reason, so a successor makes it again: of what is whole, then with everything before it. If that is no number
  /// either, the data or the method are the reason, and the reconstruction diverges.
  func check(_ residual: Residual, of number: UInt64) throws(StageError) {
    let (generation, attempts) = volume.suspect, before = generation == number ? attempts : 0
    guard !residual.residualSquared.isFinite, before < Self.attemptsMax else { return }
    volume.suspect = (number, before + 1)
    throw .damaged("what generation \(number) was computed from")
  }

  /// Attempts with what is whole, and with everything.
  private static let attemptsMax = 2

  /// What is damaged, in words.
  static func damage(_ generation: VolumeRegion.Generation) -> String {
    "generation \(generation.number) of the volume in shared memory"
  }

  /// Begins with the latest sealed generation that is what a predecessor wrote; with the newest saved one, or the zero
  /// volume, where there is none. The orders after its cursor follow once more, and nothing is reported twice. Blocks
  /// of the final iterations that are not what they were are computed again.
  func beginWithWhatIsWhole() throws {
    defer { volume.clearMargins() }
    if volume.suspect.attempts == Self.attemptsMax {
      volume.suspect.attempts += 1
      volume.goBack { _ in nil }
      return noticed("generation \(volume.suspect.generation) was no number: computing everything before it again")
    }
    let newest = volume.newest, wasSealed = volume.isSealed(newest)
    let whole = volume.sealedGenerations.first { generation in
      areWhole(volume.pieces(of: generation)) { volume.isWhole(piece: $0, of: generation) }
    }
    if let whole {
      volume.begin(with: whole)
    } else {
      try volume.goBack { try checkpoint?.readNewest(into: $0) }
    }
    if whole == nil || wasSealed && whole?.number != newest.number {
      noticed("\(Self.damage(newest)) is not what was written there: going on from generation \(volume.newest.number)")
    }
    guard volume.isFinalBegun, !isFinalWhole else { return }
    volume.forgetFinal()
    noticed("blocks of the final iterations are not what was written there: computing them again")
  }

  /// Whether what is said of blocks of the final iterations has a meaning, and the blocks are what was written there.
  /// An update that is none stands beside them only where something else was written over it.
  private var isFinalWhole: Bool {
    do throws(EventError) {
      guard let mark = try volume.finalProgress(), volume.isFinalMarkSealed else { return false }
      return areWhole(volume.pieces(of: 0..<mark.blocks), volume.isWhole(finalPiece:))
    } catch {
      return false
    }
  }

  /// Whether all pieces are what was written, on all threads.
  func areWhole(_ pieces: Range<Int>, _ isWhole: (Int) -> Bool) -> Bool {
    let result = Atomic<Bool>(true)
    executor.forEach(count: pieces.count) { item in
      if !isWhole(pieces.lowerBound + item) { result.store(false, ordering: .relaxed) }
    }
    return result.load(ordering: .relaxed)
  }
}
