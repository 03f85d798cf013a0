import Glibc
import Host
import Rings

/// Writes events `…< until`, each with words that depend on its sequence: eight of metadata and `payload` of payload.
func write(_ options: Options) throws(RingError) {
  let ring = try options.attach()
  let writer = try RingWriter(ring: ring, epoch: options["epoch"])
  let wordCount = Int(options["payload"])
  while writer.nextSequence < options["until"] {
    let claim = try writer.claim(timeout: .seconds(30))
    fill(claim, wordCount: wordCount)
    try writer.commit(
      claim,
      EventFields(kind: .order, payloadByteCount: 8 * wordCount, metadataByteCount: 64, projection: claim.sequence))
  }
}

/// Reads events `from ..< until` as reader number `reader`, checks each word, and pauses for `pause` µs after every
/// `every`th.
func read(_ options: Options) throws(RingError) {
  let ring = try options.attach()
  let reader = try RingReader(ring: ring, reader: Int(options["reader"]))
  let every = max(options["every"], 1)
  let batch = max(options["batch"], 1)
  while reader.position < options["until"] {
    let sequence = reader.position
    guard let event = try reader.next(timeout: .seconds(30)) else { fail("event \(sequence) did not come", code: 75) }
    guard event.header.sequence == sequence, event.header.projection == sequence else {
      fail("event \(event.header.sequence) came in place of \(sequence)", code: 70)
    }
    guard isWhole(event) else { fail("event \(sequence) is torn", code: 74) }
    if options["verify"] != 0 { try reader.verifyPayload(event) }
    if (sequence + 1) % batch == 0 || sequence + 1 == options["until"] { try reader.release(upTo: sequence + 1) }
    if options["pause"] != 0, sequence % every == 0 { usleep(UInt32(options["pause"])) }
  }
}

/// Claims the next slot, fills half of it, says "claimed", and commits after being stopped and continued, or never.
func stall(_ options: Options) throws(RingError) {
  let writer = try RingWriter(ring: try options.attach(), epoch: options["epoch"])
  let claim = try writer.claim(timeout: .seconds(30))
  claim.payload.prefix(claim.payload.count / 2).initializeMemory(as: UInt8.self, repeating: 0xEE)
  write(1, "claimed\n", 8)
  raise(SIGSTOP)
  try writer.commit(claim, EventFields(kind: .order, projection: 999))
}

/// Fills and empties the ring `rounds` times with events of 64 bytes of metadata, and says how many picoseconds it took
/// to write and to read one, in the median round.
func time(_ options: Options) throws(RingError) {
  let ring = try options.attach()
  let writer = try RingWriter(ring: ring, epoch: options["epoch"])
  let reader = try RingReader(ring: ring, reader: 0)
  let slotCount = UInt64(ring.specification.slotCount)
  var writing: [UInt64] = []
  var reading: [UInt64] = []
  for _ in 0..<options["rounds"] {
    let start = Machine.monotonicNanoseconds
    for _ in 0..<slotCount {
      let claim = try writer.claim(timeout: .zero)
      fill(claim, wordCount: 0)
      try writer.commit(claim, EventFields(kind: .order, metadataByteCount: 64, projection: claim.sequence))
    }
    let middle = Machine.monotonicNanoseconds
    while let event = try reader.next(timeout: .zero) { try reader.release(upTo: event.header.sequence + 1) }
    writing.append((middle - start) * 1000 / slotCount)
    reading.append((Machine.monotonicNanoseconds - middle) * 1000 / slotCount)
  }
  let line = "\(writing.sorted()[writing.count / 2]) \(reading.sorted()[reading.count / 2])\n"
  write(1, line, line.utf8.count)
}

private func fill(_ claim: Claim, wordCount: Int) {
  for index in 0..<8 {
    claim.metadata.storeBytes(of: word(claim.sequence, index), toByteOffset: 8 * index, as: UInt64.self)
  }
  for index in 0..<wordCount {
    claim.payload.storeBytes(of: word(claim.sequence, ~index), toByteOffset: 8 * index, as: UInt64.self)
  }
}

private func isWhole(_ event: Event) -> Bool {
  guard event.metadata.count == 64 else { return false }
  for index in 0..<8
  where event.metadata.load(fromByteOffset: 8 * index, as: UInt64.self) != word(event.header.sequence, index) {
    return false
  }
  for index in 0..<event.payload.count / 8
  where event.payload.load(fromByteOffset: 8 * index, as: UInt64.self) != word(event.header.sequence, ~index) {
    return false
  }
  return true
}

private func word(_ sequence: UInt64, _ index: Int) -> UInt64 {
  (sequence &+ UInt64(truncatingIfNeeded: index)) &* 0x9E37_79B9_7F4A_7C15
}
