import Testing

@testable import Detectors

/// What a stream says of a scan beside its images.
@Suite struct ScanAnnouncementTests {
  @Test func `Announcements are read from what senders say`() throws {
    func announced(_ parts: String...) throws -> ScanAnnouncement {
      try Parts(parts.map { Array($0.utf8) }).with { ScanAnnouncement($0) }
    }
    let array = try announced(
      #"{"htype": ["array-1.0"], "projections": 180, "flats": 5, "darks": 4, "sample": "wood ß", "theta_step": 1}"#,
      "pixels")
    #expect(array.projections == 180 && array.total == 189 && array.thetaStep == 1 && array.sample == "wood ??")
    let header = try announced(
      #"{"htype": "dheader-1.0", "series": 7}"#,
      #"{"nimages": 2, "ntrigger": 90, "omega_start": -90, "omega_increment": 0}"#)
    #expect(header.images == 180 && header.thetaStart == -90 && header.thetaStep == nil)
    #expect(try announced(#"{"projections": -3, "flats": 1e9, "sample": 4}"#) == ScanAnnouncement())
    #expect(try announced("{") == ScanAnnouncement())
  }
}
