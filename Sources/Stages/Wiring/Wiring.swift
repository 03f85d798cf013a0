import RunModel
import Topics

/// The picture of a run: a row a stage, upstream first. Rings, readers, processes, their places, what a restart takes
/// over, what the page draws and what `salvage` may set aside follow from it; nothing else says what is connected.
///
/// ```
///  file, detector ─► acquire ─ projections ─┬─► correct ─ corrected ─┐
///                       ▲                   └────────────────────────┴─► distribute ─ orders.w ─► reconstruct.w
///                       └─ commands ─ control ◄─┬─ updates.w ◄────────────────────────────────────────┘
///                                     images ─► uplink ─► nodes
///                                    denoise ◄──┤
///                              files ◄─ export ◄┘
///                                 all topics ─► watch ─ alarms
///                                     topics ─► join ─ views.v ─► programs of people
/// ```
package enum Wiring {
  /// Every stage that a run can have.
  package static let rows: [WiringRow] = [
    WiringRow(
      "acquire", AcquireStage.self, reads: [.topic(.commands, isWork: false)],
      writes: [
        .init(
          .projections, slots: { $0.slots.projections }, payload: { $0.imageByteCount.acquired },
          whenFull: .spillsForSource { $0.slots.onTheWay })
      ],
      files: [.run]),
    WiringRow(
      "correct", CorrectStage.self, reads: [.topic(.projections, checks: .payload)],
      writes: [
        .init(
          .corrected, slots: { $0.slots.projections }, payload: { $0.imageByteCount.corrected },
          whenFull: .spillsForSource { _ in nil })
      ],
      isPresent: { $0.corrects }),
    WiringRow(
      "distribute", DistributeStage.self, reads: [.images(replays: false, checks: .payloadInRing)],
      writes: [.init(.orders, slots: { $0.slots.orders }, whenFull: .spills)]),
    WiringRow(
      "reconstruct", ReconstructStage.self, isPerWorker: true, place: .worker,
      reads: [.topic(.orders), .images(isWork: false)],
      writes: [.init(.updates, slots: { $0.slots.updates }, whenFull: .spills)], files: [.checkpoints]),
    // It looks at the images from outside: a slow link holds nobody up.
    WiringRow("uplink", UplinkStage.self, reads: [], isPresent: { $0.hasNodes }),
    WiringRow(
      "control", ControlStage.self, reads: [.topic(.updates)],
      // There is one command at most; of the scores the newest are kept at hand.
      writes: [.init(.commands), .init(.scores, slots: { _ in 256 })]),
    WiringRow(
      "denoise", DenoiseStage.self, place: .allWorkers, reads: [.topic(.updates)], writes: [.init(.denoised)],
      isPresent: { $0.denoises }),
    WiringRow(
      "export", ExportStage.self,
      reads: [.topic(.updates), .topic(.commands, isWork: false), .topic(.denoised, isWork: false)],
      files: [.output, .run]),
    WiringRow(
      "echo", EchoStage.self, reads: [.topic(.updates)],
      writes: [.init(.echo, slots: { $0.slots.updates }, whenFull: .spills)],
      isPresent: { $0.examples.contains("echo") }),
    // It looks at everything from outside.
    WiringRow(
      "watch", WatchStage.self, reads: [], writes: [.init(.alarms, slots: { _ in 64 })], isOptional: true,
      isPresent: { $0.isWatched }),
    // So does this. Of copied voxels a few are in memory.
    WiringRow(
      "join", JoinStage.self, reads: [],
      writes: [.init(.views, slotsOf: { $0.views[$1] > 0 ? 4 : 64 }, payloadOf: { $0.views[$1] })], isOptional: true,
      isPresent: { !$0.views.isEmpty }),
  ]
}
