import Synchronization

// On which cores bands are made at present: the supervisor says it, and a band's process looks between two updates.
extension Heartbeats {
  /// Words of a line's cores.
  private static let coreWordCount = lineByteCount / 8 - Word.cores.rawValue
  /// Cores with this number and higher ones cannot be dealt to a band.
  static let coresMax = 64 * coreWordCount

  private func coreWord(_ stage: Int, _ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition((0..<Self.coreWordCount).contains(index), "word \(index) of a line's cores")
    return word(stage, .cores) + index
  }

  /// Has the process of a stage, and each that follows it, work on these cores. To be called by the supervisor.
  func deal(_ cores: [Int], to stage: Int) {
    precondition(cores.allSatisfy { (0..<Self.coresMax).contains($0) } && !cores.isEmpty, "cores \(cores)")
    for index in 0..<Self.coreWordCount {
      let mask = cores.reduce(into: UInt64(0)) { if $1 / 64 == index { $0 |= 1 << UInt64($1 % 64) } }
      coreWord(stage, index).pointee.store(mask, ordering: .relaxed)
    }
    // SYNC deal → dealt: whoever sees the number finds these cores, or some of those that are dealt next.
    word(stage, .place).pointee.add(1, ordering: .releasing)
  }

  /// How often a stage got other cores, and those that it got last; 0 and none for one that has those of the plan. A
  /// reader that meets a deal half-written sees the next number when it looks again, and works on any cores rightly.
  func dealt(to stage: Int) -> (number: UInt64, cores: [Int]) {
    let number = word(stage, .place).pointee.load(ordering: .acquiring)
    guard number > 0 else { return (0, []) }
    let cores = (0..<Self.coreWordCount).flatMap { index in
      let mask = coreWord(stage, index).pointee.load(ordering: .relaxed)
      return (0..<64).filter { mask >> UInt64($0) & 1 != 0 }.map { 64 * index + $0 }
    }
    return (number, cores)
  }
}
