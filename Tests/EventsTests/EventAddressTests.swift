import Host
import Testing

@testable import Events

@Suite struct EventAddressTests {
  @Test func `Addresses of clusters name brokers and what topics begin with`() throws {
    let address = try EventAddress("kafka://a.lab.org:9092,10.0.0.1:9093,[::1]:9094/lab.tomo-1")
    #expect(address.way == .kafka(brokers: "a.lab.org:9092,10.0.0.1:9093,[::1]:9094") && address.isKafka)
    #expect(address.name(of: .scores) == "lab.tomo-1.scores")
  }

  @Test func `Addresses of services are encrypted, or on this machine`() throws {
    let address = try EventAddress("diaspora+https://events.lab.org/v3/clusters/x/lab")
    #expect(address.way == .diaspora(url: "https://events.lab.org/v3/clusters/x") && !address.isKafka)
    #expect(try EventAddress("diaspora+http://127.0.0.1:8080/lab").way == .diaspora(url: "http://127.0.0.1:8080"))
    #expect(throws: EventsError.self) { try EventAddress("diaspora+http://events.lab.org/lab") }
  }

  @Test(arguments: [
    "", "kafka", "kafka://", "kafka://host:9092", "kafka://host:9092/", "kafka://host/lab", "kafka://host:0/lab",
    "kafka://host:70000/lab", "kafka://a:b@host:9092/lab", "kafka://host:9092,/lab", "kafka://:9092/lab",
    "kafka://host:9092/a b", "kafka://host:9092/ä", "http://host/lab", "diaspora+https://a:b@host/lab",
    "diaspora+https://host/x?token=1/lab", "diaspora+https:///lab", "diaspora://host/lab",
  ]) func `What is none is refused in one line that names it`(text: String) {
    let error = #expect(throws: EventsError.self) { try EventAddress(text) }
    #expect(error?.exitCode == 64 && error?.description.contains("\n") == false, "\(text)")
  }

  @Test func `Long addresses are refused`() {
    #expect(throws: EventsError.self) { try EventAddress("kafka://h:1/" + String(repeating: "a", count: 241)) }
    let brokers = Array(repeating: "h:1", count: 33).joined(separator: ",")
    #expect(throws: EventsError.self) { try EventAddress("kafka://\(brokers)/lab") }
  }
}
