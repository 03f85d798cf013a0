import Foundation
import Host

/// The files of a journal, to be damaged: nothing here knows or keeps what makes them whole.
struct DamagedJournal {
  let folder: String
  /// Bytes from record to record.
  let stride: Int
  /// Records before the damage.
  let recordCount: Int

  static let headerByteCount = 4096
  private static let suffix = ".segment"

  /// The names of its segments, in the order of their first records.
  func segments() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(Self.suffix) }.sorted()
  }

  func byteCount(of name: String) throws -> Int { Int(try handle(name) { try $0.seekToEnd() }) }

  /// Inverts a bit; nothing behind the end of the file.
  func flip(_ name: String, at offset: Int) throws {
    try handle(name) { file in
      try file.seek(toOffset: UInt64(offset))
      guard let byte = try file.read(upToCount: 1)?.first else { return }
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: Data([byte ^ 0x10]))
    }
  }

  func flip(record: Int, at offset: Int) throws {
    guard let (name, start) = try place(of: record) else { return }
    try flip(name, at: start + offset)
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

  func cut(_ name: String, to byteCount: Int) throws {
    try handle(name) { try $0.truncate(atOffset: UInt64(byteCount)) }
  }

  func overwrite(_ name: String, _ range: Range<Int>, with byte: () -> UInt8) throws {
    try handle(name) { file in
      try file.seek(toOffset: UInt64(range.lowerBound))
      try file.write(contentsOf: Data(range.map { _ in byte() }))
    }
  }

  /// The bytes of two records; nil where one of them has no place any more.
  func bytes(_ a: Int, _ b: Int) throws -> (Data, Data)? {
    guard let first = try bytes(a), let second = try bytes(b) else { return nil }
    return (first, second)
  }

  private func bytes(_ record: Int) throws -> Data? {
    guard let (name, start) = try place(of: record) else { return nil }
    return try handle(name) { file in
      try file.seek(toOffset: UInt64(start))
      return try file.read(upToCount: stride)
    }
  }

  func write(_ bytes: Data, over record: Int) throws {
    guard let (name, start) = try place(of: record) else { return }
    try handle(name) { file in
      try file.seek(toOffset: UInt64(start))
      try file.write(contentsOf: bytes)
    }
  }

  func swap(_ a: String, _ b: String) throws {
    guard a != b else { return }
    let between = path(a) + ".swap"
    for (source, target) in [(path(a), between), (path(b), path(a)), (between, path(b))] {
      try FileManager.default.moveItem(atPath: source, toPath: target)
    }
  }

  func copy(_ source: String, to target: String) throws {
    guard source != target else { return }
    if FileManager.default.fileExists(atPath: path(target)) { try remove(target) }
    try FileManager.default.copyItem(atPath: path(source), toPath: path(target))
  }

  /// A segment's name that no segment has.
  func freeName(using random: inout SplitMix64) throws -> String {
    let taken = try segments()
    let numbers = (0..<recordCount).filter { number in !taken.contains(name(number)) }
    return name(numbers.randomElement(using: &random) ?? recordCount)
  }

  private func name(_ first: Int) -> String {
    String(repeating: "0", count: 20 - "\(first)".count) + "\(first)" + Self.suffix
  }

  /// The segment that holds a record, by the segments' names, and where it begins there; nil where there is none.
  private func place(of record: Int) throws -> (String, Int)? {
    let firsts = try segments().compactMap { name in Int(name.prefix(20)).map { (name, $0) } }
    guard let (name, first) = firsts.last(where: { $0.1 <= record }) else { return nil }
    let start = Self.headerByteCount + (record - first) * stride
    return try start + stride <= byteCount(of: name) ? (name, start) : nil
  }

  private func path(_ name: String) -> String { "\(folder)/\(name)" }

  private func handle<Value>(_ name: String, _ body: (FileHandle) throws -> Value) throws -> Value {
    let file = try FileHandle(forUpdating: URL(filePath: path(name)))
    defer { try? file.close() }
    return try body(file)
  }
}
