import Foundation
import Testing
import Worker

@Suite struct SystemdNotifierTests {
  @Test(arguments: [false, true]) func messagesArriveWhole(isAbstract: Bool) throws {
    let listener = try DatagramListener(path: isAbstract ? "@tintype-\(UUID().uuidString.prefix(8))" : nil)
    let notifier = try #require(SystemdNotifier(environment: ["NOTIFY_SOCKET": listener.path]))
    #expect(notifier.ready(status: "idle,\n2 models"))
    #expect(listener.receiveText() == "READY=1\nSTATUS=idle, 2 models")
    #expect(notifier.watchdog())
    #expect(listener.receiveText() == "WATCHDOG=1")
    #expect(notifier.extendTimeout(by: .seconds(30)))
    #expect(listener.receiveText() == "EXTEND_TIMEOUT_USEC=30000000")
    #expect(notifier.stopping(status: "draining"))
    #expect(listener.receiveText() == "STOPPING=1\nSTATUS=draining")
    #expect(notifier.status("job 1"))
    #expect(listener.receiveText() == "STATUS=job 1")
  }

  @Test(arguments: [[:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "@"], ["NOTIFY_SOCKET": "relative/path"]])
  func isAbsentWhenNobodyListens(environment: [String: String]) {
    #expect(SystemdNotifier(environment: environment) == nil)
  }

  @Test func aManagerThatIsGoneDoesNoHarm() throws {
    let notifier = try #require(SystemdNotifier(environment: ["NOTIFY_SOCKET": "/tmp/tintype-nobody.sock"]))
    #expect(!notifier.watchdog())
  }

  /// Of a manager that is there and reads nothing, any more than a stopped one does: a worker must not wait for it.
  @Test func aManagerThatStoppedReadingHoldsNobodyUp() throws {
    let listener = try DatagramListener()
    let notifier = try #require(SystemdNotifier(environment: ["NOTIFY_SOCKET": listener.path]))
    // The kernel's queue of a socket (net.unix.max_dgram_qlen) is far shorter.
    let sent = (0..<10_000).prefix { _ in notifier.watchdog() }.count
    #expect((1..<10_000).contains(sent))
    #expect(listener.receiveText() == "WATCHDOG=1")
    #expect(notifier.watchdog(), "there is room again")
  }

  @Test func aPathLongerThanASocketAddressIsRefused() throws {
    let path = "/" + String(repeating: "x", count: 200)
    #expect(try #require(SystemdNotifier(environment: ["NOTIFY_SOCKET": path])).watchdog() == false)
  }

  @Test(arguments: [
    (["WATCHDOG_USEC": "60000000"], Duration.seconds(60)), ([:], nil), (["WATCHDOG_USEC": "0"], nil),
    (["WATCHDOG_USEC": "soon"], nil), (["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"], nil),
  ])
  func theWatchdogIsForThisProcess(environment: [String: String], expected: Duration?) throws {
    let all = environment.merging(["NOTIFY_SOCKET": "/tmp/x"]) { first, _ in first }
    #expect(try #require(SystemdNotifier(environment: all)).watchdogInterval == expected)
  }

  @Test func theWatchdogOfThisProcessCounts() throws {
    let notifier = SystemdNotifier(environment: [
      "NOTIFY_SOCKET": "/tmp/x", "WATCHDOG_USEC": "1000",
      "WATCHDOG_PID": "\(ProcessInfo.processInfo.processIdentifier)",
    ])
    #expect(try #require(notifier).watchdogInterval == .milliseconds(1))
  }
}
