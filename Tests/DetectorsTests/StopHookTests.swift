import Host
import Testing

@testable import Detectors

/// Which addresses can be told something.
@Suite struct StopHookTests {
  @Test(arguments: [
    "http://127.0.0.1:8080/stop", "https://detector/stop?now=1", "http+put://eiger/detector/api/1.8.0/command/disarm",
    "https+put://[::1]:1/",
    "zmq+req://detector:9998", "zmq+push://192.168.1.7:1", "pva://13SIM1:cam1:Acquire=0",
  ])
  func `An address is kept as it was read`(text: String) throws {
    #expect(try StopHook(text).description == text)
  }

  @Test(arguments: [
    ("", "begins"), ("detector", "begins"), ("ftp://detector/", "begins"), ("http+get://detector/", "begins"),
    ("http://", "no address"),
    ("http://detector:70000/", "no address"), ("http://anna@detector/", "a user's name"),
    ("http://:secret@detector/", "everybody could read"),
    ("http://detector/a b", "no blanks"), ("http://detector/\u{1B}[2J", "no blanks"), ("http://dëtector/", "ASCII"),
    ("http://" + String(repeating: "d", count: 1100), "1024"), ("zmq+sub://detector:1", "zmq+req"),
    ("zmq+rep://detector:1", "zmq+req"),
    ("zmq+push://detector:0", "zmq+req"), ("pva://13SIM1:cam1:Acquire", "a whole number"),
    ("pva://13SIM1:cam1:Acquire=0.5", "a whole number"),
    ("pva://=0", "names no process variable"), ("zmq+req://detector", "port"),
  ])
  func `What cannot be told anything is refused with a reason`(text: String, fragment: String) {
    let error = #expect(throws: StreamError.self) { try StopHook(text) }
    #expect(error.map { "\($0)".contains(fragment) } == true, "\(error.map { "\($0)" } ?? "")")
    #expect(error?.exitCode == 64)
  }
}
