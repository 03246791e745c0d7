#!/usr/bin/env python3
"""Cuts the sprites of the scenes engine out of the Noto Color Emoji font.

Reads Sources/Generator/Resources/sprites/categories.txt and writes, beside it, one folder per
category with one RGBA PNG per drawing, trimmed to the box of what is not transparent. Folders of
categories that are no longer listed are removed. The result is committed; the script is needed
only when the list or the font changes:

    apt-get install fonts-noto-color-emoji
    python3 -m venv .venv-sprites
    .venv-sprites/bin/pip install fonttools pillow
    .venv-sprites/bin/python scripts/make-sprites.py

The committed sprites come from fonts-noto-color-emoji 2.042-0+deb12u1 (font version 2.042). The
font is under the SIL Open Font License 1.1, which stands beside the sprites as LICENSE.txt.
"""

import argparse
import io
import pathlib
import shutil
import sys
import unicodedata

from fontTools.ttLib import TTFont
from PIL import Image

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
SPRITES = pathlib.Path(__file__).parent.parent / "Sources/Generator/Resources/sprites"
# Alpha up to this is dust at the rim of a glyph: it would only blur the trimmed box.
DUST = 7


def read_categories(path):
    """Returns {category: [(code point, ...), ...]} in the order of the file."""
    categories = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, colon, codes = line.partition(":")
        if not colon or not codes.split() or name in categories:
            sys.exit(f"{path}:{number}: expected 'category: CODE...', each category once")
        categories[name] = [tuple(int(c, 16) for c in code.split("_")) for code in codes.split()]
    return categories


def glyph_name(font, codes):
    """The glyph of one code point, or of a sequence that the font draws as one glyph."""
    names = [font.getBestCmap().get(code) for code in codes]
    if len(names) == 1:
        return names[0]
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            table = getattr(table, "ExtSubTable", table)
            for ligature in getattr(table, "ligatures", {}).get(names[0], []):
                if ligature.Component == names[1:]:
                    return ligature.LigGlyph
    return None


def file_name(codes):
    """The Unicode names of the code points, without the joiner, as a file name."""
    names = [unicodedata.name(chr(code)) for code in codes if code != 0x200D]
    return "-".join(names).lower().replace(" ", "-") + ".png"


def cut(font, strike, codes):
    """The trimmed RGBA picture of an emoji."""
    name = glyph_name(font, codes)
    if name is None or name not in strike:
        sys.exit(f"the font has no glyph for {'_'.join(f'{c:X}' for c in codes)}")
    image = Image.open(io.BytesIO(strike[name].imageData)).convert("RGBA")
    box = image.getchannel("A").point(lambda alpha: 255 if alpha > DUST else 0).getbbox()
    return image.crop(box)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--font", default=FONT, help="the font file (default: %(default)s)")
    arguments = parser.parse_args()
    font = TTFont(arguments.font)
    strike = font["CBDT"].strikeData[0]
    categories = read_categories(SPRITES / "categories.txt")
    for folder in SPRITES.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    count = size = 0
    for category, drawings in categories.items():
        folder = SPRITES / category
        folder.mkdir()
        for codes in drawings:
            path = folder / file_name(codes)
            if path.exists():
                sys.exit(f"{category}: {path.name} is listed twice")
            cut(font, strike, codes).save(path, optimize=True)
            count += 1
            size += path.stat().st_size
    print(f"{count} sprites of {len(categories)} categories, {size} bytes, in {SPRITES}")


if __name__ == "__main__":
    main()
