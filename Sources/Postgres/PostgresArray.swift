/// PostgreSQL's text form of a one-dimensional array, with every element quoted: an empty string, `NULL` as a word,
/// commas, braces and surrounding spaces all keep their meaning.
func arrayLiteral(_ elements: [String?]) -> String {
  let items = elements.map { element in
    guard let element else { return "NULL" }
    var quoted = "\""
    for character in element.unicodeScalars {
      if character == "\"" || character == "\\" { quoted.unicodeScalars.append("\\") }
      quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
  }
  return "{\(items.joined(separator: ","))}"
}

/// Reads PostgreSQL's text form of a one-dimensional array. Nil when the text is not one: of more dimensions, or with
/// explicit bounds, say.
func arrayElements(_ literal: String) -> [String?]? {
  var input = Substring(literal).unicodeScalars
  guard input.popFirst() == "{" else { return nil }
  if input.first == "}" { return input.dropFirst().isEmpty ? [] : nil }
  var elements: [String?] = []
  while true {
    guard let element = arrayElement(&input) else { return nil }
    elements.append(element)
    switch input.popFirst() {
    case ",": continue
    case "}": return input.isEmpty ? elements : nil
    default: return nil
    }
  }
}

/// Reads one element, quoted or not. The outer nil means malformed, the inner one NULL.
private func arrayElement(_ input: inout Substring.UnicodeScalarView) -> String?? {
  var text = String.UnicodeScalarView()
  let isQuoted = input.first == "\""
  if isQuoted { input.removeFirst() }
  while let next = input.first {
    switch next {
    case "\"" where isQuoted:
      input.removeFirst()
      return .some(String(text))
    case "\\":
      input.removeFirst()
      guard let escaped = input.popFirst() else { return nil }
      text.append(escaped)
    case ",", "}":
      guard !isQuoted else { fallthrough }
      let word = String(text)
      guard !word.isEmpty else { return nil }
      return .some(word.uppercased() == "NULL" ? nil : word)
    case "{":
      guard isQuoted else { return nil }
      fallthrough
    default:
      input.removeFirst()
      text.append(next)
    }
  }
  return nil
}
