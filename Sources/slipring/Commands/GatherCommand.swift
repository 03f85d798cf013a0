import ArgumentParser
import Glibc
import Host
import Run
import ScanPlan

/// One volume of what nodes have made.
struct GatherCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gather",
    abstract: "Puts the slices that nodes have made of a scan together to one volume.",
    discussion: """
      Every slice is read, and each part compared with the checksum that its node has left. What is written is a file \
      that refers to those of the nodes (a virtual dataset of HDF5), links to their TIFF files, or with --form hdf5 or \
      zarr all voxels once more. The checksum is that of one machine's run.
      """)

  @Argument(
    help: ArgumentHelp("The edge's run folder, or nats://HOST:PORT/RUN.", valueName: "run"), completion: .directory)
  var input: String
  @Option(help: "Folder of the volume. (default: the output folder of the edge's run)", completion: .directory)
  var outputFolder: String?
  @Option(
    help: "The folder where the nodes' files are mounted or copied to. (default: they are where the nodes say)",
    completion: .directory)
  var parts: String?
  @Option(help: "links, hdf5 or zarr. (default: links, of what nodes have sent back hdf5)") var form: Gather.Form?
  @Option(
    help: ArgumentHelp(
      "Whether the nodes' files are read, or what nodes have sent back over the fabric. (default: as the edge's run "
        + "does it; with parts their files)", valueName: "links|edge"))
  var gather: Gathering?
  @Option(help: .key("fabric-credentials", "file"), completion: .file()) var fabricCredentials: String?
  @Option(help: .key("fabric-authority", "file"), completion: .file()) var fabricAuthority: String?
  @Flag(help: .overwrite) var overwrite = false
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let result = try whole().write(form, to: outputFolder, overwrites: overwrite, signals: signals)
    if json { return try Console.json(result) }
    guard !quiet else { return }
    for piece in result.parts { Console.notice("\(piece.slices): \(piece.node.map { "node \($0)" } ?? "the edge")") }
    Console.result("\(result.slices), SHA-256 \(result.volumeSHA256); look at \(result.outputs.first ?? "")")
  }

  private func whole() throws -> Gather {
    guard gather != Gathering.none else {
      throw ScanFailure(.usage, "--gather none makes no volume; leave it out")
    }
    let notice: (String) -> Void = { if !quiet { Console.notice($0) } }
    guard FabricInput.isMeant(by: input) else {
      return try Gather(
        RunFolder(path: input), (fabricCredentials, fabricAuthority), gather, folder: parts, notice: notice)
    }
    return try Gather(
      FabricInput(input), (fabricCredentials, fabricAuthority), gather, folder: parts, command: CommandLine.arguments,
      notice: notice)
  }
}

extension Gather.Form: ExpressibleByArgument {}
