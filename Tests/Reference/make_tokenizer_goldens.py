#!/usr/bin/env python3
"""Writes Tests/Fixtures/tokenizer/goldens.json: ids by transformers' fast CLIP tokenizer for odd texts.

Made with transformers 5.23.0, tokenizers 0.23.3. Run: make_tokenizer_goldens.py Tests/Fixtures/tokenizer
"""
import json
import pathlib
import random
import shutil
import sys
import tempfile
import unicodedata

from transformers import CLIPTokenizer

BEGIN, END = "<|startoftext|>", "<|endoftext|>"

CHOSEN = [
    "", " ", "\n", "a", "A", "a photo of a cat", "a photo of an astronaut riding a horse on mars",
    "A cinematic shot of a baby racoon wearing an intricate italian priest robe.",
    "don't (stop:1.2) [it]", "it's the dog's bone, we've they'll I'm you'd can't I'LL", "''s 'S '' ' 'southern 'real",
    "Hello,   World!! it's 2023 \u2014 caf\u00e9 \u2615 \u732b\u304c\u597d\u304d",
    "<|endoftext|> x", "<|STARTOFTEXT|>a<|EndOfText|>b", "x<|startoftext|>!!", "<|endoftext", "|>", "<|", "</w>",
    "a</w>b", "!", "!!", "! !", "a!b !c", "wow!!! amazing", "\u00a1Hola!", "!\u0301", "e!\u0301",
    "caf\u00e9 cafe\u0301", "\u00c5\u212b A\u030a", "\u212a \u2126", "\u1e9b\u0323", "q\u0307\u0323", "\u0344 \u0f73\u0345",
    "\uac00\u1100\u1161 \u1100\u1161\u11a8 \uac01\u11a8 \uac00\u11a7", "\u0958 \u0b47\u0b3e \ufb1d",
    "\u0130stanbul I\u0131", "stra\u00dfe STRASSE \u1e9e", "\u039f\u0394\u039f\u03a3 \u03a3\u03c2\u03c3", "\u01c4\u01c5\u01c6",
    "\ufb01nance \uff21\uff22\uff23", "\u00bd \u00b2 \u2167 \u0663 \u4e00 \u0be7 \U0001d7d8 12345 3.14 1,000",
    "tab\tnew\nline\r\nff\x0cvt\x0bfs\x1cus\x1f", "nel\x85nbsp\u00a0ogham\u1680en\u2000em\u2003ls\u2028ps\u2029nn\u202fmm\u205fid\u3000x",
    "zw\u200bsp zwnj\u200cx zwj\u200dx wj\u2060x bom\ufeffx shy\u00adx", "nul\x00x del\x7fx c1\x9bx esc\x1b[0m",
    "\U0001f600 \U0001f431\u200d\U0001f464 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1eb\U0001f1f7",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u202eabc\u202c", "\u0e44\u0e17\u0e22 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\ufffd \uffff \U0010ffff \ue000 \U000f0000", "\U00010041\u0300 A\U00010300 \U00020041\u0301", "\U00010d50 \u1c89 \ua7cb \u088f",
    "http://example.com/a?b=c&d=e foo@bar.com C:\\path snake_case camelCase #1 50% &amp; &lt;b&gt;",
    "a cat " * 60, "x" * 200, "!" * 100, "a!" * 80, "1" * 90, "\U0001f600" * 40, "masterpiece, best quality, " * 20,
    "e\u0301" * 60, "a" + "\u0301\u0316" * 40, "<|endoftext|>" * 90, "supercalifragilisticexpialidocious" * 4,
]


def random_texts(count):
    rng = random.Random(2024)
    scalars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    assigned = [c for c in scalars if unicodedata.category(c) not in ("Cn", "Co")]
    marks = [c for c in assigned if unicodedata.category(c)[0] == "M"]
    composed = [c for c in assigned if unicodedata.decomposition(c)]
    numbers = [c for c in assigned if unicodedata.category(c)[0] == "N"]
    pools = [scalars, assigned, marks + list("aeio"), composed, numbers, scalars[:0x3000], scalars[:0x100],
             ["!", "'", "s", "re", BEGIN, END, " ", "<|", "|>", "A", "7"]]
    for _ in range(count):
        chosen = rng.sample(pools, 2)
        yield "".join(rng.choice(rng.choice(chosen)) for _ in range(rng.choice([1, 2, 4, 8, 16, 30])))


def encode(tokenizer, text):
    ids = tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids
    full = tokenizer(text).input_ids
    # What diffusers warns about.
    removed = tokenizer.decode(full[76:-1]) if len(full) > 77 else None
    return {"ids": ids[: len(ids) - trailing(ids)] , "padding": trailing(ids), "removed": removed}


def trailing(ids):
    """Equal ids at the end, one of which is kept: they are written as a count."""
    count = 0
    while count + 1 < len(ids) and ids[-1 - count] == ids[-1]:
        count += 1
    return count - 1 if count > 1 else 0


def object_token(text, normalized=True):
    return {"__type": "AddedToken", "content": text, "lstrip": False, "normalized": normalized, "rstrip": False,
            "single_word": False}


# Tokenizer folders from before special tokens were listed in added_tokens_decoder.
OLD_FOLDERS = {
    "nothing": (None, None),
    "objects": ({"bos_token": object_token(BEGIN), "eos_token": object_token(END), "unk_token": object_token(END),
                 "pad_token": END, "model_max_length": 77}, None),
    "objects_bang": ({"bos_token": object_token(BEGIN), "eos_token": object_token(END),
                      "unk_token": object_token(END), "pad_token": "!", "model_max_length": 77}, None),
    "texts_bang": ({"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": "!",
                    "model_max_length": 77}, None),
    "map": ({"model_max_length": 77}, {"bos_token": object_token(BEGIN), "eos_token": object_token(END),
                                       "unk_token": object_token(END), "pad_token": "!"}),
    "map_bang_object": ({"model_max_length": 77}, {"bos_token": BEGIN, "eos_token": END, "unk_token": END,
                                                   "pad_token": object_token("!")}),
    "map_overrides": ({"pad_token": END, "model_max_length": 77}, {"pad_token": "!"}),
}
OLD_TEXTS = ["a<|STARTOFTEXT|>b<|EndOfText|>c!d<|endoftext|>!<|startoftext|>!!", "e!\u0301 ! <|endoftext|>\u0301"]

root = pathlib.Path(sys.argv[1])
texts = CHOSEN + list(random_texts(240))
result = {"folders": {}, "old": []}
for name in ("full", "tiny"):
    tokenizer = CLIPTokenizer.from_pretrained(root / name)
    result["folders"][name] = [encode(tokenizer, text) for text in texts]
result["texts"] = texts
for name, (config, special) in OLD_FOLDERS.items():
    with tempfile.TemporaryDirectory() as folder:
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(root / "tiny" / file, folder)
        for file, content in (("tokenizer_config.json", config), ("special_tokens_map.json", special)):
            if content is not None:
                (pathlib.Path(folder) / file).write_text(json.dumps(content))
        tokenizer = CLIPTokenizer.from_pretrained(folder)
        result["old"].append({
            "name": name, "config": json.dumps(config) if config else None,
            "special": json.dumps(special) if special else None,
            "texts": OLD_TEXTS, "encodings": [encode(tokenizer, text) for text in OLD_TEXTS]})
text = json.dumps(result, separators=(",", ":")).replace('{"ids"', '\n{"ids"')
(root / "goldens.json").write_text(text + "\n")
