import ArgumentParser
import Host
import ScanFiles
import ScanPlan

/// Looks at a scan from the far end of a thin link.
struct PreviewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "preview",
    abstract: "Writes the newest projection that an edge shows on a fabric, in fewer pixels, as a TIFF file.",
    discussion: """
      The edge's run has --uplink-preview. Pictures are for looking: what the link has no room for is skipped, and the \
      output says how many projections that were. Their pixels are means of squares of the projection's, as counted.
      """)

  @Argument(help: ArgumentHelp("The run, as nats://HOST:PORT/RUN, or /latest.", valueName: "run")) var input: String
  @Option(help: "The file that is written, float32; one that is there is replaced.", completion: .file())
  var output: String
  @Flag(help: "Write each newer one into the same file, until the scan's last.") var follow = false
  @Option(help: ArgumentHelp("Seconds that it waits for the next one.", valueName: "seconds")) var patience = 60.0
  @Option(help: .key("fabric-credentials", "file"), completion: .file()) var fabricCredentials: String?
  @Option(help: .key("fabric-authority", "file"), completion: .file()) var fabricAuthority: String?
  @Flag(help: "Print what they are as JSON objects, a line each.") var json = false

  private static let patienceMax = 604_800.0
  private static let poll: Duration = .milliseconds(200)

  func run() throws {
    guard (0...Self.patienceMax).contains(patience) else {
      throw ScanFailure(.usage, "--patience \(patience) is no number of seconds between 0 and \(Int(Self.patienceMax))")
    }
    guard FabricInput.isMeant(by: input) else {
      throw ScanFailure(.usage, "\(input) is no run on a fabric; give it as nats://host:4222/latest")
    }
    let previews = try ScanPreviews(
      FabricInput(input), credentials: fabricCredentials, authority: fabricAuthority)
    repeat {
      guard let picture = try next(previews) else { throw tooLate(previews) }
      try picture.pixels.withUnsafeBufferPointer { pixels in
        try writeTIFF(
          path: output, columns: picture.columns, rows: picture.rows, values: pixels,
          description: "run \(picture.run), \(picture.words)")
      }
      if json { try Console.jsonLine(picture) } else { Console.result(picture.words) }
      if picture.isLast { return }
    } while follow
  }

  /// The next one; nil where none comes within the patience.
  private func next(_ previews: ScanPreviews) throws -> ScanPreviews.Picture? {
    let deadline = Deadline(after: .seconds(patience))
    while true {
      if let picture = try previews.next(timeout: min(deadline.remaining, Self.poll)) { return picture }
      if deadline.hasPassed { return nil }
    }
  }

  private func tooLate(_ previews: ScanPreviews) -> ScanFailure {
    if let trouble = previews.trouble { return trouble }
    let damaged = previews.damaged == 0 ? "" : "; \(counted(previews.damaged, "message")) came that were none"
    return ScanFailure(
      .temporary,
      "\(input) showed no newer projection within \(patience.scanText) s\(damaged): is its edge there, with "
        + "--uplink-preview?")
  }
}
