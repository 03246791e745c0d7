/// The version of this release, the same for all programs.
public enum Release {
  /// Semantic version (<https://semver.org>).
  public static let version = "0.1.0"
}
