import CKafka
import Foundation
import Glibc
import Host
import TestSupport
import Testing

@testable import Events

/// A producer against librdkafka's own cluster for tests.
@Suite(.serialized, .enabled(if: MockCluster.library != nil, "librdkafka1 is not installed"))
struct KafkaTests {
  private let folder: TestFolder
  private struct Body: Codable, Sendable { var event: String? }

  init() throws { folder = try TestFolder() }

  private func fill(_ count: Int) throws {
    let outbox = try EventOutbox(folder: folder.path, run: "r1")
    for _ in 0..<count { outbox.append(.status, Body()) }
    outbox.append(.runs, Body(event: "ended"))
  }

  private func begin(_ cluster: MockCluster, patience: Duration = .seconds(20), _ settings: EventSettings = .none)
    throws -> SinkDelivery
  {
    let (library, address) = (cluster.library, try cluster.address("lab"))
    return SinkDelivery(folder: folder.path, number: 0, address: address, patience: patience, isOpen: true) {
      () throws(EventsError) in try KafkaSink(library, address, settings)
    }
  }

  private func finish(_ delivery: SinkDelivery) -> SinkReport {
    delivery.end(.now)
    let deadline = Deadline(after: .seconds(40))
    while !delivery.isOver, !deadline.hasPassed { usleep(5000) }
    #expect(delivery.isOver && delivery.stop(within: .seconds(5)))
    return delivery.report
  }

  @Test func `Records are in the topics of their kinds, once and in order`() throws {
    let cluster = try MockCluster(topics: ["lab.status", "lab.runs"])
    try fill(50)
    let report = try finish(begin(cluster))
    #expect(report.sent == 51 && report.refused == 0 && report.problem == nil, "\(report)")
    #expect(try cluster.records("lab.status", count: 50).map(\.sequence) == Array(0..<50))
    #expect(try cluster.records("lab.runs", count: 1).map(\.isLast) == [true])
  }

  @Test func `Errors that pass are passed, and nothing is there twice`() throws {
    let cluster = try MockCluster(topics: ["lab.status", "lab.runs"])
    try fill(30)
    try cluster.fail([
      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT,
    ])
    let report = try finish(begin(cluster))
    #expect(report.sent == 31 && report.refused == 0, "\(report)")
    #expect(try cluster.records("lab.status", count: 30).map(\.sequence) == Array(0..<30))
  }

  @Test func `What the cluster will never take is refused and counted`() throws {
    let cluster = try MockCluster(topics: ["lab.status", "lab.runs"])
    try fill(1)
    try cluster.fail([RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED])
    let report = try finish(begin(cluster))
    #expect(report.sent == 1 && report.refused == 1 && report.problem?.contains("uthorization") == true, "\(report)")
  }

  @Test func `A broker that is away is waited for, and told`() throws {
    let cluster = try MockCluster(topics: ["lab.status", "lab.runs"])
    try cluster.setDown(true)
    try fill(10)
    let delivery = try begin(cluster)
    let deadline = Deadline(after: .seconds(10))
    while delivery.report.problem == nil, !deadline.hasPassed { usleep(5000) }
    #expect(delivery.report.problem?.isEmpty == false && delivery.report.sent == 0)
    try cluster.setDown(false)
    let report = finish(delivery)
    #expect(report.sent == 11 && report.problem == nil, "\(report)")
    #expect(try cluster.records("lab.status", count: 10).map(\.sequence) == Array(0..<10))
  }

  @Test func `Nobody at the address keeps nothing longer than the patience`() throws {
    try fill(3)
    let (library, address) = (try #require(MockCluster.library), try EventAddress("kafka://127.0.0.1:1/lab"))
    let start = ContinuousClock.now
    let delivery = SinkDelivery(
      folder: folder.path, number: 0, address: address, patience: .seconds(1), isOpen: true
    ) { () throws(EventsError) in try KafkaSink(library, address, .none) }
    let report = finish(delivery)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    #expect(report.sent == 0 && report.problem != nil && seconds < 8, "\(report) \(seconds) s")
  }

  @Test(arguments: [
    ("linger.msec=5", "linger.msec"), ("security.protocol=TLS", "security.protocol"), ("sasl.password=", ""),
  ]) func `A wrong setting is told in the library's words, with its line`(line: String, word: String) throws {
    let path = folder.file("settings")
    try "# lab\n\(line)\n".write(toFile: path, atomically: true, encoding: .utf8)
    try #require(chmod(path, 0o600) == 0)
    let settings = try EventSettings(path: path)
    let library = try #require(MockCluster.library)
    if word.isEmpty { return try library.check(settings) }
    let error = #expect(throws: EventsError.self) { try library.check(settings) }
    #expect(error?.description.hasPrefix("\(path):2: librdkafka refuses it: ") == true)
    #expect(error?.description.contains(word) == true && error?.exitCode == 78, "\(String(describing: error))")
  }

  @Test func `Without the library there is one line with the remedy`() {
    for path in ["/nonexistent/librdkafka.so.1", "libc.so.6"] {
      let error = #expect(throws: EventsError.self) { try KafkaLibrary(path: path) }
      #expect(error?.exitCode == 69 && error?.description.contains("apt-get install librdkafka1") == true)
    }
  }

  @Test func `Commands are met from the moment on when the reader listens, and a successor goes on behind them`() throws
  {
    let cluster = try MockCluster(topics: ["lab.status", "lab.runs"])
    try fill(5)
    _ = try finish(begin(cluster))
    // What lies in the topic already is not for this run.
    var reader: CommandReader? = try CommandReader(
      cluster.library, cluster.address("lab"), .none, topic: "lab.status", run: "r1", progress: .init(start: 0))
    let deadline = Deadline(after: .seconds(20))
    while reader?.isListening == false, !deadline.hasPassed {
      #expect(reader?.next(waiting: .milliseconds(100)) == nil)
    }
    #expect(reader?.progress.next == [0: 5])
    #expect(reader?.next(waiting: .milliseconds(300)) == nil)
    let progress = try #require(reader?.progress)
    reader = nil
    unlink(folder.file("sink-0.json"))
    _ = try finish(begin(cluster))
    let next = try CommandReader(
      cluster.library, cluster.address("lab"), .none, topic: "lab.status", run: "r1", progress: progress)
    var found = 0
    for _ in 0..<100 where found < 5 { if next.next(waiting: .milliseconds(100)) != nil { found += 1 } }
    #expect(found == 5 && next.progress.next == [0: 10])
  }

  @Test func `A topic of commands that is not there is told`() throws {
    let cluster = try MockCluster(topics: ["lab.runs"])
    try cluster.fail(topic: "lab.commands", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    let reader = try CommandReader(
      cluster.library, cluster.address("lab"), .none, topic: "lab.commands", run: "r1", progress: .init(start: 0))
    let deadline = Deadline(after: .seconds(10))
    while reader.problem == nil, !deadline.hasPassed { _ = reader.next(waiting: .milliseconds(50)) }
    #expect(reader.problem != nil && !reader.isListening)
  }
}
