import Schema
import Store
import TestSupport
import Testing

/// Lists that grow while they are read.
@Suite struct CategoryListTests {
  @Test("every entry is where it was put, on both sides of each segment's end")
  func entries() throws {
    for count in [0, 1, 255, 256, 257, 511, 512, 513, 1024, 1025, 70_000] {
      let list = CategoryList((0..<count).map { UInt32($0 * 3 + 1) })
      #expect(list.count == count)
      #expect((0..<count).allSatisfy { list[$0] == TripletID($0 * 3 + 1) })
    }
    let list = CategoryList()
    list.append(CategoryList.maximumID)
    #expect(list[0] == CategoryList.maximumID)
  }

  @Test("a view looks its draws up in their order, and keeps to its count while the list grows")
  func views() throws {
    let lists = [CategoryList([2, 4, 6]), CategoryList((1...1000).map { $0 * 10 })]
    var view = SnapshotView(
      snapshot: 9,
      categories: try lists.enumerated().map { index, list in
        .init(name: try CategoryName("category \(index)"), count: list.count, list: list)
      })
    lists[0].append(8)
    #expect(view.categories.map(\.count) == [3, 1000])
    let draws = [
      Draw(category: 1, item: 999), Draw(category: 0, item: 2), Draw(category: 1, item: 0),
    ]
    #expect(view.triplets(draws) == [10_000, 6, 10])
    #expect(view.triplet(category: 0, item: 1) == 4)
    let longer = SnapshotView(
      snapshot: 9,
      categories: [
        .init(name: view.categories[0].name, count: 4, list: lists[0]),
        .init(name: view.categories[1].name, count: 5, list: CategoryList([1, 2, 3, 4, 5])),
      ])
    view.take([0, 1], from: longer)
    #expect(view.categories.map(\.count) == [4, 1000])
    #expect(view.triplets([Draw(category: 0, item: 3), Draw(category: 1, item: 1)]) == [8, 20])
  }

  @Test("readers see whole entries below the count while the store appends")
  func concurrent() async {
    let list = CategoryList()
    let wrong = await withTaskGroup(of: Int.self) { group in
      group.addTask {
        for id in 1...200_000 { list.append(TripletID(id)) }
        return 0
      }
      for _ in 0..<2 {
        group.addTask {
          var wrong = 0
          while list.count < 200_000 {
            let count = list.count
            guard count > 0 else { continue }
            if list[count - 1] != TripletID(count) || list[count / 2] != TripletID(count / 2 + 1) {
              wrong += 1
            }
          }
          return wrong
        }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }

  @Test("a draw beyond the view's count traps, although the list has an entry there")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      let list = CategoryList([1, 2, 3])
      let view = SnapshotView(
        snapshot: 1, categories: [.init(name: try CategoryName("cat"), count: 2, list: list)])
      _ = view.triplet(category: 0, item: 2)
    }
  }
}
