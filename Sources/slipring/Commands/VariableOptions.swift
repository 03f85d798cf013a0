import ArgumentParser
import Detectors
import ScanPlan
import Variables

/// Whether a run is shown to EPICS.
struct VariableOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Serve process variables of EPICS: PREFIX:State, :Acquired, :Lost, :Axis, :Image and others; on this machine "
        + "alone unless EPICS_PVAS_INTF_ADDR_LIST says more.",
      valueName: "prefix"))
  var epics: String?
  @Flag(help: "Whoever sets PREFIX:Stop of --epics finalizes the run.") var epicsControl = false

  mutating func validate() throws {
    if epicsControl, epics == nil { throw ValidationError("--epics-control needs --epics PREFIX") }
  }

  /// The variables, served from now on; nil for none.
  func open() throws(ScanFailure) -> RunVariables? {
    guard let epics else { return nil }
    let prefix: VariablePrefix
    do throws(StreamError) { prefix = try VariablePrefix(epics) } catch { throw ScanFailure(error) }
    return try RunVariables(prefix: prefix, allowsStop: epicsControl, notice: Console.notice)
  }
}
