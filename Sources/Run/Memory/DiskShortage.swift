/// What a process lacks because its disk is full, or fails: bits of a word in shared memory, see `Heartbeats`.
struct DiskShortage: OptionSet, Sendable {
  let rawValue: UInt64

  /// It waits for room for its journals.
  static let journal = DiskShortage(rawValue: 1)
  /// It waits for room for the output.
  static let output = DiskShortage(rawValue: 2)
  /// It waits for room for a report in the run's folder.
  static let report = DiskShortage(rawValue: 4)
  /// There was no room for its saved volume; it goes on without.
  static let savedVolume = DiskShortage(rawValue: 8)
  /// Its volume could not be saved for another reason; it goes on without.
  static let savedVolumeFailed = DiskShortage(rawValue: 16)

  /// Those for which it waits until there is room.
  static let waiting: DiskShortage = [.journal, .output, .report]
  private static let all: DiskShortage = [.waiting, .savedVolume, .savedVolumeFailed]

  init(rawValue: UInt64) { self.rawValue = rawValue }

  /// What a word of another process says; bits without meaning are dropped.
  init(word: UInt64) { self = DiskShortage(rawValue: word).intersection(.all) }
}
