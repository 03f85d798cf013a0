import Host
import Serve

/// The figures of a server in Prometheus' text format; those of a run are at its page.
enum ScanMetrics {
  static func text(_ cache: ScanCache, _ status: ServerStatus?, viewers: Int) -> String {
    var page = MetricsText.Builder()
    let counts = cache.counts
    page.add("slipring_build_info", "gauge", "The program.", [([("version", programVersion)], 1)])
    page.add(
      "slipring_scans", "gauge", "Scans by what becomes of them next.",
      QueueEntry.EntryState.allCases.map { ([("state", $0.rawValue)], Double(counts[$0] ?? 0)) })
    let queued = QueueEntry.EntryState.allCases.filter { ![.finished, .failed, .removed].contains($0) }
    page.add(
      "slipring_queue_scans", "gauge", "Scans of which something is to be done.",
      [([], Double(queued.reduce(0) { $0 + (counts[$1] ?? 0) }))])
    page.add("slipring_scan_changes_total", "counter", "Changes of scans.", [([], Double(cache.lastChange))])
    page.add("slipring_viewers", "gauge", "Clients that follow events.", [([], Double(viewers))])
    let running = cache.running.compactMap(cache.record)
    page.add(
      "slipring_scan_progress_ratio", "gauge", "Done of what happens now to a scan that is being reconstructed.",
      running.compactMap { scan in
        scan.progress.map { ([("scan", "\(scan.number)"), ("activity", scan.activity.rawValue)], $0.fraction) }
      })
    guard let status else { return page.text }
    page.add("slipring_server_start_time_seconds", "gauge", "When the server began.", [([], status.started)])
    page.add(
      "slipring_process_up", "gauge", "Whether a process of the server runs.",
      status.processes.map { ([("process", $0.name)], $0.pid == nil ? 0 : 1) })
    page.add(
      "slipring_process_failures", "gauge", "How often a process ended, one time shortly after the other.",
      status.processes.map { ([("process", $0.name)], Double($0.failures)) })
    page.add(
      "slipring_changes_untold_total", "counter", "Changes of which a program or an address was not told.",
      [([], Double(status.untold))])
    disk(status, &page)
    return page.text
  }

  private static func disk(_ status: ServerStatus, _ page: inout MetricsText.Builder) {
    guard let disk = status.disk else { return }
    page.add(
      "slipring_disk_free_bytes", "gauge", "Room on the disk of the server's folder.", [([], Double(disk.freeBytes))])
    page.add("slipring_disk_size_bytes", "gauge", "Size of that disk.", [([], Double(disk.totalBytes))])
    if let rate = disk.bytesPerHour {
      page.add(
        "slipring_disk_filling_bytes_per_second", "gauge", "What was taken in the last hour, a second.",
        [([], Double(rate) / 3600)])
    }
    if let hours = disk.hoursLeft {
      page.add(
        "slipring_disk_full_in_seconds", "gauge", "Until the disk is full, at the rate of the last hour.",
        [([], hours * 3600)])
    }
  }
}
