import GRDB
public import Schema

extension TripletStore {
  /// The categories of a split in its order, or nil with the names of all splits that there are.
  ///
  /// - Throws: ``StoreError/Code/unwritable`` or another code when the catalog cannot be read.
  public func split(
    _ name: String
  ) throws(StoreError) -> (found: (seen: [CategoryName], unseen: [CategoryName])?, names: [String])
  {
    try read("a split") { db in
      let names = try String.fetchAll(db, sql: "SELECT name FROM split ORDER BY name")
      guard names.contains(name) else { return (nil, names) }
      var (seen, unseen): ([CategoryName], [CategoryName]) = ([], [])
      let select = try db.cachedStatement(
        sql: "SELECT category, is_unseen FROM split_category WHERE split = ? ORDER BY position")
      for row in try Row.fetchAll(select.bound([name])) {
        let text: String = try row.get("category")
        let isUnseen: Bool = try row.get("is_unseen")
        let category = try CategoryName(text)
        if isUnseen { unseen.append(category) } else { seen.append(category) }
      }
      return ((seen, unseen), names)
    }
  }
}
