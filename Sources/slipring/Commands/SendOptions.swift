import ArgumentParser
import Detectors
import Host
import Run
import ScanFiles
import ScanPlan
import Simulation

/// How a virtual detector sends, and what it does wrong.
struct SendOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Send the scan to receivers that connect here, instead of writing a file.", valueName: "zmq+push://127.0.0.1:port"
    ))
  var stream: String?
  @Option(help: ArgumentHelp("Send this scan file instead of a phantom.", valueName: "file.h5"), completion: .file())
  var scan: String?
  @Option(help: ArgumentHelp("Projections a second at most.", valueName: "p/s")) var rate: Double?
  @Option(
    help: ArgumentHelp(
      "Measure on whether or not somebody takes the projections, with a memory of so many: what finds no place in it "
        + "is lost. (default: wait)", valueName: "n"))
  var memory: Int?
  @Option(help: "Send the projections so many times, numbered on.") var rounds = 1
  @Flag(help: "Send flats and darks behind the projections.") var fieldsLast = false
  @Option(help: "Share of projections that are never sent.") var dropFraction = 0.0
  @Option(help: "Share of projections that are sent twice.") var duplicateFraction = 0.0
  @Option(help: "Send so many projections at a time in any order.") var reorder = 0
  @Option(help: ArgumentHelp("Send nothing for so long in the middle of the scan.", valueName: "seconds")) var stall =
    0.0
  @Option(
    help: ArgumentHelp(
      "Stop sending when something is sent here, as by --stop-hook.", valueName: "zmq+rep://127.0.0.1:port"))
  var stopAt: String?
  @Flag(help: "Let other machines connect: allow an address that is not this machine's own.") var anyInterface = false
  @Flag(help: "Print what was sent as one JSON object.") var json = false

  /// The address, checked with all that goes with it; nil where a file is written.
  func address() throws -> StreamAddress? {
    guard let stream else {
      guard scan == nil else { throw ScanFailure(.usage, "--scan goes with --stream: a scan file is there already") }
      guard stopAt == nil else {
        throw ScanFailure(.usage, "--stop-at goes with --stream: a file is written to its end")
      }
      return nil
    }
    let address = try listener(stream, [.push, .pub], "a detector sends to")
    _ = try stopAddress()
    for (name, share) in [("--drop-fraction", dropFraction), ("--duplicate-fraction", duplicateFraction)]
    where !(0...1).contains(share) {
      throw ScanFailure(.usage, "\(name) \(share) is outside 0…1")
    }
    for (name, value) in [("--reorder", reorder), ("--rounds", rounds)] where !(0...1_000_000).contains(value) {
      throw ScanFailure(.usage, "\(name) \(value) is outside 0…1000000")
    }
    if let memory {
      guard (1...1_000_000).contains(memory) else {
        throw ScanFailure(.usage, "--memory \(memory) is outside 1…1000000")
      }
      guard rate != nil, address.pattern == .push else {
        throw ScanFailure(.usage, "--memory goes with --rate and zmq+push://: a detector that does not wait has a rate")
      }
    }
    guard rounds > 0 else { throw ScanFailure(.usage, "--rounds 0 sends nothing") }
    guard (0...3600).contains(stall) else { throw ScanFailure(.usage, "--stall \(stall) is outside 0…3600 seconds") }
    if let rate, !(1e-3...1e6).contains(rate) {
      throw ScanFailure(.usage, "--rate \(rate) is outside 0.001…1000000 projections a second")
    }
    return address
  }

  private func stopAddress() throws -> StreamAddress? {
    try stopAt.map { try listener($0, [.rep], "a detector takes orders at") }
  }

  /// An address that this process listens at, of one of these patterns.
  private func listener(_ text: String, _ patterns: [StreamAddress.Pattern], _ purpose: String) throws -> StreamAddress
  {
    let address = try StreamAddress(text)
    guard patterns.contains(address.pattern) else {
      let forms = patterns.map { "\(StreamAddress.scheme)\($0.rawValue)://" }.joined(separator: " or ")
      throw ScanFailure(.usage, "\(text) is of another pattern; \(purpose) \(forms)")
    }
    guard address.isLoopback || anyInterface else {
      throw ScanFailure(.usage, "\(text) is open to other machines; use 127.0.0.1, or say --any-interface")
    }
    return address
  }

  /// Sends the scan in the file `path`.
  func send(_ path: String, to address: StreamAddress, seed: UInt64, quiet: Bool, signals: SignalDescriptor) throws {
    var faults = StreamFaults()
    (faults.dropFraction, faults.duplicateFraction, faults.reorder) = (dropFraction, duplicateFraction, reorder)
    (faults.stall, faults.seed) = (stall, seed)
    let reader = try openScan(path: path)
    let sender = try ScanSender(
      reader, address: address, rate: rate, rounds: rounds, faults: faults, fieldsLast: fieldsLast,
      memory: memory, stopAddress: stopAddress())
    let info = reader.info
    if !quiet {
      Console.notice(
        "sending \(counted(info.projectionCount * rounds, "projection")) of \(info.rows) × \(info.columns) "
          + "\(info.pixel.rawValue), \(counted(info.flatCount, "flat")) and \(counted(info.darkCount, "dark")) "
          + "at \(sender.address)")
    }
    var counter = Counter(isQuiet: quiet)
    defer { counter.end() }
    let report = try sender.send { position in
      try signals.stopOnSignal()
      if position % 100 == 0 { counter.show(position, of: info.projectionCount * rounds) }
    }
    counter.end()
    if json { return try Console.json(report) }
    if let order = report.stoppedBy, !quiet { Console.notice("was told to stop: \(order)") }
    if !quiet {
      Console.result(
        "sent \(counted(report.sent, "image")); left out: \(report.dropped.count); sent twice: \(report.duplicates)"
          + (memory == nil ? "" : "; lost for want of memory: \(report.overrun)"))
    }
  }
}
