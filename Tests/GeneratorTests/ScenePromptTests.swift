import Schema
import Testing

@testable import Generator

/// The English of prompts.
@Suite struct ScenePromptTests {
  @Test(
    "articles, numbers, plurals and pairs",
    arguments: [
      ("cat", 1, "a cat"), ("owl", 1, "an owl"), ("unicorn", 1, "a unicorn"),
      ("umbrella", 1, "an umbrella"), ("cat", 2, "two cats"), ("bus", 3, "three buses"),
      ("couch", 2, "two couches"), ("person", 4, "four people"), ("sheep", 2, "two sheep"),
      ("computer mouse", 2, "two computer mice"), ("fairy", 2, "two fairies"),
      ("monkey", 2, "two monkeys"), ("potato", 2, "two potatoes"), ("piano", 2, "two pianos"),
      ("wine glass", 2, "two wine glasses"), ("scissors", 1, "a pair of scissors"),
      ("scissors", 2, "two pairs of scissors"), ("grapes", 1, "some grapes"),
      ("french fries", 3, "some french fries"), ("ox", 2, "two oxen"),
      ("giraffe", 2, "two giraffes"), ("maple leaf", 2, "two maple leaves"),
    ])
  func phrases(noun: String, count: Int, expected: String) {
    #expect(ScenePrompt.phrase(noun, count: count) == expected)
  }

  @Test("objects are listed with commas and one 'and', then the place")
  func lists() throws {
    let (cat, bus, owl) = (
      try CategoryName("cat"), try CategoryName("bus"), try CategoryName("owl")
    )
    #expect(
      ScenePrompt.text(objects: [(cat, 1), (bus, 1)], place: "on the grass")
        == "a photograph of a cat and a bus on the grass")
    #expect(
      ScenePrompt.text(objects: [(cat, 2), (bus, 1), (owl, 1)], place: "at night")
        == "a photograph of two cats, a bus and an owl at night")
    #expect(
      ScenePrompt.text(objects: [(owl, 1)], place: "in the sky")
        == "a photograph of an owl in the sky")
  }
}
