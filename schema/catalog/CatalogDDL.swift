import Foundation

/// The SQL that makes a catalog, one frozen text per version.
public enum CatalogDDL {
  /// From an empty database to version 1.
  public static var version1: String {
    String(decoding: PackageResources.catalog_v1_sql, as: UTF8.self)
  }

  /// From version 1 to version 2.
  public static var version2: String {
    String(decoding: PackageResources.catalog_v2_sql, as: UTF8.self)
  }

  /// From version 2 to version 3.
  public static var version3: String {
    String(decoding: PackageResources.catalog_v3_sql, as: UTF8.self)
  }
}
