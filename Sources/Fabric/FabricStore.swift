internal import Foundation
package import Rings

/// Small values under names, which all machines of a fabric see: a bucket of the servers' key-value store. Use from one
/// thread at a time.
///
/// `create` fails where there is a value: so one of many gets what all want.
package final class FabricStore {
  /// A value, and its place in the bucket's history.
  package struct Entry: Equatable, Sendable {
    /// The value.
    package let value: [UInt8]
    /// The number of the change that wrote it.
    package let revision: UInt64
    /// When it was written, as text that sorts by time.
    package let written: String
  }

  /// The bucket.
  let bucket: String
  private let api: JetStream

  /// Bytes of a value at most.
  static let valueByteCountMax = 64 << 10

  /// How long servers may take to answer.
  package static let limit: Duration = .seconds(2)

  /// A bucket by name: letters, digits and `-`. Nothing is asked of the servers yet, which may take `limit` to answer.
  init(_ connection: FabricConnection, bucket: String, limit: Duration = FabricStore.limit) throws(FabricError) {
    precondition(Self.isName(bucket), "bucket '\(bucket)'")
    self.bucket = bucket
    api = try JetStream(connection, limit: limit)
  }

  /// The bucket with a run's plan.
  package convenience init(
    _ connection: FabricConnection, run: RunID, limit: Duration = FabricStore.limit
  ) throws(FabricError) {
    try self.init(connection, bucket: "slipring-\(run)", limit: limit)
  }

  /// The bucket with the leases of a run's granules, and of its uplink.
  package convenience init(
    _ connection: FabricConnection, leasesOf run: RunID, limit: Duration = FabricStore.limit
  ) throws(FabricError) {
    try self.init(connection, bucket: "slipring-\(run)-leases", limit: limit)
  }

  /// The bucket with the nodes that live.
  package convenience init(
    nodes connection: FabricConnection, limit: Duration = FabricStore.limit
  ) throws(FabricError) {
    try self.init(connection, bucket: FabricNames.nodes, limit: limit)
  }

  private struct Creation: Encodable {
    let name: String
    let subjects: [String]
    let retention = "limits"
    let storage = "file"
    let discard = "new"
    let num_replicas: Int
    let max_msgs_per_subject = 1
    let max_age: Int64
    let max_msg_size = FabricStore.valueByteCountMax + 4096
    let max_bytes: Int64 = 4 << 20
    let allow_rollup_hdrs = true
    let deny_delete = true
    let allow_direct = true
  }

  private struct Answer: Decodable {
    let error: JetStream.Fault?
    let seq: UInt64?
  }

  private struct Found: Decodable {
    struct Message: Decodable {
      let seq: UInt64
      let data: String?
      let hdrs: String?
      let time: String?
    }
    let error: JetStream.Fault?
    let message: Message?
  }

  /// Copies where there are servers enough: one of three may be away.
  private static let replicasMax = 3

  /// Makes the bucket, unless it is there. Values that are not written again within `lifetime` vanish; nil for never.
  package func make(lifetime: Duration? = nil) throws(FabricError) {
    let (seconds, attoseconds) = (lifetime ?? .zero).components, what = "bucket \(bucket)"
    for replicas in [Self.replicasMax, 1] {
      let creation = Creation(
        name: "KV_\(bucket)", subjects: ["$KV.\(bucket).>"], num_replicas: replicas,
        max_age: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
      let bytes = try api.ask(
        JetStream.Request(
          subject: "$JS.API.STREAM.CREATE.KV_\(bucket)", body: JetStream.encode(creation), what: what))
      // It may be there with another number of copies.
      guard let error = try JetStream.decode(Answer.self, bytes, what: what).error,
        error.number != JetStream.Fault.streamExists
      else { return }
      guard replicas > 1, JetStream.Fault.fewServers.contains(error.number) else { throw error.error(what) }
    }
  }

  /// Whether servers answer what is asked of it.
  /// - Throws: `.missing` where they do, and it is not there.
  func isThere() throws(FabricError) -> Bool {
    do throws(FabricError) { _ = try keys() } catch {
      guard case .timedOut = error else { throw error }
      return false
    }
    return true
  }

  /// The value of a key; nil where there is none.
  package func get(_ key: String) throws(FabricError) -> Entry? {
    if case .entry(let entry)? = try look(key) { entry } else { nil }
  }

  /// What a key has.
  private enum Content {
    case entry(Entry)
    /// A removal with its revision.
    case removed(UInt64)
  }

  private func look(_ key: String) throws(FabricError) -> Content? {
    let request = request(of: key)
    return try Self.content(try api.ask(request), what: request.what)
  }

  private func request(of key: String) -> JetStream.Request {
    struct Wanted: Encodable { let last_by_subj: String }
    return JetStream.Request(
      subject: "$JS.API.STREAM.MSG.GET.KV_\(bucket)",
      body: JetStream.encode(Wanted(last_by_subj: "$KV.\(bucket).\(key)")), what: "\(key) of bucket \(bucket)")
  }

  private static func content(_ bytes: [UInt8], what: String) throws(FabricError) -> Content? {
    let found = try JetStream.decode(Found.self, bytes, what: what)
    if let error = found.error {
      guard error.number == JetStream.Fault.noMessage else { throw error.error(what) }
      return nil
    }
    guard let message = found.message else { throw .damaged(what: what, reason: "the answer holds no value") }
    if let headers = message.hdrs.flatMap({ Data(base64Encoded: $0) }),
      headers.range(of: Data(operation.utf8)) != nil
    {
      return .removed(message.seq)
    }
    guard let data = Data(base64Encoded: message.data ?? ""), data.count <= valueByteCountMax else {
      throw .damaged(what: what, reason: "its value is none, or too long")
    }
    return .entry(Entry(value: [UInt8](data), revision: message.seq, written: sortable(message.time ?? "")))
  }

  /// Servers leave out zeros at the end of a time's fraction.
  private static func sortable(_ time: String) -> String {
    let text = time.hasSuffix("Z") ? String(time.dropLast()) : time
    return text.contains(".") ? text : text + "."
  }

  /// Writes a value, whatever was there; gives its revision.
  @discardableResult
  package func put(_ key: String, _ value: [UInt8]) throws(FabricError) -> UInt64 { try write(key, value, after: nil) }

  /// Writes a value where there is none; throws `.conflict` where there is one.
  @discardableResult
  package func create(_ key: String, _ value: [UInt8]) throws(FabricError) -> UInt64 {
    do throws(FabricError) { return try write(key, value, after: 0) } catch {
      // What was removed has left a mark, which one of many may replace.
      guard case .conflict = error, case .removed(let mark)? = try look(key) else { throw error }
      return try write(key, value, after: mark)
    }
  }

  /// Writes a value in place of the one that `revision` is; throws `.conflict` where that is there no more.
  @discardableResult
  package func update(_ key: String, _ value: [UInt8], after revision: UInt64) throws(FabricError) -> UInt64 {
    precondition(revision > 0, "\(key): a value that is there has a revision")
    return try write(key, value, after: revision)
  }

  /// Removes the value that `revision` is, so that another one can be created; throws `.conflict` where that is there
  /// no more.
  package func remove(_ key: String, after revision: UInt64) throws(FabricError) {
    precondition(revision > 0, "\(key): a value that is there has a revision")
    _ = try write(key, [], after: revision, headers: [(Self.operation, "DEL")])
  }

  /// What marks a message that stands for a removal.
  private static let operation = "KV-Operation"

  private func write(
    _ key: String, _ value: [UInt8], after revision: UInt64?, headers more: [(String, String)] = []
  ) throws(FabricError) -> UInt64 {
    let what = "\(key) of bucket \(bucket)"
    guard value.count <= Self.valueByteCountMax else {
      throw .refused(what: what, reason: "it has \(value.count) B, \(Self.valueByteCountMax) have room")
    }
    return try answer(change(key, value, after: revision, more)) ?? 0
  }

  private func change(
    _ key: String, _ value: [UInt8], after revision: UInt64?, _ more: [(String, String)] = []
  ) -> JetStream.Request {
    precondition(Self.isKey(key), "key '\(key)'")
    let headers = (revision.map { [("Nats-Expected-Last-Subject-Sequence", "\($0)")] } ?? []) + more
    return JetStream.Request(
      subject: "$KV.\(bucket).\(key)", headers: headers, body: value, what: "\(key) of bucket \(bucket)")
  }

  @discardableResult
  private func answer(_ request: JetStream.Request) throws(FabricError) -> UInt64? {
    let answer = try JetStream.decode(Answer.self, try api.ask(request), what: request.what)
    if let error = answer.error { throw error.error(request.what) }
    return answer.seq
  }

  /// Whether a text may be one word of a name.
  static func isName(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D
      }
  }

  private static func isKey(_ text: String) -> Bool {
    text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isName(String($0)) }
  }
}

