import CKafka
import Glibc
import Testing

@testable import Events

/// librdkafka's own cluster for tests: brokers that can be told to fail.
final class MockCluster {
  static let library = try? KafkaLibrary.load()

  let library: KafkaLibrary
  private let handle: OpaquePointer
  private let cluster: OpaquePointer
  private let symbols: UnsafeMutableRawPointer

  /// A cluster with one topic of one partition.
  init(brokers: Int32 = 1, topics: [String]) throws {
    library = try #require(Self.library)
    symbols = try #require(dlopen("librdkafka.so.1", RTLD_NOW | RTLD_LOCAL))
    let address = try EventAddress("kafka://127.0.0.1:1/none")
    handle = try library.make(
      RD_KAFKA_PRODUCER, library.configuration(.none, own: []), settings: .none, sink: address)
    let make: @convention(c) (OpaquePointer, Int32) -> OpaquePointer? = try Self.function(
      "rd_kafka_mock_cluster_new", symbols)
    cluster = try #require(make(handle, brokers))
    let create: @convention(c) (OpaquePointer, UnsafePointer<CChar>, Int32, Int32) -> Int32 = try Self.function(
      "rd_kafka_mock_topic_create", symbols)
    for topic in topics { try #require(create(cluster, topic, 1, 1) == 0) }
  }

  deinit {
    if let destroy: @convention(c) (OpaquePointer) -> Void = try? Self.function(
      "rd_kafka_mock_cluster_destroy", symbols)
    {
      destroy(cluster)
    }
    library.functions.destroy_flags(handle, 0)
  }

  /// Its address for topics that begin so.
  func address(_ prefix: String) throws -> EventAddress {
    let brokers: @convention(c) (OpaquePointer) -> UnsafePointer<CChar>? = try Self.function(
      "rd_kafka_mock_cluster_bootstraps", symbols)
    return try EventAddress("kafka://\(KafkaLibrary.text(brokers(cluster)))/\(prefix)")
  }

  /// The next requests to take records fail so.
  func fail(_ errors: [rd_kafka_resp_err_t]) throws {
    let push: @convention(c) (OpaquePointer, Int16, Int, UnsafePointer<rd_kafka_resp_err_t>) -> Void =
      try Self.function(
        "rd_kafka_mock_push_request_errors_array", symbols)
    // 0 is Produce in Kafka's protocol.
    push(cluster, 0, errors.count, errors)
  }

  /// A topic answers with an error.
  func fail(topic: String, _ error: rd_kafka_resp_err_t) throws {
    let set: @convention(c) (OpaquePointer, UnsafePointer<CChar>, rd_kafka_resp_err_t) -> Void = try Self.function(
      "rd_kafka_mock_topic_set_error", symbols)
    set(cluster, topic, error)
  }

  /// Takes a broker away, or brings it back.
  func setDown(_ isDown: Bool, broker: Int32 = 1) throws {
    let set: @convention(c) (OpaquePointer, Int32) -> Int32 = try Self.function(
      isDown ? "rd_kafka_mock_broker_set_down" : "rd_kafka_mock_broker_set_up", symbols)
    try #require(set(cluster, broker) == 0)
  }

  /// The records of a topic with one partition, in their order.
  func records(_ topic: String, count: Int) throws -> [EventRecord] {
    let reader = try CommandReader(
      library, address("none"), .none, topic: topic, run: "reader",
      progress: .init(start: 0, next: [0: 0]))
    var found: [EventRecord] = []
    for _ in 0..<100 where found.count < count {
      if let text = reader.next(waiting: .milliseconds(100)) {
        found.append(try #require(EventRecord(line: text[...])))
      }
    }
    // One that is there twice would come now.
    if let text = reader.next(waiting: .milliseconds(300)) { found.append(try #require(EventRecord(line: text[...]))) }
    return found
  }

  private static func function<Function>(_ name: String, _ library: UnsafeMutableRawPointer) throws -> Function {
    unsafeBitCast(try #require(dlsym(library, name), "\(name)"), to: Function.self)
  }
}
