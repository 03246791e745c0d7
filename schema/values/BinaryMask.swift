/// The pixels of one object, `[height, width]`, each 0 or 1, rows from the top.
public struct BinaryMask: Sendable, Equatable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  /// `height * width` values, each 0 or 1.
  public let values: [UInt8]

  /// Wraps values.
  ///
  /// - Precondition: `values` holds `height * width` values, each 0 or 1; values from outside go
  ///   through ``init(width:height:validating:)``.
  public init(width: Int, height: Int, values: [UInt8]) {
    precondition(
      values.count == width * height,
      "\(values.count) values for a mask of [\(height), \(width)]")
    self.width = width
    self.height = height
    self.values = values
  }

  /// Wraps values that came from outside.
  ///
  /// - Throws: ``SchemaError/Code/badBody`` when the count is wrong or a value is neither 0 nor 1.
  public init(width: Int, height: Int, validating values: [UInt8]) throws(SchemaError) {
    guard values.count == width * height else {
      throw SchemaError(
        .badBody, "a mask of [\(height), \(width)] has \(values.count) values")
    }
    // All at once, which compilers make quick; the place only of what is wrong.
    if values.reduce(0, |) > 1, let index = values.firstIndex(where: { $0 > 1 }) {
      throw SchemaError(
        .badBody, "mask value \(values[index]) at pixel \(index); expected 0 or 1")
    }
    self.init(width: width, height: height, values: values)
  }

  /// How many pixels are 1.
  public var pixelCount: Int {
    var count: UInt32 = 0
    for value in values { count &+= UInt32(value) }
    return Int(count)
  }
}
