import Alarms
import Host
import Rings
import RunModel
import Testing

@Suite struct AlarmEventTests {
  private func bytes(_ encode: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: EventHeader.metadataCapacity)
    let used = bytes.withUnsafeMutableBytes(encode)
    return Array(bytes[..<used])
  }

  private func alarm() throws -> AlarmEvent {
    AlarmEvent(
      trigger: try Trigger(parsing: "beam-lost,watch=intensity,model=cusum:<20,severity=critical"), isRaised: true,
      at: 1 << 60, value: 12.5, forecast: -21, evidence: 7)
  }

  @Test func `An alarm comes back as it was written, and nothing else is one`() throws {
    let written = bytes(try alarm().encode)
    #expect(try written.withUnsafeBytes { try AlarmEvent(decoding: $0) } == alarm())
    var other = try alarm()
    (other.isRaised, other.forecast, other.evidence) = (false, nil, nil)
    #expect(try bytes(other.encode).withUnsafeBytes { try AlarmEvent(decoding: $0) } == other)
    #expect(other.words.hasPrefix("beam-lost is over: "))
    other.isEndOfRun = true
    #expect(try bytes(other.encode).withUnsafeBytes { try AlarmEvent(decoding: $0) } == other)
    #expect(other.words == "beam-lost lasted to the end of the run: intensity is 12.5")
    for count in 0..<written.count {
      #expect(throws: EventError.self) { try written[..<count].withUnsafeBytes { try AlarmEvent(decoding: $0) } }
    }
    for (offset, byte) in [(0, UInt8(3)), (2, 1), (4, 1), (23, 0x7F), (48, 0), (60, 0xFF)] {
      var damaged = written
      damaged[offset] = byte
      if offset == 23 { damaged[22] = 0xF0 }
      #expect(throws: EventError.self, "\(byte) at \(offset)") {
        try damaged.withUnsafeBytes { try AlarmEvent(decoding: $0) }
      }
    }
  }

  @Test func `Gauges come back as they were written, and fit into an event`() throws {
    let samples = (0..<GaugesEvent.samplesMax).map { number in
      var sample = GaugeSample(at: UInt64(number), evidence: number % 2 == 0 ? nil : 3)
      sample[.rate] = Double(number)
      sample[.lag] = number % 3 == 0 ? nil : 5
      return sample
    }
    let written = bytes(GaugesEvent(samples).encode)
    let back = try written.withUnsafeBytes { try GaugesEvent(decoding: $0) }
    #expect(back.samples.map(\.at) == samples.map(\.at) && back.samples.map(\.evidence) == samples.map(\.evidence))
    #expect(back.samples.map { $0[.rate] } == samples.map { $0[.rate] })
    #expect(back.samples.map { $0[.lag] } == samples.map { $0[.lag] })
    for count in [0, 15, 16, 100, written.count - 1] {
      #expect(throws: EventError.self) { try written[..<count].withUnsafeBytes { try GaugesEvent(decoding: $0) } }
    }
  }

  @Test func `Noise is refused or read, and never crashes`() {
    var random = SplitMix64(seed: 19)
    for _ in 0..<5000 {
      let noise = (0..<Int(random.next() % 700)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      noise.withUnsafeBytes { bytes in
        _ = try? AlarmEvent(decoding: bytes)
        _ = try? GaugesEvent(decoding: bytes)
      }
    }
  }

  @Test func `The region keeps what is known, and a pause ends by itself`() throws {
    let runID = RunID.random(), names = RegionNames(runID: runID)
    let region = try GaugesRegion.create(names, runID)
    defer { _ = try? SharedRegion.unlink(name: names.gauges) }
    let other = try GaugesRegion.attach(names, runID)
    #expect(other.looks == 0 && other.value(.lag) == nil && !other.isPaused)
    var sample = GaugeSample(at: 1)
    sample[.lag] = 4
    region.note(sample)
    region.note(GaugeSample(at: 2))
    #expect(other.looks == 2 && other.value(.lag) == 4 && other.value(.rate) == nil)
    region.askForPause(true)
    #expect(other.isPaused)
    region.askForPause(false)
    #expect(!other.isPaused)
    region.askForWidening()
    #expect(other.widenings == 1 && !other.staysWide)
    region.askToStayWide(true)
    #expect(other.staysWide && !other.isPaused)
    region.askToStayWide(false)
    #expect(!other.staysWide && other.hooksDue == 0)
    region.hooksDue = 7
    #expect(other.hooksDue == 7 && !other.staysWide && other.widenings == 1)
    #expect(throws: HostError.self) { try GaugesRegion.attach(names, .random()) }
  }
}
