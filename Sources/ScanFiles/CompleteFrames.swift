import Host

/// Which frames of a scan are there, where it ended early or is still being written: a dataset with fewer frames than
/// there are angles or image keys, and virtual datasets whose sources have fewer frames than were to come.
struct CompleteFrames {
  private let data: HDF5Dataset
  private let isStrict: Bool
  /// Frames, from the first one, for which there is everything.
  private(set) var count: Int
  /// Frames that the scan was to have.
  private(set) var planned: Int
  private var lists: [String] = []
  /// Frames that nobody wrote.
  private let unwritten: Set<Int>

  init(_ data: HDF5Dataset, isStrict: Bool) throws(FileError) {
    (self.data, self.isStrict) = (data, isStrict)
    (count, planned) = (data.shape[0], data.shape[0])
    unwritten = try data.unwrittenFrames()
  }

  /// Whether a frame is there.
  func has(_ frame: Int) -> Bool {
    frame < count && !data.missing.contains(frame) && !unwritten.contains(frame)
  }

  /// What of it nobody wrote, in words; nil for nothing.
  private var gap: String? {
    guard !unwritten.isEmpty else { return nil }
    return "\(unwritten.count) of the \(data.shape[0]) frames of \(data.name) were never written, or not all of them: "
      + Self.words(unwritten)
  }

  /// Whether somebody may still write a file behind a virtual dataset.
  var hasGrowingSource: Bool { data.hasGrowingSource }

  /// Takes note of a list with one value a frame.
  ///
  /// A list that is too long is that of a scan that ended early. One that is too short has another reason, unless the
  /// file is still being written: then it is behind.
  mutating func limit(to length: Int, _ name: String) throws(FileError) {
    guard length != data.shape[0] else { return }
    let words = "\(name) has \(length) values for \(data.shape[0]) frames"
    guard length > data.shape[0] || (data.file.isGrowing || hasGrowingSource) && length > 0 else {
      throw data.file.bad(words)
    }
    guard !isStrict else { throw data.file.bad("\(words), which --strict refuses") }
    (count, planned) = (min(count, length), max(planned, length))
    lists.append(words)
  }

  /// What to tell of what is missing. `wanted` are the projections that the scan was to have.
  func notices(projections: Int, of wanted: Int) -> [String] {
    var causes = lists + data.shortages + [gap].compactMap(\.self)
    if data.file.isGrowing { causes.append("it is still being written, or was not closed") }
    guard !causes.isEmpty else { return [] }
    return [
      "the scan is not complete: \(causes.joined(separator: "; ")); "
        + "\(projections) of \(max(wanted, projections)) projections are there and taken"
    ]
  }

  /// Throws what is missing where nothing may be.
  func checkIsStrict() throws(FileError) {
    guard isStrict else { return }
    if let shortage = data.shortages.first ?? gap { throw data.file.bad("\(shortage), which --strict refuses") }
    if data.file.isGrowing {
      throw data.file.bad("it is still being written, or was not closed, which --strict refuses")
    }
  }
}
