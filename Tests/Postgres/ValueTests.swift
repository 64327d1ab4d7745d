import Postgres
import TestSupport
import Testing

@Suite struct ValueTests {
  /// Sends a value as `$1`, cast to a type, and reads it back.
  private func roundTrip<T: PostgresDecodable>(
    _ value: PostgresValue?, as type: String, _ result: T.Type = T.self, on connection: PostgresConnection
  ) async throws -> T {
    try await connection.query("SELECT $1::\(type) AS v", [value]).rows[0].decode("v")
  }

  @Test func everyByteSurvivesBothByteaFormats() async throws {
    let connection = try await connectShared()
    let all = (0...255).map(UInt8.init) + [92, 120, 92, 92, 0, 255]
    for format in ["hex", "escape"] {
      try await connection.execute("SET bytea_output = \(format)")
      #expect(try await roundTrip(.bytes(all), as: "bytea", on: connection) == all)
      #expect(try await roundTrip(.bytes([]), as: "bytea", on: connection) == [UInt8]())
      #expect(try await roundTrip(.bytes(Array("\\x41".utf8)), as: "bytea", on: connection) == Array("\\x41".utf8))
      #expect(
        try await connection.query("SELECT get_byte($1, 200) AS b", [.bytes(all)]).rows[0].decode("b", Int.self) == 200)
    }
    #expect(try await roundTrip(nil, as: "bytea", [UInt8]?.self, on: connection) == nil)
  }

  @Test func tenMegabytesGoThereAndBack() async throws {
    let connection = try await connectShared()
    // In blocks whose length no buffer size divides, so that a block out of place is a difference.
    let block = (0..<10_007).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    let bytes = [UInt8](repeatElement(block, count: 1000).joined())
    #expect(try await roundTrip(.bytes(bytes), as: "bytea", on: connection) == bytes)
    let text = String(repeating: "å∂𝄞a", count: 1_000_000)
    #expect(try await roundTrip(.text(text), as: "text", on: connection) == text)
  }

  @Test func aResultOfAHundredThousandRowsArrivesWhole() async throws {
    let connection = try await connectShared()
    let result = try await connection.query(
      "SELECT n, repeat(chr(65 + n % 26), 300) AS t FROM generate_series(0, 99999) AS n ORDER BY n")
    #expect(result.rows.count == 100_000)
    // Every thousandth, and the ends: decoding all of them would only take longer.
    for n in Array(stride(from: 0, to: 100_000, by: 1000)) + [99_999] {
      #expect(try result.rows[n].decode("n", Int.self) == n)
      let letter = String(UnicodeScalar(UInt8(65 + n % 26)))
      #expect(try result.rows[n]["t"] == String(repeating: letter, count: 300))
    }
  }

  @Test func nulCharactersAreRefusedBeforeAnythingIsSent() async throws {
    let connection = try await connectShared()
    let text = await #expect(throws: PostgresError.self) {
      try await connection.query("SELECT $1, $2::text", ["fine", .text("a\0b")])
    }
    #expect(text?.code == .misuse)
    #expect(text?.message.contains("$2") == true)
    #expect(text?.message.contains("U+0000") == true)
    await #expect(throws: PostgresError.self) { try await connection.query("SELECT $1::text[]", [.textArray(["\0"])]) }
    await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1 \0 DROP") }
    await #expect(throws: PostgresError.self) { try await connection.execute("SELECT 1 \0 DROP") }
    await #expect(throws: PostgresError.self) { try await connection.listen("a\0b") }
    #expect(try await connection.query("SELECT 1").rows.count == 1)
  }

  @Test func textIsNeverPartOfTheStatement() async throws {
    let connection = try await connectShared()
    for text in ["'; DROP TABLE jobs; --", "$1", "\\", "\"", "", "NULL", "emoji 🛶 é\u{301}", "\u{1}\n\t"] {
      #expect(try await roundTrip(.text(text), as: "text", on: connection) == text)
    }
  }

  @Test func numbersKeepEveryBit() async throws {
    let connection = try await connectShared()
    for value in [Int64.min, -1, 0, Int64.max] {
      #expect(try await roundTrip(.int(value), as: "bigint", on: connection) == value)
    }
    for value in [0.1, 1e300, -0.0, .leastNonzeroMagnitude, .infinity, -.infinity, .greatestFiniteMagnitude] {
      let back: Double = try await roundTrip(.double(value), as: "float8", on: connection)
      #expect(back.bitPattern == value.bitPattern)
    }
    #expect(try await roundTrip(.double(.nan), as: "float8", Double.self, on: connection).isNaN)
    #expect(try await roundTrip(0.5, as: "float4", Float.self, on: connection) == 0.5)
    for value in [true, false] {
      #expect(try await roundTrip(.bool(value), as: "bool", on: connection) == value)
    }
  }

  @Test func arraysKeepEveryElement() async throws {
    let connection = try await connectShared()
    let texts: [String?] = ["", "NULL", nil, "a,b", "{}", "\"q\"", "back\\slash", " spaced ", "line\nfeed", "ü"]
    #expect(try await roundTrip(.textArray(texts), as: "text[]", on: connection) == texts)
    #expect(try await roundTrip(.textArray([]), as: "text[]", on: connection) == [String]())
    #expect(try await roundTrip(.intArray([.min, 0, .max]), as: "bigint[]", on: connection) == [Int64.min, 0, .max])
    let counted = try await connection.query("SELECT n FROM unnest($1::bigint[]) AS n", [.intArray([5, 6])])
    #expect(try counted.rows.map { try $0.decode("n", Int64.self) } == [5, 6])
    let matching = try await connection.query(
      "SELECT v FROM (VALUES ('a'), ('b'), ('c')) AS t(v) WHERE v = ANY($1) ORDER BY v", [.textArray(["c", "a"])])
    #expect(try matching.rows.map { try $0.decode("v", String.self) } == ["a", "c"])
    // Shapes that a flat Swift array cannot hold are refused, not flattened.
    for literal in ["'{{1,2},{3,4}}'::int[]", "'[0:1]={1,2}'::int[]"] {
      let row = try await connection.query("SELECT \(literal) AS v").rows[0]
      #expect(throws: PostgresError.self) { try row.decode("v", [Int].self) }
    }
  }

  @Test func decodingErrorsNameTheColumn() async throws {
    let connection = try await connectShared()
    let row = try await connection.query(
      "SELECT NULL::int AS nothing, 'abc' AS word, 300 AS big, 't'::bool AS yes, ARRAY[1, NULL] AS gaps, '\\x4' AS odd"
    ).rows[0]
    #expect(try row.decode("nothing", Int?.self) == nil)
    #expect(try row.decode("big", Int?.self) == 300)
    #expect(try row["nothing"] == nil)
    #expect(try row.decode("gaps", [Int?].self) == [1, nil])
    let attempts: [(String, (PostgresRow) throws -> Void)] = [
      ("nothing", { _ = try $0.decode("nothing", Int.self) }), ("word", { _ = try $0.decode("word", Int64.self) }),
      ("odd", { _ = try $0.decode("odd", [UInt8].self) }), ("big", { _ = try $0.decode("big", Bool.self) }),
      ("yes", { _ = try $0.decode("yes", Double.self) }), ("gaps", { _ = try $0.decode("gaps", [Int].self) }),
      ("missing", { _ = try $0["missing"] }),
    ]
    for (column, attempt) in attempts {
      let error = #expect(throws: PostgresError.self) { try attempt(row) }
      #expect(error?.code == .decoding)
      #expect(error?.column == column)
      #expect(error?.message.contains("\"\(column)\"") == true)
    }
  }

  @Test func tooManyParametersAreRefused() async throws {
    let connection = try await connectShared()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.query("SELECT 1", Array(repeating: 1, count: 65_536))
    }
    #expect(error?.code == .misuse)
  }
}
