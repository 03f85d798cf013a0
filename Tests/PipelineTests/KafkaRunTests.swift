import Events
import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs that tell a broker of themselves, which speaks Kafka's protocol and is not ours: Tansu. It keeps everything
  /// in memory and is one node. What is there is read by confluent-kafka.
  @Suite(
    .enabled(if: Senders.kafka != nil && Senders.hasLibrdkafka, "a broker from PyPI, or librdkafka1, cannot be had"))
  struct KafkaRunTests {
    private let folder: TestFolder
    private let scan: String
    private static let projections = 400

    private struct Record: Decodable {
      struct Value: Decodable {
        let run: String
        let topic: String
        let sequence: Int
      }

      let topic: String
      let key: String
      let headers: [String: String]
      let value: Value
    }

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 96, projections: Self.projections)
    }

    private func broker(_ topics: [String]) throws -> (Command, String) {
      let (command, port) = try Senders.start("broker.py", in: folder, topics, python: Senders.kafka)
      return (command, "127.0.0.1:\(port)")
    }

    private func reader(_ address: String, _ options: String...) throws -> Command {
      let script = Senders.root.appending(path: "Tests/Readers/read_events.py").path
      return try Command(
        [script, address, "lab", folder.file("read.jsonl")] + options, executable: #require(Senders.kafka))
    }

    private func recon(_ options: [String], faults: String? = nil, variables: [String: String] = [:]) throws -> Command
    {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder",
          folder.file("run"), "--rotation-axis", "48", "--format", "hdf5", "--workers", "1", "--order", "bit-reversal",
          "--rate", "40", "--lag-max", "0", "--window-length", "6", "--final-iterations", "2", "--stop-ssim", "1",
          "--stop-after", "\(Self.projections)", "--json",
        ] + options, faults: faults, variables: variables)
    }

    /// The library of confluent-kafka, which is newer than Debian's: that one does not understand Tansu's first answer.
    private var newerLibrary: String {
      get throws {
        let find =
          "import confluent_kafka, glob, os; print(glob.glob(os.path.dirname(confluent_kafka.__file__) + "
          + "'.libs/librdkafka-*')[0], end='')"
        return try Command(["-c", find], executable: #require(Senders.kafka)).end().output
      }
    }

    private func records() throws -> [Record] {
      try String(contentsOfFile: folder.file("read.jsonl"), encoding: .utf8).split(separator: "\n")
        .map { try JSONDecoder().decode(Record.self, from: Data($0.utf8)) }
    }

    @Test func `A broker gets every event, whoever is killed, and a command from it ends the scan`() throws {
      let topics = EventTopic.allCases.map { "lab.\($0.rawValue)" } + ["lab.commands"]
      let (broker, address) = try broker(topics)
      let reader = try reader(address, "--finalize", "lab.commands")
      let outcome = try recon(
        ["--events", "kafka://\(address)/lab", "--accept-commands", "lab.commands"],
        faults: "events=time:1500,unreleased:12", variables: ["SLIPRING_LIBRDKAFKA": newerLibrary]
      ).end()
      #expect(try reader.end().status == .exited(0))
      try broker.process.signal(SIGTERM)
      _ = try broker.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), events = try #require(result.events), records = try records()
      #expect(result.stoppedBy == "finalized by anna" && result.projections < Self.projections)
      #expect(events.sinks.map(\.pending) == [0] && events.sinks.map(\.refused) == [0], "\(events)")
      // Those of other runs do not count.
      #expect(
        events.commands ?? 0 >= 1 && events.commandsRefused ?? 0 >= 2 && events.commandsProblem == nil, "\(events)")
      for record in records {
        #expect(
          record.key == result.run && record.value.run == result.run && record.topic == "lab.\(record.value.topic)")
        #expect(
          record.headers == [
            "run": result.run, "topic": record.value.topic, "sequence": "\(record.value.sequence)",
          ])
      }
      for topic in Set(records.map(\.value.topic)) {
        let sequences = Set(records.filter { $0.value.topic == topic }.map(\.value.sequence))
        #expect(sequences == Set(0..<sequences.count), "\(topic)")
      }
      #expect(Set(records.map(\.value.topic)).isSuperset(of: ["runs", "scores", "status"]))
    }

    @Test func `A broker that is away has no part in the run, and is told once`() throws {
      let port = try freePort()
      let outcome = try recon(["--events", "kafka://127.0.0.1:\(port)/lab", "--events-patience", "1", "--rate", "100"])
        .end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let sink = try #require(try outcome.result().events?.sinks.first)
      #expect(sink.sent == 0 && sink.pending > 3 && sink.problem != nil, "\(sink)")
      #expect(outcome.errors.components(separatedBy: "events to kafka://").count == 3, "\(outcome.errors)")
    }
  }
}
