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
    let measured = try announced(#"{"energy": 20.5, "pixel_size": 0.0065}"#)
    #expect(measured.energy == 20.5 && measured.pixelSize == 0.0065)
    let dectris = try announced(
      #"{"htype": "dheader-1.0", "series": 7}"#, #"{"photon_energy": 12000, "x_pixel_size": 0.000075}"#)
    #expect(dectris.energy == 12 && dectris.pixelSize.map { abs($0 - 0.075) < 1e-12 } == true)
    // No X-rays, and no pixel.
    #expect(
      try announced(#"{"energy": 0, "photon_energy": "x", "pixel_size": -1, "x_pixel_size": 5}"#)
        == ScanAnnouncement())
    #expect(try announced(#"{"projections": -3, "flats": 1e9, "sample": 4}"#) == ScanAnnouncement())
    #expect(try announced("{") == ScanAnnouncement())
  }

  @Test func `The start of a DECTRIS series of version 2 says how many images it has, its angles and its sample`()
    throws
  {
    func text(_ word: String) -> [UInt8] { [0x60 + UInt8(word.utf8.count)] + Array(word.utf8) }
    func map(_ pairs: (String, [UInt8])...) -> [UInt8] {
      [0xA0 + UInt8(pairs.count)] + pairs.flatMap { text($0) + $1 }
    }
    func announced(_ bytes: [UInt8]) throws -> ScanAnnouncement { try Parts([bytes]).with { ScanAnnouncement($0) } }
    // Half, single and double floats as RFC 8949 writes 1.5, -90 and 0.1.
    let omega = map(("increment", [0xF9, 0x3E, 0x00]), ("start", [0xFA, 0xC2, 0xB4, 0x00, 0x00]))
    let whole = map(
      ("goniometer", map(("chi", [0xF6]), ("omega", omega))),
      ("user_data", map(("n", [0x80]), ("sample", text("wood")))),
      ("number_of_images", [0x18, 180]))
    for start in [whole, [0xD9, 0xD9, 0xF7] + whole] {
      let said = try announced(start)
      #expect(said.images == 180 && said.thetaStep == 1.5 && said.thetaStart == -90 && said.sample == "wood")
    }
    let measured = map(("pixel_size_x", [0xFA, 0x38, 0xD1, 0xB7, 0x17]), ("incident_energy", [0x19, 0x2E, 0xE0]))
    #expect(try announced(measured).energy == 12)
    #expect(try announced(measured).pixelSize.map { abs($0 - 0.1) < 1e-6 } == true)
    // What is of another kind is not said, and hides nothing else.
    let odd = map(
      ("goniometer", [0x80]), ("user_data", text("wood")), ("number_of_images", [0x18, 180]))
    var expected = ScanAnnouncement()
    expected.images = 180
    #expect(try announced(odd) == expected)
    let double = map(
      ("goniometer", map(("omega", map(("increment", [0xFB, 0x3F, 0xB9, 0x99] + [0x99, 0x99, 0x99, 0x99, 0x9A]))))))
    #expect(try announced(double).thetaStep == 0.1)
    // Not a number, and an angle of nothing.
    #expect(
      try announced(map(("goniometer", map(("omega", map(("increment", [0xF9, 0x7E, 0x00]))))))) == ScanAnnouncement())
    #expect(try announced([0xA1]) == ScanAnnouncement())
  }
}
