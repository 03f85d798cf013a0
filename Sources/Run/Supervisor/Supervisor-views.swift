import Journal
import Rings
import RunModel
import ScanPlan
import Stages

// How far the views are, as the supervisor sees from outside.
extension Supervisor {
  /// Fills the views in. What a ring does not have yet, the journal had before.
  func watchViews(_ regions: RunRegions, _ status: inout RunStatus) {
    let views = plan.scan.views
    guard !views.isEmpty else { return }
    let before = viewsBefore ?? earlierViews(regions)
    viewsBefore = before
    status.views = views.enumerated().map { number, view in
      let newest = newest(of: number, regions), event = newest?.event ?? before[number] ?? ViewEvent()
      return ViewStatus(
        name: view.name, items: event.nextItem, dropped: event.dropped, storedBytes: event.stored,
        isComplete: newest?.isEnd ?? false)
    }
  }

  private func newest(of number: Int, _ regions: RunRegions) -> (event: ViewEvent, isEnd: Bool)? {
    guard let ring = regions.rings[.view(number)],
      let (header, metadata) = try? RingObserver(ring: ring).latest(),
      let event = try? metadata.withUnsafeBytes({ try ViewEvent(decoding: $0) })
    else { return nil }
    return (event, header.kind == .end)
  }

  /// What views had come to where the run goes on.
  private func earlierViews(_ regions: RunRegions) -> [Int: ViewEvent] {
    var events: [Int: ViewEvent] = [:]
    for number in plan.scan.views.indices {
      guard let first = regions.rings[.view(number)]?.specification.firstSequence, first > 0,
        let reader = try? RunJournals(folder, plan).reader(of: .view(number))
      else { continue }
      let record = UnsafeMutableRawBufferPointer.allocate(
        byteCount: reader.stride, alignment: EventHeader.pageByteCount)
      defer { record.deallocate() }
      events[number] = (try? reader.read(sequence: first - 1, into: record)).flatMap {
        try? ViewEvent(decoding: $0.metadata)
      }
    }
    return events
  }
}
