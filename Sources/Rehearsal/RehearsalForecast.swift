import Host
import RunModel
import ScanPlan

/// What can be said of a rehearsal from its plan alone: what piles up where, and what finds no place there.
struct RehearsalForecast {
  /// Frames a second, and how many there are.
  let (rate, frames): (Double, Int)
  /// Bytes of a frame.
  let frameByteCount: Int
  /// Frames that the detector can hold back.
  let memory: Int
  /// Frames that the run can hold while its disk is full, at least.
  let buffer: Int
  /// Seconds without a frame after which the run takes the scan for over; nil for never.
  let silenceMax: Double?
  let faults: [RehearsalFault]

  /// What a run holds at least beside `disk-buffer`, in bytes: messages that wait to be taken.
  private static let (queueByteCount, queueLengths) = (64 << 20, 8...1000)
  /// What `disk-buffer` is at least where nobody says it.
  private static let diskBufferByteCount = 64 << 20

  init(_ scan: ScanDescription, rate: Double, frames: Int, frameByteCount: Int, memory: Int, faults: [RehearsalFault]) {
    (self.rate, self.frames, self.frameByteCount, self.memory) = (rate, frames, frameByteCount, memory)
    let buffer = scan.diskBuffer.map { Int($0 * 0x1p30) } ?? Self.diskBufferByteCount
    let queue = min(
      max(Self.queueByteCount / frameByteCount, Self.queueLengths.lowerBound), Self.queueLengths.upperBound)
    self.buffer = buffer / frameByteCount + queue
    silenceMax = scan.sourceTimeout
    self.faults = faults
  }

  /// One line for each thing that is known beforehand.
  var lines: [String] {
    var lines = [
      "detector: \(number(rate)) frames a second of \(bytes(frameByteCount)), "
        + "\(number(rate * Double(frameByteCount) * 8 / 1e6)) Mbit/s; its memory holds \(counted(memory, "frame")), "
        + "\(PlanWords.text(Double(memory) / rate))"
    ]
    let end = Double(frames) / rate
    for fault in faults {
      lines += words(fault).map { "\(fault.text): \($0)" }
      if fault.time > end {
        lines.append("\(fault.text): comes after the last frame, which is due at \(PlanWords.text(end))")
      }
    }
    let lost = self.lost
    lines.append(
      lost == 0 ? "lost: none for want of room" : "lost: about \(lost) of \(frames) frames, for want of room")
    return lines
  }

  private func words(_ fault: RehearsalFault) -> [String] {
    switch fault.action {
    case .linkDown(let seconds), .linkClosed(let seconds):
      var words = [pile(seconds, places: memory, "the detector's memory has \(memory)")]
      if case .linkClosed = fault.action { words.append("frames on their way are lost with the connection") }
      if let silenceMax, seconds >= silenceMax {
        words.append("longer than source-timeout, \(PlanWords.text(silenceMax)): the scan ends in it")
      }
      return words
    case .linkRate(let bytesPerSecond):
      let carried = bytesPerSecond / Double(frameByteCount)
      guard carried < rate else { return ["carries \(number(carried)) frames a second, which is enough"] }
      return [
        "carries \(number(carried)) of \(number(rate)) frames a second; the detector's memory is full "
          + "\(PlanWords.text(Double(memory) / (rate - carried))) later"
      ]
    case .diskFull(let seconds):
      return [
        pile(
          seconds, places: buffer + memory,
          "the run has room for \(buffer) at least, and the detector's memory for \(memory)")
      ]
    case .kill(nil): return ["where it is acquire, \(Self.underWay)"]
    case .kill(.acquire?), .machine: return [Self.underWay]
    case .linkFree, .detectorPause, .kill: return []
    }
  }

  private static let underWay = "frames between the detector and the disk are lost with the process that has them"

  private func pile(_ seconds: Double, places: Int, _ room: String) -> String {
    let count = Int((seconds * rate).rounded(.up))
    let lost = max(0, count - places), (byteCount, isTooLarge) = count.multipliedReportingOverflow(by: frameByteCount)
    return "\(counted(count, "frame")) pile up, \(bytes(isTooLarge ? .max : byteCount)); \(room): "
      + (lost == 0 ? "none is lost" : "about \(lost) are lost")
  }

  private func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  /// Frames that find no place, by a model in which time goes from frame to frame.
  var lost: Int {
    var (atDetector, atRun, credit, time, lost) = (0.0, 0.0, 0.0, 0.0, 0)
    for _ in 1..<max(frames, 2) {
      let before = time
      time += 1 / rate
      for case .detectorPause(let seconds) in begun(after: before, until: time) { time += seconds }
      let (link, isFull) = state(at: time)
      switch link {
      case .free: credit = .infinity
      case .down, .silent, .closed: credit = 0
      case .limited(let rate): credit = min(credit, 1) + rate / Double(frameByteCount) / self.rate
      }
      if !isFull { atRun = 0 }
      let moved = min(atDetector, credit, isFull ? Double(buffer) - atRun : .infinity)
      atDetector -= moved
      if isFull { atRun += moved }
      credit = credit.isFinite ? credit - moved : 0
      if atDetector + 1 > Double(memory) { lost += 1 } else { atDetector += 1 }
    }
    return lost
  }

  private func begun(after start: Double, until end: Double) -> [RehearsalFault.Action] {
    faults.filter { $0.time > start && $0.time <= end }.map(\.action)
  }

  /// What the link does at a time, and whether the disk is full.
  private func state(at time: Double) -> (LinkState, isFull: Bool) {
    var (link, isDown, isFull) = (LinkState.free, false, false)
    for fault in faults where fault.time <= time {
      switch fault.action {
      case .linkRate(let rate): link = .limited(bytesPerSecond: rate)
      case .linkFree: link = .free
      case .linkDown(let seconds), .linkClosed(let seconds): isDown = isDown || time < fault.time + seconds
      case .diskFull(let seconds): isFull = isFull || time < fault.time + seconds
      case .detectorPause, .kill, .machine: break
      }
    }
    return (isDown ? .down : link, isFull)
  }
}