// Several values at once.
extension FabricStore {
  private static let keysMax = 65_536
  /// Values that are asked for at once.
  private static let requestsMax = 256

  /// The keys that have a value; a removed one may stay among them as long as its mark does.
  package func keys() throws(FabricError) -> [String] {
    struct Wanted: Encodable {
      let subjects_filter: String
      let offset: Int
    }
    struct Info: Decodable {
      struct State: Decodable { let subjects: [String: Int]? }
      let error: JetStream.Fault?
      let total: Int?
      let state: State?
    }
    let what = "the keys of bucket \(bucket)", prefix = "$KV.\(bucket)."
    var keys: [String] = [], seen = 0
    // Servers give a part of the list at a time.
    while seen < Self.keysMax {
      let body = JetStream.encode(Wanted(subjects_filter: prefix + ">", offset: seen))
      let bytes = try api.ask(
        JetStream.Request(subject: "$JS.API.STREAM.INFO.KV_\(bucket)", body: body, what: what))
      let info = try JetStream.decode(Info.self, bytes, what: what)
      if let error = info.error { throw error.error(what) }
      guard let more = info.state?.subjects, !more.isEmpty else { break }
      seen += more.count
      keys += more.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.filter(Self.isKey)
      if seen >= info.total ?? 0 { break }
    }
    return keys.sorted()
  }

