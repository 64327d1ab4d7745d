"""Learns the vocabulary of a CLIP tokenizer (byte-pair merges) from the captions and writes both tokenizer folders.

    python tokenizer.py --work DIR [--merges 400]

The form is CLIP's: lower case, a pattern that splits words, digits and punctuation, bytes as printable characters, `</w>`
at the end of a word. The two folders differ, as SDXL's do, in what fills a prompt up to 77 tokens: the end-of-text token in
the first, `!` in the second.
"""
import collections
import json
import re

import data
from work import Work, arguments

PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-zA-Z]+|[0-9]|[^\sa-zA-Z0-9]+")
# Words that people try; the captions do not have them, but they should not fall apart into letters.
COMMON = (
    "a photo of an image of the big little tiny large beautiful cinematic detailed illustration artwork landscape scene with "
    "and on in at by near over under above behind mountain hill river beach island forest tree flower sky star sunny spring "
    "summer autumn winter black grey brown cabin hut ship yacht rain storm day light dark").split()
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_characters() -> list[str]:
    """CLIP's 256 printable characters in the order of its vocabulary: printable bytes stand for themselves and come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def learn(captions: list[str], count: int) -> list[tuple[str, str]]:
    """The `count` merges that byte-pair encoding learns: again and again the most frequent pair of neighbours, ties by name."""
    frequency = collections.Counter(word for caption in captions for word in PATTERN.findall(caption.lower()))
    for word in COMMON:
        frequency[word] += 20
    parts = {word: (*word[:-1], word[-1] + "</w>") for word in frequency}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, symbols in parts.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += frequency[word]
        if not pairs:
            break
        best = max(sorted(pairs), key=lambda pair: pairs[pair])
        merges.append(best)
        parts = {word: merged(symbols, best) for word, symbols in parts.items()}
    return merges


def merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    result, i = [], 0
    while i < len(symbols):
        if symbols[i : i + 2] == pair:
            result.append("".join(pair))
            i += 2
        else:
            result.append(symbols[i])
            i += 1
    return tuple(result)


def write(work: Work, name: str, merges: list[tuple[str, str]], padding: str) -> int:
    characters = byte_characters()
    tokens = characters + [c + "</w>" for c in characters] + ["".join(pair) for pair in merges] + [START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    assert len(vocabulary) == len(tokens) and vocabulary["!"] == 0

    def special(content):
        return dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False)

    added = {str(vocabulary[token]): special(token) | dict(special=True) for token in (START, END)}
    if padding == "!":
        added = {"0": special("!") | dict(normalized=False, special=True)} | added
    config = dict(
        add_prefix_space=False, added_tokens_decoder=added, bos_token=START, clean_up_tokenization_spaces=True,
        do_lower_case=True, eos_token=END, errors="replace", model_max_length=77, pad_token=padding,
        tokenizer_class="CLIPTokenizer", unk_token=END)
    specials = dict(bos_token=special(START), eos_token=special(END), pad_token=padding, unk_token=special(END))

    def put(file, text):
        work.replace(f"{name}/{file}", lambda path: path.write_text(text, encoding="utf-8"))

    put("vocab.json", json.dumps(vocabulary, ensure_ascii=False))
    put("merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    put("tokenizer_config.json", json.dumps(config, indent=2))
    put("special_tokens_map.json", json.dumps(specials, indent=2))
    return len(tokens)


if __name__ == "__main__":
    options = arguments(__doc__, merges=400)
    work = Work(options.work)
    entries = data.load(work, data.shards(work)[:1], "scenes")
    merges = learn([caption for entry in entries for caption in entry["captions"]], options.merges)
    for name, padding in (("tokenizer", END), ("tokenizer_2", "!")):
        size = write(work, name, merges, padding)
    work.log(f"tokenizer: {len(merges)} merges, {size} tokens")
