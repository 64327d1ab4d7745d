import Foundation
import JobStore
import Testing

/// JSON that comes out of the database goes on as JSON.
@Suite struct JSONTextTests {
  private func encoded(_ text: String) throws -> String {
    let encoder = JSONEncoder()
    // As the command prints it: keys of the submitter's must survive the strategy.
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(["value": JSONText(text)]), as: UTF8.self)
  }

  @Test(arguments: [
    #"{}"#, #"[]"#, #"null"#, #"true"#, #""a/\"b""#, #"{"orderId":{"Ünï-key":[1,-2.5,"x",null,false,{}]}}"#,
    "[0.1,12345678901234567890,9223372036854775807,1]",
  ]) func aValueStaysItself(_ text: String) throws {
    #expect(try encoded(text) == #"{"value":\#(text)}"#)
  }

  @Test func whatNoNumberTypeHoldsStaysAString() throws {
    #expect(try encoded("[1e400]") == #"{"value":"[1e400]"}"#)
  }
}
