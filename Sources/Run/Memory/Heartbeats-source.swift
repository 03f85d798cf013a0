import Detectors
import Host
import Synchronization

// What acquire says of its source: people hear of it at once, and its successor goes on with it.
extension Heartbeats {
  private static let (textByteCount, textCount) = (256, 64)
  /// Behind those of faults.
  private static let (givenUp, remark, interruption) = (61, 62, 63)

  /// Bytes of the texts.
  static let sourceTextsByteCount = textByteCount * textCount

  /// Why a stage's processes have dropped messages, with what was wrong with the first one of each fault.
  func faults(of stage: Int) -> [(fault: MessageFault, detail: String)] {
    // SYNC faults ← note: whoever sees the bit finds the text.
    let bits = word(stage, .source).pointee.load(ordering: .acquiring)
    return MessageFault.allCases.filter { bits >> UInt64($0.rawValue) & 1 != 0 }.map { ($0, text($0.rawValue)) }
  }

  /// Says that the process of a stage has dropped a message. That stays when the process ends: the sender is as it was.
  func note(_ fault: MessageFault, _ detail: String?, of stage: Int) { say(detail ?? "", at: fault.rawValue, stage) }

  /// Why a stage's source ended the scan early; nil where it did not.
  func interruption(of stage: Int) -> String? {
    // SYNC interruption ← noteInterruption: as above.
    word(stage, .source).pointee.load(ordering: .acquiring) >> UInt64(Self.interruption) & 1 == 0
      ? nil : text(Self.interruption)
  }

  /// What was assumed of a stage's source; nil for nothing.
  func remark(of stage: Int) -> String? {
    // SYNC remark ← noteRemark: as above.
    word(stage, .source).pointee.load(ordering: .acquiring) >> UInt64(Self.remark) & 1 == 0 ? nil : text(Self.remark)
  }

  /// What a stage's source does not try any more; nil for nothing.
  func givenUp(of stage: Int) -> String? {
    // SYNC givenUp ← noteGivenUp: as above.
    word(stage, .source).pointee.load(ordering: .acquiring) >> UInt64(Self.givenUp) & 1 == 0 ? nil : text(Self.givenUp)
  }

  /// Says what the source does not try any more.
  func noteGivenUp(_ words: String, of stage: Int) { say(words, at: Self.givenUp, stage) }

  /// Says what was assumed of the source.
  func noteRemark(_ words: String, of stage: Int) { say(words, at: Self.remark, stage) }

  /// Says why the source ended the scan early.
  func noteInterruption(_ words: String, of stage: Int) { say(words, at: Self.interruption, stage) }

  /// What is known of the source's beginning.
  var sourceOrigin: SourceOrigin {
    func value(_ index: Int) -> UInt64? {
      // Relaxed: one process writes it, and the next one reads it when that one was reaped.
      let word = originWord(index).pointee.load(ordering: .relaxed)
      return word == 0 ? nil : word - 1
    }
    return SourceOrigin(firstFrame: value(0), series: value(1))
  }

  /// Says what is known of it; what is not known stays as it was.
  func note(_ origin: SourceOrigin) {
    for (index, value) in [origin.firstFrame, origin.series].enumerated() {
      guard let value, value < .max else { continue }
      originWord(index).pointee.store(value + 1, ordering: .relaxed)
    }
  }

  /// Writes a text, once.
  private func say(_ words: String, at index: Int, _ stage: Int) {
    precondition((0..<Self.textCount).contains(index), "text \(index) of \(Self.textCount)")
    let bit: UInt64 = 1 << UInt64(index)
    let said = word(stage, .source)
    guard said.pointee.load(ordering: .relaxed) & bit == 0 else { return }
    let bytes = Array(words.utf8.prefix(Self.textByteCount - 1))
    textPlace(index).copyMemory(from: bytes, byteCount: bytes.count)
    // The region was zeros, so an end follows.
    // SYNC note → faults, givenUp, remark, interruption: the text is there before its bit.
    said.pointee.bitwiseOr(bit, ordering: .releasing)
  }

  /// A text as one plain line, whatever is there.
  private func text(_ index: Int) -> String {
    let bytes = Array(UnsafeRawBufferPointer(start: textPlace(index), count: Self.textByteCount)).prefix { $0 != 0 }
    let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
    return scalars.map { $0.properties.generalCategory == .control ? "?" : "\($0)" }.joined()
  }

  private func textPlace(_ index: Int) -> UnsafeMutableRawPointer {
    // Sound: the region has so many texts behind the source's line.
    region.base + Self.lineByteCount * (2 + stageCount) + Self.textByteCount * index
  }

  private func originWord(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition((0..<2).contains(index), "word \(index) of 2")
    // Sound: the word is 8-aligned inside the mapping and only ever accessed atomically.
    return (region.base + Self.lineByteCount * (1 + stageCount) + 8 * index).assumingMemoryBound(
      to: Atomic<UInt64>.self)
  }
}
