package import Schema

/// Says in plain English what a scene shows.
package enum ScenePrompt {
  /// `a photograph of two cats and a bus on the grass`.
  ///
  /// - Parameters:
  ///   - objects: Categories with how many there are of each, at least one, in the order in which
  ///     they are named.
  ///   - place: Follows them, such as `on the grass`.
  package static func text(
    objects: [(category: CategoryName, count: Int)], place: String
  ) -> String {
    let phrases = objects.map { phrase($0.category.text, count: $0.count) }
    let list =
      phrases.count == 1
      ? phrases[0]
      : phrases.dropLast().joined(separator: ", ") + " and " + phrases[phrases.count - 1]
    return "a photograph of \(list) \(place)"
  }

  /// A category with its article or number: `an owl`, `three buses`, `a pair of scissors`.
  package static func phrase(_ noun: String, count: Int) -> String {
    if pairs.contains(noun) {
      return count == 1 ? "a pair of \(noun)" : "\(number(count)) pairs of \(noun)"
    }
    if masses.contains(noun) { return "some \(noun)" }
    return count == 1 ? "\(article(noun)) \(noun)" : "\(number(count)) \(plural(noun))"
  }

  /// The plural of a noun phrase, by its last word.
  package static func plural(_ noun: String) -> String {
    let words = noun.split(separator: " ", omittingEmptySubsequences: false)
    guard let last = words.last.map(String.init) else { return noun }
    let ending: String
    if let irregular = irregularPlurals[last] {
      ending = irregular
    } else if ["s", "x", "z", "ch", "sh"].contains(where: last.hasSuffix) {
      ending = last + "es"
    } else if last.hasSuffix("y"), let before = last.dropLast().last, !"aeiou".contains(before) {
      ending = last.dropLast() + "ies"
    } else {
      ending = last + "s"
    }
    return (words.dropLast().map(String.init) + [ending]).joined(separator: " ")
  }

  private static func article(_ noun: String) -> String {
    if soundsLikeConsonant.contains(where: noun.hasPrefix) { return "a" }
    if soundsLikeVowel.contains(where: noun.hasPrefix) { return "an" }
    return noun.first.map { "aeiou".contains($0) } == true ? "an" : "a"
  }

  private static func number(_ count: Int) -> String {
    let words = ["no", "one", "two", "three", "four"]
    return count < words.count ? words[count] : "\(count)"
  }

  private static let soundsLikeConsonant = ["uni", "use", "eu", "ewe", "one", "ukulele"]
  private static let soundsLikeVowel = ["hour", "honest", "heir"]
  private static let pairs: Set<String> = [
    "scissors", "glasses", "jeans", "trousers", "shorts", "skis",
  ]
  private static let masses: Set<String> = [
    "bread", "broccoli", "cheese", "cherries", "corn", "cutlery", "french fries", "grapes",
    "ice cream", "peanuts", "popcorn", "sushi", "yarn",
  ]
  private static let irregularPlurals = [
    "person": "people", "man": "men", "woman": "women", "child": "children", "sheep": "sheep",
    "deer": "deer", "bison": "bison", "fish": "fish", "shrimp": "shrimp", "squid": "squid",
    "moai": "moai", "mouse": "mice", "goose": "geese", "ox": "oxen", "wolf": "wolves",
    "elf": "elves", "leaf": "leaves", "knife": "knives", "tomato": "tomatoes",
    "potato": "potatoes", "mosquito": "mosquitoes", "mango": "mangoes", "foot": "feet",
    "tooth": "teeth", "aircraft": "aircraft",
  ]
}
