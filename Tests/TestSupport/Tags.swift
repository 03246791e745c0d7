public import Testing

extension Tag {
  /// Takes over a second.
  @Tag public static var slow: Self
}
