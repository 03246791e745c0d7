/// A tensor of a batch.
///
/// ``BatchGet`` describes each; the order here is their order in the body.
public enum BatchTensor: String, Codable, Sendable, CaseIterable {
  /// Pixels.
  case image
  /// Label map over the stream's categories.
  case labels
  /// Mask of the category each triplet was drawn for.
  case target
  /// Position of that category.
  case category
  /// Ids.
  case triplet
  /// Chance of each draw.
  case probability
  /// Masks of all objects, with their labels and offsets.
  case instances

  /// What a stream gives unless asked otherwise.
  public static let standard: [BatchTensor] = [
    .image, .labels, .target, .category, .triplet, .probability,
  ]
}

/// How the pixels of an image tensor lie.
public enum PixelLayout: String, Codable, Sendable, CaseIterable {
  /// `[n, height, width, 3]`.
  case nhwc
  /// `[n, 3, height, width]`.
  case nchw
}

/// How images change their size.
public enum ResizeFilter: String, Codable, Sendable, CaseIterable {
  /// The mean of the area that a pixel stands for; `bilinear` where the image grows.
  case area
  /// Between the four nearest pixels, centres aligned.
  case bilinear
}
