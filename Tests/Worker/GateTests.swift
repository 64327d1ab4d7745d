import Testing
import Worker

@Suite struct GateTests {
  @Test func everyoneWhoWaitsComesThrough() async {
    let gate = Gate()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<50 { group.addTask { await gate.wait() } }
      gate.open()
    }
    #expect(gate.isOpen)
    await gate.wait()
  }

  @Test func aWaitHasAnEnd() async {
    let gate = Gate()
    await gate.wait(atMost: .milliseconds(10))
    #expect(!gate.isOpen)
  }

  @Test func cancellationEndsAWait() async {
    let gate = Gate()
    let task = Task { await gate.wait() }
    task.cancel()
    await task.value
    #expect(!gate.isOpen)
  }
}
