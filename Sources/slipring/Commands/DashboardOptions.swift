import ArgumentParser
package import Dashboard
import Host
import ScanPlan

/// Whether and where a run shows its page.
struct DashboardOptions: ParsableArguments {
  @Option(
    defaultAsFlag: DashboardAddress.standard,
    help: ArgumentHelp(
      "Show the run in a browser, at 127.0.0.1:8787 or here; beyond this machine only with the token that is printed. "
        + "On a terminal it is shown without being asked for.",
      valueName: "address:port"))
  var dashboard: DashboardAddress? = nil
  @Flag(help: "Do not show the run in a browser.") var noDashboard = false
  @OptionGroup var certificate: CertificateOptions

  mutating func validate() throws {
    if noDashboard, dashboard != nil { throw ValidationError("--dashboard and --no-dashboard exclude each other") }
  }

  /// The page, which serves from now on; nil for none. One that was asked for and cannot be had is an error, any other
  /// is not.
  func open(notice: (String) -> Void) throws -> Dashboard? {
    guard !noDashboard, dashboard != nil || Console.isTerminal else { return nil }
    do throws(ScanFailure) {
      let page = try Dashboard(certificate.with(dashboard ?? .standard))
      notice("dashboard: \(page.url)")
      return page
    } catch {
      guard dashboard == nil else { throw error }
      notice(error.description)
      return nil
    }
  }
}

/// What a page is encrypted with.
struct CertificateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Serve the page as https://, with this certificate and those that lead to an authority (PEM).", valueName: "file")
  ) var tlsCertificate: String? = nil
  @Option(help: ArgumentHelp("Private key of the certificate (PEM).", valueName: "file")) var tlsKey: String? = nil

  mutating func validate() throws {
    if (tlsCertificate == nil) != (tlsKey == nil) {
      throw ValidationError("--tls-certificate and --tls-key are both needed, or neither")
    }
  }

  /// The address, encrypted where that was asked for.
  func with(_ address: DashboardAddress) -> DashboardAddress {
    guard let tlsCertificate, let tlsKey else { return address }
    var address = address
    address.tls = TLSFiles(certificate: absolutePath(tlsCertificate), key: absolutePath(tlsKey))
    return address
  }
}

extension DashboardAddress: ExpressibleByArgument {
  /// From `ADDRESS:PORT`, or a port.
  package init?(argument: String) { self.init(argument) }
}
