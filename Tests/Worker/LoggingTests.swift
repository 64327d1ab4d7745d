import Glibc
import Logging
import Testing
import Worker

@Suite struct LoggingTests {
  @Test func journalFieldsCanBeAskedFor() throws {
    let listener = try DatagramListener()
    var logger = Logger(label: "worker") { JournaldLogHandler(label: $0, socketPath: listener.path) }
    logger[metadataKey: "job"] = "812"
    logger.warning(
      "job failed", metadata: ["attempt": "4711", "event": "\(LogEventID.jobFailed.rawValue)", "odd-key!": "x"])
    let fields = Set(listener.receiveText().split(separator: "\n").map(String.init))
    #expect(
      fields.isSuperset(of: [
        "MESSAGE=job failed", "PRIORITY=4", "SYSLOG_IDENTIFIER=tintype", "TINTYPE_JOB=812", "TINTYPE_ATTEMPT=4711",
        "MESSAGE_ID=\(LogEventID.jobFailed.rawValue)", "TINTYPE_ODD_KEY_=x",
      ]))
  }

  @Test func aValueWithLineBreaksCannotForgeAField() {
    let entry = JournaldLogHandler.entry(
      message: "broken\nPRIORITY=0", level: .info, label: "l", metadata: [:], file: "f", line: 1)
    let expected = Array("MESSAGE\n".utf8) + [17, 0, 0, 0, 0, 0, 0, 0] + Array("broken\nPRIORITY=0\n".utf8)
    #expect(Array(entry.prefix(expected.count)) == expected)
  }

  @Test func messageIDsAreDistinctAndOf128Bits() {
    let ids = LogEventID.allCases.map(\.rawValue)
    #expect(Set(ids).count == ids.count)
    for id in ids { #expect(id.count == 32 && id.allSatisfy { $0.isHexDigit && !$0.isUppercase }) }
  }

  @Test func theJournalIsRecognisedByDeviceAndInode() throws {
    var status = stat()
    unsafe #expect(fstat(0, &status) == 0)
    let stream = "\(status.st_dev):\(status.st_ino)"
    #expect(JournaldLogHandler.isJournal(environment: ["JOURNAL_STREAM": stream], descriptor: 0))
    #expect(!JournaldLogHandler.isJournal(environment: ["JOURNAL_STREAM": stream + "1"], descriptor: 0))
    #expect(!JournaldLogHandler.isJournal(environment: [:], descriptor: 0))
    #expect(LogDestination.detected(environment: ["JOURNAL_STREAM": "0:0"]) == .terminal)
  }

  @Test func aTerminalLineIsOneLine() {
    let line = TerminalLogHandler.line(
      "two\nlines", level: .error, metadata: ["job": "1", "error": "says \"no\"\nand more", "event": "hidden"],
      colour: false)
    #expect(line == "error   two⏎lines error=\"says \\\"no\\\"⏎and more\" job=1")
  }

  @Test func coloursOnlyWhatNeedsAttention() {
    let error = TerminalLogHandler.line("m", level: .error, metadata: [:], colour: true)
    #expect(error.hasPrefix("\u{1B}[31merror"))
    #expect(TerminalLogHandler.line("m", level: .info, metadata: [:], colour: true) == "info    m")
  }

  @Test func aCallsMetadataWinsOverTheLoggers() {
    let sink = LineSink()
    var logger = Logger(label: "worker") { TerminalLogHandler(label: $0, write: sink.append) }
    logger[metadataKey: "job"] = "1"
    logger.info("done", metadata: ["job": "2"])
    #expect(sink.lines.count == 1)
    #expect(sink.lines[0].hasSuffix(" info    done job=2\n"))
  }
}
