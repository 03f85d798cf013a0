internal import Host
internal import Rings

/// Writes a segment again under another name, each record from whichever copy has it whole.
struct SegmentRewriting {
  /// A copy that has the segment.
  struct Source {
    let copy: RecordSource
    /// Whether it may hold records of what never came to be.
    let isBehind: Bool
  }

  /// The one that is believed first.
  let sources: [Source]
  let stride: Int

  /// Writes the page and the records `range` of a segment into a new file, durably. `isHole` says which of them no copy
  /// has; `goesOn` hears how many bytes were written each time, and ends it. False where it did.
  ///
  /// Throws `.host` where the device fails, or where no copy has a record any more that is no hole.
  func write(
    _ entry: SegmentEntry, _ range: Range<UInt64>, as temporary: String, on device: any JournalDevice,
    isHole: (UInt64) -> Bool, goesOn: (Int) -> Bool = { _ in true }
  ) throws(JournalError) -> Bool {
    let file = try hosted { () throws(HostError) in
      try device.create(temporary, byteCount: Int(entry.page.end))
    }
    defer { device.close(file) }
    let memory = AlignedMemory(byteCount: stride)
    entry.page.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<ControlPage.byteCount]))
    try put(memory, ControlPage.byteCount, in: file, at: 0, device)
    var chain = range.lowerBound == entry.first ? entry.page.chain : nil
    for sequence in range {
      let header = try fill(memory, with: sequence, of: entry, chain)
      chain = header?.chainAfter
      guard let header else {
        // It was whole a moment ago: a hole in its place would be damage of our own.
        if isHole(sequence) { continue }
        throw .host(.system(call: "pread", subject: device.folder, errno: Errno(rawValue: Self.ioError)))
      }
      let count = EventHeader.pageByteCount + (header.payloadByteCount + 4095) / 4096 * 4096
      try put(memory, count, in: file, at: entry.offset(of: sequence), device)
      guard goesOn(count) else { return false }
    }
    try hosted { () throws(HostError) in try device.sync(file) }
    return true
  }

  private func put(
    _ memory: AlignedMemory, _ count: Int, in file: JournalFile, at offset: Int, _ device: any JournalDevice
  ) throws(JournalError) {
    try hosted { () throws(HostError) in
      try device.write(file, UnsafeRawBufferPointer(rebasing: memory.bytes[..<count]), at: offset)
    }
  }

  /// Reads a record, whole, from the copy that has it so; nil where none does.
  func fill(
    _ memory: AlignedMemory, with sequence: UInt64, of entry: SegmentEntry, _ chain: UInt64?
  ) throws(JournalError) -> EventHeader? {
    let start = RecordSource.Predecessor(chain: nil, epoch: 0)
    // What looks bad is read once more.
    for source in sources.flatMap({ [$0, $0] }) {
      let copy = source.copy
      let file = try copy.files.file(entry.name)
      do throws(HostError) {
        let got = try copy.device.read(file, into: memory.bytes, at: entry.offset(of: sequence))
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[got...]).initializeMemory(as: UInt8.self, repeating: 0)
      } catch {
        continue
      }
      if case .intact(let header) = copy.verdict(UnsafeRawBufferPointer(memory.bytes), sequence, after: start) {
        if !source.isBehind || header.chain == chain { return header }
      }
    }
    return nil
  }

  private static let ioError: Int32 = 5  // EIO
}
