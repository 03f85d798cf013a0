internal import CKafka
import Foundation
import Host

/// What somebody asks of a run in a topic of Kafka.
package struct RunCommand: Equatable, Sendable {
  /// What can be asked.
  package enum Kind: String, Codable, CaseIterable, Sendable {
    /// End the acquisition, and finish with what was acquired.
    case finalize
    /// Stop at once.
    case abort
  }

  /// What is asked.
  package let kind: Kind
  /// Who asks.
  package let by: String
}

/// Reads commands from a topic, in all of its partitions, from the moment on when the run began; what was asked before
/// was not asked of this supervision. Commands of other runs are passed over. Use from one thread.
///
/// ```
/// {"run": "<run>", "command": "finalize", "by": "anna"}      finalize or abort; nothing else is a key
/// ```
final class CommandReader {
  /// What a record is.
  enum Found: Equatable {
    case command(RunCommand)
    /// One of another run.
    case foreign
    /// Why it is none.
    case wrong(String)
  }

  /// How far a supervision has read: the content of `commands.json`.
  struct Progress: Codable, Equatable {
    /// The sequence of the run's newest start: commands before it were not for what runs now.
    let start: Int
    /// The next offset of each partition.
    var next: [Int32: Int64] = [:]
    /// Commands that were obeyed, and that were not.
    var (obeyed, refused) = (0, 0)

    /// Nothing read yet, or up to these offsets.
    init(start: Int, next: [Int32: Int64] = [:]) { (self.start, self.next) = (start, next) }
  }

  private(set) var problem: String?
  var progress: Progress
  private let library: KafkaLibrary
  private let settings: EventSettings
  private let topic: String
  private let consumer: OpaquePointer
  private var isAssigned = false
  private var due = ContinuousClock.now

  private static let (byteCountMax, partitionsMax) = (4096, 256)
  private static let retryDelay: Duration = .seconds(2)
  private static let metadataTimeout: Int32 = 2000

  /// A reader of `topic` in the cluster at `address`, which goes on where `progress` is. Throws `.refused` where the
  /// library makes none.
  init(
    _ library: KafkaLibrary, _ address: EventAddress, _ settings: EventSettings, topic: String, run: String,
    progress: Progress
  ) throws(EventsError) {
    guard case .kafka(let brokers) = address.way else { preconditionFailure("\(address) is no cluster of Kafka") }
    (self.library, self.settings, self.topic, self.progress) = (library, settings, topic, progress)
    let configuration = try library.configuration(
      settings,
      own: [
        // A group's name is needed, and nothing is committed in it.
        ("bootstrap.servers", brokers), ("group.id", "slipring-\(run)"), ("enable.auto.commit", "false"),
        ("auto.offset.reset", "latest"), ("allow.auto.create.topics", "false"),
      ])
    consumer = try library.make(RD_KAFKA_CONSUMER, configuration, settings: settings, sink: address)
    _ = library.functions.poll_set_consumer(consumer)
  }

  deinit { library.functions.destroy_flags(consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) }

  /// Whether commands from now on are met.
  var isListening: Bool { isAssigned }

  /// The next record; nil where none came within the limit.
  func next(waiting limit: Duration) -> [UInt8]? {
    if !isAssigned { assignIfDue() }
    guard let message = library.functions.consumer_poll(consumer, Int32(limit / .milliseconds(1))) else { return nil }
    defer { library.functions.message_destroy(message) }
    guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
      problem = settings.withoutSecrets(library.words(message.pointee.err))
      return nil
    }
    problem = nil
    progress.next[message.pointee.partition] = message.pointee.offset + 1
    // One that is too long is none, and its beginning says so as well.
    let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
    return Array(bytes.prefix(Self.byteCountMax + 1))
  }

  /// What a record asks of `run`.
  static func read(_ text: [UInt8], run: String) -> Found {
    guard text.count <= byteCountMax else { return .wrong("it has more than \(byteCountMax) B") }
    guard let values = try? JSONDecoder().decode([String: String].self, from: Data(text)),
      let name = values["run"], let word = values["command"], let by = values["by"], values.count == 3
    else { return .wrong("it is not an object with run, command and by") }
    guard name == run else { return .foreign }
    guard let kind = RunCommand.Kind(rawValue: word) else { return .wrong("\(plainText(word)) is no command") }
    return .command(RunCommand(kind: kind, by: by))
  }

  /// Takes the partitions, at the offsets that are known or at their ends.
  private func assignIfDue() {
    guard due <= .now else { return }
    due = .now + Self.retryDelay
    guard let partitions = findPartitions() else { return }
    let deadline = Deadline(after: Self.retryDelay)
    for partition in partitions where progress.next[partition] == nil {
      // Who watches this process hears of it between two of these turns.
      guard !deadline.hasPassed else { return due = .now }
      var (low, high) = (Int64(0), Int64(0))
      let error = library.functions.query_watermark_offsets(
        consumer, topic, partition, &low, &high, Self.metadataTimeout)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return fail(error) }
      progress.next[partition] = high
    }
    let list = library.functions.topic_partition_list_new(Int32(partitions.count))
    defer { library.functions.topic_partition_list_destroy(list) }
    for partition in partitions {
      library.functions.topic_partition_list_add(list, topic, partition)?.pointee.offset =
        progress.next[partition] ?? 0
    }
    let error = library.functions.assign(consumer, list)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return fail(error) }
    (isAssigned, problem) = (true, nil)
  }

  private func findPartitions() -> [Int32]? {
    guard let handle = library.functions.topic_new(consumer, topic, nil) else {
      problem = "\(topic) is no name of a topic"
      return nil
    }
    defer { library.functions.topic_destroy(handle) }
    var found: UnsafePointer<rd_kafka_metadata>?
    let error = library.functions.metadata(consumer, 0, handle, &found, Self.metadataTimeout)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let found else {
      fail(error)
      return nil
    }
    defer { library.functions.metadata_destroy(found) }
    guard found.pointee.topic_cnt == 1, let topic = found.pointee.topics?.pointee,
      topic.err == RD_KAFKA_RESP_ERR_NO_ERROR, (1...Self.partitionsMax).contains(Int(topic.partition_cnt)),
      let partitions = topic.partitions
    else {
      let error = found.pointee.topics?.pointee.err ?? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
      fail(error == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : error)
      return nil
    }
    return (0..<Int(topic.partition_cnt)).map { partitions[$0].id }
  }

  private func fail(_ error: rd_kafka_resp_err_t) { problem = settings.withoutSecrets(library.words(error)) }
}
