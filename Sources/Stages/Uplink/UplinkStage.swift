import Logging
import RunModel

/// Hands the images of a scan, cut by rows, to a fabric, from which nodes read them. It keeps no state of its own:
/// where it is, the streams say.
package struct UplinkStage: Stage {
  /// Publishes every event, until all are acknowledged or it is asked to end.
  package static func work(in environment: some StageEnvironment) throws {
    guard let configuration = environment.settings.uplink else {
      preconditionFailure("\(environment.stage) without a fabric")
    }
    let log = environment.log, distribution = environment.settings.distribution
    let pace =
      distribution.changesPace
      ? OrderedPace(try environment.follower(.orders(partition: 0)), rows: distribution.rows[0]) : nil
    let previews =
      configuration.showsPreviews
      ? try PreviewThread(configuration, images: try environment.follower(configuration.images)) : nil
    let uplink = Uplink(
      configuration, images: try environment.follower(configuration.images), pace: pace, previews: previews,
      stopRequested: environment.stopRequested, didWork: environment.didWork,
      noticed: { log.notice("\($0)") }, write: { try environment.write($0, as: .uplink) },
      writeParts: { try environment.write(PartList(parts: $0), as: .parts) })
    try uplink.run()
  }
}
