/// Reads the header of a body as nearly everybody writes it.
///
/// A header is a few hundred bytes, and a general decoder takes longer for it than the codec for a
/// small image. So what has only the three known keys, texts without escapes and numbers of digits
/// is read here; anything else gives nil and is left to the general decoder, which also says what is
/// wrong with it.
struct SafetensorsHeader {
  private let bytes: [UInt8]
  private var position = 0

  /// The entries of a header by name; nil when it is not plain.
  static func plainEntries(_ bytes: ArraySlice<UInt8>) -> [String: Safetensors.Entry]? {
    var reader = SafetensorsHeader(bytes: Array(bytes))
    return reader.entries()
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func entries() -> [String: Safetensors.Entry]? {
    var entries: [String: Safetensors.Entry] = [:]
    guard take("{") else { return nil }
    repeat {
      guard let name = text(), name != "__metadata__", take(":"), let entry = entry(),
        entries.updateValue(entry, forKey: name) == nil
      else { return nil }
    } while take(",")
    guard take("}") else { return nil }
    skipSpace()
    return position == bytes.count ? entries : nil
  }

  private mutating func entry() -> Safetensors.Entry? {
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    guard take("{") else { return nil }
    repeat {
      guard let key = text(), take(":") else { return nil }
      switch key {
      case "dtype" where type == nil: type = text()
      case "shape" where shape == nil: shape = numbers()
      case "data_offsets" where offsets == nil: offsets = numbers()
      default: return nil
      }
    } while take(",")
    guard take("}"), let type, let shape, let offsets else { return nil }
    return Safetensors.Entry(dtype: type, shape: shape, data_offsets: offsets)
  }

  private mutating func numbers() -> [Int]? {
    var numbers: [Int] = []
    guard take("[") else { return nil }
    if take("]") { return numbers }
    repeat {
      guard let number = number() else { return nil }
      numbers.append(number)
    } while take(",")
    return take("]") ? numbers : nil
  }

  private mutating func number() -> Int? {
    skipSpace()
    let start = position
    var number = 0
    while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10
    {
      number = number * 10 + Int(digit)
      position += 1
      guard position - start <= 15 else { return nil }
    }
    let count = position - start
    return count == 0 || (count > 1 && bytes[start] == UInt8(ascii: "0")) ? nil : number
  }

  private mutating func text() -> String? {
    guard take("\"") else { return nil }
    let start = position
    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
      guard bytes[position] >= 0x20, bytes[position] < 0x7F, bytes[position] != UInt8(ascii: "\\")
      else { return nil }
      position += 1
    }
    guard position < bytes.count else { return nil }
    position += 1
    return String(decoding: bytes[start..<position - 1], as: UTF8.self)
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }
}
