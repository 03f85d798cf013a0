internal import Foundation
package import Rings

/// Reads every message that servers keep of a run's images, and compares it with what is known of it.
package final class StreamCheck {
  /// What is wrong with a message.
  package struct Finding: Codable, Equatable, Sendable {
    /// A kind of fault.
    package enum Kind: String, Codable, Sendable {
      /// The stream has taken it, and has it no more.
      case missing
      /// It is no message of its granule, or its checksum is wrong.
      case damaged
      /// It is another run's, granule's or event's, or the edge has no such event.
      case foreign
      /// The edge's journal holds something else.
      case different
    }

    /// The granule.
    package let granule: Int
    /// The event.
    package let sequence: UInt64
    /// What is wrong.
    package let kind: Kind
  }

  /// An event as the edge has it; its bytes are valid until the next one is asked for.
  package typealias Known = (header: EventHeader, payload: UnsafeRawBufferPointer)

  /// What was found.
  package private(set) var findings: [Finding] = []
  /// How many there are, also of those that are not listed.
  package private(set) var count = 0
  /// Messages that were read.
  package private(set) var messages = 0
  /// Granules whose stream is not there.
  package private(set) var absent: [Int] = []
  private let streams: BandStreams
  private let api: JetStream
  private let topic: FabricTopic
  private let granules: Granules

  private static let findingsMax = 64
  /// Messages that are asked for at once, and how long that may take.
  private static let (requestsMax, limit) = (32, Duration.seconds(30))

  /// The streams of a topic.
  package init(_ connection: FabricConnection, topic: FabricTopic, granules: Granules) throws(FabricError) {
    (self.topic, self.granules) = (topic, granules)
    streams = try BandStreams(connection, topic: topic, granules: granules)
    api = try JetStream(connection, limit: Self.limit)
  }

  /// Reads all. `edge` gives an event, nil for one that it does not have; without it messages are compared with their
  /// own checksums alone. `stopRequested` is asked now and then, and throws where it is to end.
  package func run(
    edge: ((UInt64) throws -> Known?)?, stopRequested: () throws -> Void
  ) throws {
    let states = try streams.states()
    absent = states.indices.filter { states[$0] == nil }
    let last = states.compactMap { $0?.last }.max() ?? 0
    var sequence: UInt64 = 0
    while true {
      try stopRequested()
      let event = try edge.map { try $0(sequence) }
      // What the streams lost at their end only the edge knows.
      guard sequence < last || event.flatMap({ $0 }) != nil else { return }
      defer { sequence += 1 }
      let there = states.indices.filter { (states[$0]?.last ?? 0) > sequence }
      for granule in states.indices where (states[granule]?.last ?? .max) <= sequence {
        note(granule, sequence, .missing)
      }
      for first in stride(from: 0, to: there.count, by: Self.requestsMax) {
        let some = Array(there[first..<min(first + Self.requestsMax, there.count)])
        for (granule, bytes) in zip(some, try ask(some, sequence)) {
          if let kind = check(bytes, granule, sequence, event) { note(granule, sequence, kind) }
        }
      }
    }
  }

  private func note(_ granule: Int, _ sequence: UInt64, _ kind: Finding.Kind) {
    count += 1
    if findings.count < Self.findingsMax { findings.append(Finding(granule: granule, sequence: sequence, kind: kind)) }
  }

  private struct Found: Decodable {
    struct Message: Decodable {
      let seq: UInt64
      let data: String?
    }
    let error: JetStream.Fault?
    let message: Message?
  }

  /// The message of an event, of some granules; nil for one that is missing.
  private func ask(_ some: [Int], _ sequence: UInt64) throws(FabricError) -> [[UInt8]?] {
    struct Wanted: Encodable { let seq: UInt64 }
    let requests = some.map { granule in
      JetStream.Request(
        subject: "$JS.API.STREAM.MSG.GET.\(topic.stream(granule))",
        body: JetStream.encode(Wanted(seq: sequence + 1)), what: "event \(sequence) of \(topic.stream(granule))")
    }
    var messages: [[UInt8]?] = []
    for (bytes, request) in zip(try api.ask(requests), requests) {
      let found = try JetStream.decode(Found.self, bytes, what: request.what)
      if let error = found.error {
        guard error.number == JetStream.Fault.noMessage else { throw error.error(request.what) }
        messages.append(nil)
      } else if let message = found.message, message.seq == sequence + 1,
        let data = Data(base64Encoded: message.data ?? "")
      {
        messages.append([UInt8](data))
      } else {
        throw .damaged(what: request.what, reason: "the answer holds no message")
      }
    }
    return messages
  }

  /// What is wrong with a message; nil where nothing is. `event` is nil where there is no edge to compare with, and
  /// holds nil where that has no such event.
  private func check(_ bytes: [UInt8]?, _ granule: Int, _ sequence: UInt64, _ event: Known??) -> Finding.Kind? {
    guard let bytes else { return .missing }
    messages += 1
    return bytes.withUnsafeBytes { bytes in
      var message: BandMessage
      do throws(BandMessage.Fault) {
        message = try BandMessage(bytes, of: topic, granule: granule, in: granules, owner: nil)
        try message.unpack()
      } catch { return error == .identity ? .foreign : .damaged }
      guard message.header.sequence == sequence else { return .foreign }
      guard let event else { return nil }
      guard let event else { return .foreign }
      return isSame(message, event, granules[granule]) ? nil : .different
    }
  }

  private func isSame(_ message: BandMessage, _ event: Known, _ rows: Range<Int>) -> Bool {
    guard message.header.kind == event.header.kind, message.header.payloadCRC32C == event.header.payloadCRC32C,
      message.header.payloadByteCount == event.header.payloadByteCount
    else { return false }
    guard !message.payload.isEmpty else { return true }
    let rowByteCount = event.payload.count / granules.rows
    guard rowByteCount * rows.count == message.payload.count else { return false }
    return message.payload.elementsEqual(event.payload[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount])
  }
}
