#!/usr/bin/python3
"""replies — does a test expect each sentence that smtpd can say, and each extension that it offers?

A sentence (smtpd/session/reply_text.c) counts when some test has the beginning of it that tells it from all others, or the whole of it.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SENTENCE = re.compile(r'\[(SAY_\w+)\]\s*=\s*SLICE_LIT\("((?:[^"\\]|\\.)*)"')
EXTENSION = re.compile(r'\[EXTENSION_\w+\]\s*=\s*SLICE_LIT\("(\w+)"\)')
LEAST = len("250 2.0.0")


def sentences():
    text = (ROOT / "smtpd/session/reply_text.c").read_text()
    return {name: words.replace("\\r\\n", "") for name, words in SENTENCE.findall(text)}


def telling(words, others):
    """The shortest beginning that no other sentence has."""
    for length in range(LEAST, len(words)):
        if not any(other.startswith(words[:length]) for other in others):
            return words[:length]
    return words


def main():
    tests = "\n".join(path.read_text(errors="replace") for ending in ("c", "smtp", "py") for path in (ROOT / "tests").rglob("*." + ending)
                      if "dev" not in path.parts)
    said = sentences()
    bad = []
    for name, words in said.items():
        if name == "SAY_NONE":          # stands for a number that is none
            continue
        others = [other for key, other in said.items() if key != name and other != words]
        if telling(words, others) not in tests:
            bad.append(f"smtpd/session/reply_text.c: {name}: no test expects \"{telling(words, others)}\"")
    for keyword in EXTENSION.findall((ROOT / "common/mail/extension.c").read_text()):
        if keyword not in tests:
            bad.append(f"common/mail/extension.c: no test names {keyword}")
    print("\n".join(bad) if bad else f"{len(said)} sentences, each expected by a test")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