  /// Writes values in place of those that their revisions are, all at once; gives the new revisions, nil for a value
  /// that somebody else has changed.
  func update(_ changes: [(key: String, value: [UInt8], after: UInt64)]) throws(FabricError) -> [UInt64?] {
    let requests = changes.map { change($0.key, $0.value, after: $0.after) }
    var revisions: [UInt64?] = []
    for (bytes, request) in zip(try api.ask(requests), requests) {
      let answer = try JetStream.decode(Answer.self, bytes, what: request.what)
      if let error = answer.error, error.number != JetStream.Fault.wrongSequence { throw error.error(request.what) }
      revisions.append(answer.error == nil ? answer.seq : nil)
    }
    return revisions
  }

  /// The values of all keys that begin with `prefix`.
  package func all(_ prefix: String = "") throws(FabricError) -> [String: Entry] {
    let wanted = try keys().filter { $0.hasPrefix(prefix) }
    var all: [String: Entry] = [:]
    for first in stride(from: 0, to: wanted.count, by: Self.requestsMax) {
      let some = wanted[first..<min(first + Self.requestsMax, wanted.count)], requests = some.map(request)
      for ((key, request), bytes) in zip(zip(some, requests), try api.ask(requests)) {
        if case .entry(let entry)? = try Self.content(bytes, what: request.what) { all[key] = entry }
      }
    }
    return all
  }
}

// Which runs there are.
extension FabricStore {
  private struct Names: Decodable {
    let error: JetStream.Fault?
    let streams: [String]?
    let total: Int?
  }

  private static let namesMax = 65_536

  /// The runs that have a bucket, and the value of a key of each where it has one, the one written last at the end.
  package static func runs(
    _ connection: FabricConnection, key: String
  ) throws(FabricError) -> [(run: RunID, entry: Entry)] {
    var runs: [(run: RunID, entry: Entry)] = []
    for run in try self.runs(connection, key: key, limit: limit) {
      do throws(FabricError) {
        if let entry = try FabricStore(connection, run: run).get(key) { runs.append((run, entry)) }
      } catch {
        // Removed meanwhile.
        guard case .missing = error else { throw error }
      }
    }
    return runs.sorted { $0.entry.written < $1.entry.written }
  }

  /// The runs that have a bucket which may have a key.
  package static func runs(
    _ connection: FabricConnection, key: String, limit: Duration
  ) throws(FabricError) -> [RunID] {
    struct Wanted: Encodable {
      let subject: String
      let offset: Int
    }
    let api = try JetStream(connection, limit: limit)
    var names: [String] = []
    // Servers give a part of the list at a time.
    while names.count < namesMax {
      let bytes = try api.ask(
        JetStream.Request(
          subject: "$JS.API.STREAM.NAMES", body: JetStream.encode(Wanted(subject: "$KV.*.\(key)", offset: names.count)),
          what: "the list of runs"))
      let answer = try JetStream.decode(Names.self, bytes, what: "the list of runs")
      if let error = answer.error { throw error.error("the list of runs") }
      guard let more = answer.streams, !more.isEmpty else { break }
      names += more
      if names.count >= answer.total ?? 0 { break }
    }
    let prefix = "KV_slipring-"
    return names.filter { $0.hasPrefix(prefix) }.compactMap { RunID(String($0.dropFirst(prefix.count))) }
  }
}
