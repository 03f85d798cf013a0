import Host
import TestSupport
import Testing

@Suite struct ServiceManagerTests {
  @Test(arguments: [true, false]) func `a manager behind an abstract name or a path is told in datagrams`(
    isAbstract: Bool
  ) throws {
    let listener = try NotifySocket(isAbstract: isAbstract)
    let manager = try #require(
      ServiceManager(
        environment: ["NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"], processID: 7)
    )
    #expect(manager.watchdogPeriod == .seconds(3))
    try manager.tell(.ready, .status("two\nlines"))
    try manager.tell(.alive)
    try manager.tell(.stopping)
    #expect(listener.next() == "READY=1\nSTATUS=two lines")
    #expect(listener.next() == "WATCHDOG=1")
    #expect(listener.next() == "STOPPING=1")
  }

  @Test func `a process without a manager has none, and another's watchdog is not its own`() throws {
    #expect(ServiceManager(environment: [:], processID: 7) == nil)
    #expect(ServiceManager(environment: ["NOTIFY_SOCKET": ""], processID: 7) == nil)
    let other = ["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"]
    #expect(try #require(ServiceManager(environment: other, processID: 7)).watchdogPeriod == nil)
    for period in ["0", "-1", "soon", "99999999999999999999"] {
      let manager = ServiceManager(environment: ["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": period], processID: 7)
      #expect(try #require(manager).watchdogPeriod == nil)
    }
  }

  @Test(arguments: [
    "/nowhere/at/all", "@slipring-nobody-listens", "vsock:2:1234", "relative", "/", "@",
    "/" + String(repeating: "x", count: 200),
  ])
  func `a manager that is not there is an error and no trap`(address: String) throws {
    let manager = try #require(ServiceManager(environment: ["NOTIFY_SOCKET": address], processID: 7))
    #expect(throws: HostError.self) { try manager.tell(.ready) }
  }
}
