"""A CLIP-format tokenizer of our own: few tokens, one for each word of the captions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"

#: What captions say besides the names of categories.
CAPTION_WORDS = """
    a an and at background black blue brick checkered cloth drawing floor forest four front grass
    gray green image in night no of on one orange pair pairs photo photograph picture pink purple
    red road sand sky snow some speckled sticker stone sunset the three tiled two wall water white
    with wooden yellow
""".split()

_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice",
    "goose": "geese", "ox": "oxen", "wolf": "wolves", "elf": "elves", "leaf": "leaves",
    "knife": "knives", "tomato": "tomatoes", "potato": "potatoes", "mosquito": "mosquitoes",
    "mango": "mangoes", "foot": "feet", "tooth": "teeth",
}  # fmt: skip
_SAME = {"sheep", "deer", "bison", "fish", "shrimp", "squid", "moai", "aircraft"}


def plural(word: str) -> str:
    """The plural that the scenes engine's captions use; a slip here costs tokens, not meaning."""
    if word in _SAME:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def words_of(categories: Iterable[str]) -> list[str]:
    """Every word that is to be one token, sorted."""
    words = set(CAPTION_WORDS)
    for category in categories:
        parts = category.split()
        words.update(parts)
        words.add(plural(parts[-1]))
    return sorted(words)


def byte_symbols() -> list[str]:
    """CLIP's (GPT-2's) printable character for each of the 256 bytes, in its order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(rest))]


def merges_for(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges after which each of ``words`` is a single symbol.

    The most frequent pair first, as BPE is trained; ties by spelling, so that the same words give
    the same merges on any machine.
    """
    spelled = [[*word[:-1], word[-1] + "</w>"] for word in sorted(set(words))]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for word in spelled for pair in zip(word, word[1:]))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelled = [_merge(word, best) for word in spelled]


def _merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    for symbol in word:
        if result and (result[-1], symbol) == pair:
            result[-1] += symbol
        else:
            result.append(symbol)
    return result


def write(folder: Path, categories: Iterable[str], positions: int) -> None:
    """Writes ``vocab.json``, ``merges.txt`` and the two configuration files.

    All 256 bytes are tokens, alone and at the end of a word, so that any text can be encoded.
    """
    symbols = byte_symbols()
    merges = merges_for(words_of(categories))
    tokens = symbols + [symbol + "</w>" for symbol in symbols]
    tokens += list(dict.fromkeys(left + right for left, right in merges))
    tokens += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    special = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": positions,
        "add_prefix_space": False,
        "do_lower_case": True,
        **special,
    }
    text = json.dumps(vocabulary, ensure_ascii=False)
    (folder / "vocab.json").write_text(text, "utf-8")
    lines = ["#version: 0.2"] + [f"{left} {right}" for left, right in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", "utf-8")


def read(folder: Path) -> CLIPTokenizer:
    """The tokenizer of a folder that :func:`write` wrote."""
    return CLIPTokenizer.from_pretrained(str(folder))
