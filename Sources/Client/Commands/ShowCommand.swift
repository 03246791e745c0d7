import ArgumentParser
import Imaging
import Schema

/// `groundwell show`.
struct ShowCommand: ClientCommand {
  /// Pixels that the picture takes at least along its longer side.
  private static let tileSide = 384

  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one triplet: its prompt, masks and provenance.")

  @Argument(help: "Number of the triplet, as 'groundwell query' lists it.")
  var triplet: TripletID

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp(
      "Write a PNG with the image, the image under its masks, and the prompt.",
      valueName: "file"))
  var file: String?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    guard let found = try connection.connect(in: console).triplets([triplet]).first else {
      return
    }
    if let file {
      let sheet = ContactSheet(
        title: "triplet \(found.info.triplet)", tileSide: Self.tileSide, showsPlainImage: true,
        entries: [TripletTile.entry(found, captions: [found.info.prompt])])
      try PictureFile.write(to: file) { () throws(ImagingError) in try sheet.render() }
    }
    guard !output.json else { return try console.write(OutputOptions.line(found.info)) }
    try console.write(
      TripletReport.details(found.info, columns: console.columns, style: console.style))
  }
}

/// A triplet as part of a contact sheet.
enum TripletTile {
  /// The image with its masks, named by their categories.
  static func entry(
    _ triplet: (info: TripletInfo, image: RGBImage, masks: [BinaryMask]), captions: [String]
  ) -> ContactSheet.Entry {
    let names = triplet.info.masks.map(\.category.text)
    return ContactSheet.Entry(
      image: triplet.image, captions: captions.map(PrintableText.clean),
      masks: Array(zip(names, triplet.masks)).map { (name: $0.0, mask: $0.1) })
  }
}
