internal import CKafka
import Glibc

/// A cluster of Kafka. Every in-sync replica has a record before it counts as sent, and the producer is idempotent:
/// what it sends again by itself is there once, in order. A successor of this process may send records once more.
final class KafkaSink: EventSink {
  let window = 1000
  private(set) var problem: String?
  private let library: KafkaLibrary
  private let address: EventAddress
  private let settings: EventSettings
  private var producer: OpaquePointer?
  private var queue: OpaquePointer?
  /// When a producer is made next, where the last one met an error that it does not survive.
  private var restartDue = ContinuousClock.now
  /// Answers that nobody has to wait for.
  private var immediate: [SinkAnswer] = []
  /// Records without an answer.
  private var onTheWay = Set<Int>()

  private static let restartDelay: Duration = .seconds(5)
  /// Answers that say that a record will not be taken later either.
  private static let refusals: Set<Int32> = Set(
    [
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
      RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
      RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    ].map(\.rawValue))

  /// A producer for the cluster at an address of Kafka. Throws `.refused` where the library makes none.
  init(_ library: KafkaLibrary, _ address: EventAddress, _ settings: EventSettings) throws(EventsError) {
    (self.library, self.address, self.settings) = (library, address, settings)
    try begin()
  }

  deinit { end() }

  private func begin() throws(EventsError) {
    guard case .kafka(let brokers) = address.way else { preconditionFailure("\(address) is no cluster of Kafka") }
    let configuration = try library.configuration(
      settings,
      own: [
        ("bootstrap.servers", brokers), ("acks", "all"), ("enable.idempotence", "true"),
        // How long a record is kept is decided by who sends it, not here.
        ("message.timeout.ms", "0"), ("queue.buffering.max.messages", "\(2 * window)"),
        ("queue.buffering.max.kbytes", "\(2 * window * EventRecord.byteCountMax >> 10)"),
      ])
    library.functions.conf_set_events(configuration, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR)
    let producer = try library.make(RD_KAFKA_PRODUCER, configuration, settings: settings, sink: address)
    self.producer = producer
    queue = library.functions.queue_get_main(producer)
  }

  /// Gives the producer up. What it had not sent is not sent by it.
  private func end() {
    guard let producer else { return }
    _ = library.functions.purge(
      producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
    if let queue { library.functions.queue_destroy(queue) }
    library.functions.destroy_flags(producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    (self.producer, queue) = (nil, nil)
  }

  func send(_ record: EventRecord, number: Int) -> Bool {
    guard let producer else { return false }
    let error = record.text.withUnsafeBytes { bytes in
      withUnsafePointer(to: library.functions) {
        ckafka_produce(
          $0, producer, address.name(of: record.topic), record.run, record.topic.rawValue, "\(record.sequence)",
          bytes.baseAddress, bytes.count, UInt(number))
      }
    }
    guard let error else {
      onTheWay.insert(number)
      return true
    }
    defer { library.functions.error_destroy(error) }
    let code = library.functions.error_code(error)
    if code == RD_KAFKA_RESP_ERR__QUEUE_FULL { return false }
    if code == RD_KAFKA_RESP_ERR__FATAL {
      giveUp(KafkaLibrary.text(library.functions.error_string(error)))
      return false
    }
    immediate.append(SinkAnswer(number: number, verdict: verdict(code)))
    return true
  }

  func answers(waiting limit: Duration) -> [SinkAnswer] {
    reviveIfDue()
    var answers = takeImmediate()
    guard let queue else {
      usleep(UInt32(limit / .microseconds(1)))
      return answers
    }
    var milliseconds = answers.isEmpty ? Int32(limit / .milliseconds(1)) : 0
    while let event = library.functions.queue_poll(queue, milliseconds) {
      defer { library.functions.event_destroy(event) }
      milliseconds = 0
      switch library.functions.event_type(event) {
      case RD_KAFKA_EVENT_DR:
        while let message = library.functions.event_message_next(event) {
          answers.append(answer(message.pointee.err, number: Int(ckafka_number(message))))
        }
      case RD_KAFKA_EVENT_ERROR:
        let words = KafkaLibrary.text(library.functions.event_error_string(event))
        guard library.functions.event_error_is_fatal(event) == 0 else {
          giveUp(words)
          return answers + takeImmediate()
        }
        problem = settings.withoutSecrets(words)
      default: break
      }
    }
    return answers
  }

  private func answer(_ error: rd_kafka_resp_err_t, number: Int) -> SinkAnswer {
    onTheWay.remove(number)
    return SinkAnswer(number: number, verdict: verdict(error))
  }

  private func verdict(_ error: rd_kafka_resp_err_t) -> SinkAnswer.Verdict {
    if error == RD_KAFKA_RESP_ERR_NO_ERROR {
      problem = nil
      return .taken
    }
    let words = settings.withoutSecrets(library.words(error))
    if Self.refusals.contains(error.rawValue) { return .refused(words) }
    problem = words
    return .later
  }

  /// What a producer that fails takes with it is to be sent again.
  private func giveUp(_ words: String) {
    problem = settings.withoutSecrets(words)
    end()
    immediate += onTheWay.sorted().map { SinkAnswer(number: $0, verdict: .later) }
    onTheWay = []
    restartDue = .now + Self.restartDelay
  }

  private func takeImmediate() -> [SinkAnswer] {
    defer { immediate = [] }
    return immediate
  }

  private func reviveIfDue() {
    guard producer == nil, restartDue <= .now else { return }
    do { try begin() } catch { giveUp(error.description) }
  }
}
