extension Gauge {
  /// What gives it values, to follow its name in a sentence.
  package var sourceWords: String {
    switch self {
    case .intensity, .deadRows: "which projections with light beside the sample have"
    case .rate: "which a second projection gives"
    case .updateSeconds, .residual: "which updates made while the scan goes on have"
    case .workload: "which such updates have from the second projection on"
    case .deadPixels, .correctedPixels: "which the first update gives"
    case .step: "which the first projection that is handed to workers gives"
    case .missing, .faults: "which live sources have"
    case .similarity: "which --stop-ssim and --reference have computed, from the first score on"
    case .processorPressure, .diskPressure, .memoryPressure: "which kernels with /proc/pressure (psi=1) have"
    case .socketDrops: "which /proc/net/snmp and /proc/net/netstat give"
    case .diskFree, .diskSpare: "which folders have whose disk can be asked"
    case .lag, .workerSpread, .buffered, .spilled, .restarts, .diskFull: "which the first look gives"
    }
  }
}
