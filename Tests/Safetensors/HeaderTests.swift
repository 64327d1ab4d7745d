import Safetensors
import Testing

/// What a header may say, and every way in which it may not.
@Suite struct HeaderTests {
  struct Refusal: CustomTestStringConvertible, Sendable {
    let header: String
    let payload: Int
    let code: SafetensorsError.Code
    let fragment: String
    var testDescription: String { "\(header.prefix(80)) + \(payload)" }

    init(_ header: String, _ payload: Int, _ code: SafetensorsError.Code, _ fragment: String) {
      (self.header, self.payload, self.code, self.fragment) = (header, payload, code, fragment)
    }
    init(_ header: String, _ payload: Int, _ fragment: String) { self.init(header, payload, .invalidHeader, fragment) }
    init(_ header: String, _ fragment: String) { self.init(header, 8, fragment) }
  }

  static func entry(_ name: String = "a", dtype: String = "F32", shape: String = "[2]", offsets: String = "[0,8]")
    -> String
  {
    #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  static let refusals: [Refusal] = [
    // Not the object that it should be.
    .init("", "does not begin with '{'"), .init(" {}", 0, "does not begin with '{'"), .init("[]", "does not begin"),
    .init("{", "ends at byte 1"), .init("{}x", 0, "only spaces behind the object"),
    .init("{}{}", 0, "only spaces behind the object"), .init("{\(entry())", "',' or '}'"),
    .init("{\(entry()),}", "has '}' at byte 54, expected a string"), .init("{,}", "expected a string"),
    .init(#"{"a"}"#, "expected ':'"), .init(#"{"a":1}"#, "expected '{'"), .init(#"{"a":null}"#, "expected '{'"),
    .init(#"{'a':{}}"#, "expected a string"),
    // Equal keys.
    .init("{\(entry()),\(entry())}", #"key "a" twice"#), .init("{\(entry()),\(entry("\\u0061"))}", #"key "a" twice"#),
    .init(#"{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}"#, #"key "dtype" twice"#),
    .init(#"{"__metadata__":{"k":"v","k":"w"}}"#, 0, #"key "k" twice"#),
    .init(#"{"__metadata__":{},"__metadata__":{}}"#, 0, #"key "__metadata__" twice"#),
    // Metadata is text to text.
    .init(#"{"__metadata__":{"k":1}}"#, 0, "expected a string"),
    .init(#"{"__metadata__":{"k":{"l":"m"}}}"#, 0, "expected a string"),
    .init(#"{"__metadata__":[]}"#, 0, "expected '{'"),
    // Members of a tensor.
    .init(#"{"a":{}}"#, #"has no "dtype""#), .init(#"{"a":{"dtype":"F32"}}"#, #"has no "shape""#),
    .init(#"{"a":{"dtype":"F32","shape":[2]}}"#, #"has no "data_offsets""#),
    .init(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, #"has the key "x""#),
    .init("{\(entry(dtype: "F31"))}", #"dtype "F31", expected one of BOOL"#),
    .init("{\(entry(dtype: "f32"))}", #"dtype "f32""#),
    .init("{\(entry(offsets: "[0]"))}", "data_offsets [0]"), .init("{\(entry(offsets: "[0,8,8]"))}", "[0, 8, 8]"),
    .init("{\(entry(offsets: "[8,0]"))}", "the second not below the first"),
    // Numbers that are no sizes.
    .init("{\(entry(shape: "[-2]"))}", "whole number"), .init("{\(entry(shape: "[2.0]"))}", "',' or ']'"),
    .init("{\(entry(shape: "[2e0]"))}", "',' or ']'"), .init("{\(entry(shape: "[02]"))}", "leading zero"),
    .init("{\(entry(shape: "[+2]"))}", "whole number"), .init("{\(entry(shape: "[\"2\"]"))}", "whole number"),
    .init("{\(entry(shape: "[9223372036854775808]"))}", "larger than any file"),
    .init("{\(entry(shape: "[99999999999999999999999]"))}", "larger than any file"),
    .init("{\(entry(shape: "2"))}", "expected '['"), .init("{\(entry(shape: "[2,]"))}", "whole number"),
    .init("{\(entry(shape: "[[2]]"))}", "whole number"),
    // Text.
    .init("{\"a\u{1}\":{}}", "control character"), .init(#"{"a\x":{}}"#, "escape sequence"),
    .init(#"{"a\u12":{}}"#, "hexadecimal"), .init(#"{"\ud83d":{}}"#, "surrogate"),
    .init(#"{"\ud83d\u0041":{}}"#, "surrogate"), .init(#"{"\ude00":{}}"#, "surrogate"),
    .init(#"{"a"#, "end of a string"),
    .init(#"{"a\"#, "escape sequence"),
    // Sizes that contradict each other or the file.
    .init(
      "{\(entry(shape: "[3]"))}", 8, .inconsistent,
      "has 8 bytes (data_offsets [0, 8]), expected 12 for F32 of shape [3]"),
    .init("{\(entry(shape: "[4611686018427387904,4]"))}", 8, .inconsistent, "larger than any file"),
    // 2^62 · 8 bytes wraps around to 0.
    .init("{\(entry(shape: "[4611686018427387904,2]", offsets: "[0,0]"))}", 0, .inconsistent, "larger than any file"),
    .init("{\(entry(dtype: "F4", shape: "[3]", offsets: "[0,1]"))}", 1, .inconsistent, "whole bytes"),
    .init("{\(entry())}", 7, .truncated, "has 7 bytes of tensors, expected 8"),
    .init("{\(entry())}", 9, .inconsistent, "1 bytes behind the last tensor"),
    .init("{}", 1, .inconsistent, "behind the last tensor"),
    .init(
      "{\(entry(offsets: "[8,16]"))}", 16, .inconsistent,
      "leaves bytes unused before it: it begins at byte 8, expected 0"),
    .init("{\(entry()),\(entry("b"))}", 8, .inconsistent, "overlaps the tensor before it"),
    .init("{\(entry()),\(entry("b", offsets: "[4,12]"))}", 12, .inconsistent, "overlaps"),
    .init("{\(entry()),\(entry("b", offsets: "[12,20]"))}", 20, .inconsistent, "leaves bytes unused"),
  ]

  @Test(arguments: refusals) func refuses(_ refusal: Refusal) throws {
    let scratch = try Scratch()
    let error = try #require(
      try safetensorsError { _ = try scratch.open(header: refusal.header, payload: refusal.payload) })
    #expect(error.code == refusal.code)
    #expect(error.message.contains(refusal.fragment), "\(error)")
    #expect(error.path.hasPrefix(scratch.path))
  }

  @Test(arguments: [
    ("{}", 0), ("{}     \n\t\r", 0), ("{ \(entry()) }", 8), ("{\(entry("b", offsets: "[8,16]")),\(entry())}", 16),
    ("{\(entry(shape: "[]", offsets: "[0,4]"))}", 4), ("{\(entry(shape: "[2,0,9]", offsets: "[0,0]"))}", 0),
    // Empty tensors may lie between others, and share their place.
    ("{\(entry()),\(entry("e", shape: "[0]", offsets: "[8,8]")),\(entry("g", shape: "[0]", offsets: "[8,8]"))}", 8),
    ("{\(entry("e", shape: "[0]", offsets: "[0,0]")),\(entry())}", 8),
    ("{\(entry(dtype: "F4", shape: "[2]", offsets: "[0,1]"))}", 1),
    ("{\(entry(dtype: "F6_E2M3", shape: "[4]", offsets: "[0,3]"))}", 3),
    ("{\(entry("\\ud83d\\ude00\\/\\b\\u00e9"))}", 8), (#"{"__metadata__":{}}"#, 0),
  ]) func accepts(header: String, payload: Int) throws {
    _ = try Scratch().open(header: header, payload: payload)
  }

  @Test func ordersBytesByOffsetNotByKey() throws {
    let header = "{\(Self.entry("b", offsets: "[8,16]")),\(Self.entry())}"
    let file = try Scratch().open(header: header, payload: 16)
    #expect(try file.bytes("a") == Array(0..<8))
    #expect(try file.bytes("b") == Array(8..<16))
  }

  @Test func decodesEscapes() throws {
    let file = try Scratch().open(header: "{\(Self.entry(#"\ud83d\ude00\/\"\\\u00E9\n"#))}", payload: 8)
    #expect(file.tensors.keys.first == "😀/\"\\é\n")
  }

  @Test func refusesTextThatIsNotUTF8() throws {
    let scratch = try Scratch()
    let header = Array("{\"".utf8) + [0xff] + Array("\":{}}".utf8)
    let error = try safetensorsError {
      _ = try SafetensorsFile(path: scratch.file(contents(header: header, payload: 0)))
    }
    #expect(error?.message == "the header is not valid UTF-8")
  }

  @Test(arguments: [0, 1, 7]) func refusesAFileWithoutALength(count: Int) throws {
    let scratch = try Scratch()
    let path = try scratch.file(Array(repeating: 0, count: count))
    #expect(try safetensorsError { _ = try SafetensorsFile(path: path) }?.code == .truncated)
  }

  @Test func capsTheHeader() throws {
    let scratch = try Scratch()
    // A length of 100,000,001, of 2^63 and of 2^64 - 1, none of which may be allocated or overflow.
    for length: [UInt8] in [
      [1, 0xe1, 0xf5, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0x80], Array(repeating: 0xff, count: 8),
    ] {
      let path = try scratch.file(length + Array("{}".utf8))
      let error = try #require(try safetensorsError { _ = try SafetensorsFile(path: path) })
      #expect(error.message.contains("expected at most 100000000"), "\(error)")
    }
    let path = try scratch.file([3, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8))
    #expect(try safetensorsError { _ = try SafetensorsFile(path: path) }?.code == .truncated)
  }

  /// Nesting that would exhaust the stack of a recursive parser.
  @Test func survivesDeepNesting() throws {
    let header = "{\"a\":" + String(repeating: "[", count: 200_000)
    #expect(try safetensorsError { _ = try Scratch().open(header: header, payload: 0) }?.code == .invalidHeader)
  }
}
