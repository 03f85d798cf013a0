import ArgumentParser
import Dashboard
import Glibc
import Host

/// Shows finished volumes in a browser.
struct View: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a finished volume in a browser, or two side by side.",
    discussion: "It serves until it is interrupted. A run shows its own volume: see recon --dashboard.")

  @Argument(
    help: ArgumentHelp("HDF5 files or OME-Zarr folders with a volume (z, y, x): one, or two.", valueName: "file"),
    completion: .file())
  var files: [String]
  @Option(
    help: ArgumentHelp(
      "Where it is served; beyond this machine only with the token that is printed.", valueName: "address:port"))
  var dashboard = DashboardAddress.standard
  @OptionGroup var certificate: CertificateOptions

  mutating func validate() throws {
    guard (1...ViewerServer.volumesMax).contains(files.count) else {
      throw ValidationError("name one volume, or two that are to be shown side by side")
    }
  }

  func run() throws {
    // Before the server's thread, so that it leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let server = try ViewerServer(
      certificate.with(dashboard), files: files.map(absolutePath), notice: Console.notice)
    Console.notice("viewer: \(server.url)")
    repeat {
      var entry = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
      poll(&entry, 1, -1)
    } while try signals.next() == nil
    server.stop()
  }
}
