import Foundation
import FoundationXML
import Host
import TestSupport
import Testing

extension Pipeline {
  @Suite struct DemoTests {
    @Test func `The demonstration leaves a picture of what it did and says where`() throws {
      let folder = try TestFolder()
      let outcome = try Command.run("demo", "--output-folder", folder.file("demo"))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let picture = folder.file("demo/demo.svg")
      let lines = outcome.output.split(separator: "\n")
      #expect(lines.last == "look at \(picture)" && lines[0].hasPrefix("180 projections, "))
      let document = try XMLDocument(contentsOf: URL(filePath: picture))
      let texts = try document.nodes(forXPath: "//*[local-name()='text']").compactMap(\.stringValue)
      // The picture says the same as the command.
      let decibels = try #require(lines.first { $0.contains("PSNR") }?.firstMatch(of: /PSNR of ([0-9.]+) dB/)).1
      #expect(try #require(Double(decibels)) > 28)
      #expect(texts.contains { $0.hasPrefix("\(decibels) dB") }, "\(texts)")
      #expect(texts.contains("180 updates") && texts.contains("7 final sweeps"))
      #expect(try document.nodes(forXPath: "//*[local-name()='image']").count == 4)
    }
  }
}
