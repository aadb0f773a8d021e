"""Which training questions repeat a benchmark's question, by word n-grams.

A question (with its options) is cut into words, numbers and arithmetic signs. Measured is the share of the benchmark
question's distinct n-grams that one training question holds as well; a text shorter than n words is one gram.

n is 8 (``audit.ngram``), the share 0.7 (``audit.ngram_share``). The usual 13-gram is longer than many questions of
these benchmarks. A word that differs breaks the 8 grams it stands in: of a question of 40 words a copy with one word
changed, or with an instruction added, keeps more than 0.7 of the grams; two numbers changed leave about half, so that
problems made from one template with other numbers are not taken for copies.

Read are the texts that ``tokens`` gives; nothing is written.

    index = NgramIndex(8); index.add("b1", tokens("How many ducks swim in the pond at noon?")); index.matches(...)
"""

import re
import sys
from collections import Counter

from coldstart.grading.normalise import sanitise
from coldstart.prompts import IMAGE_MARK

# numbers, words, the signs that tell one sum from another, and single characters of scripts without spaces
TOKEN = re.compile(
    r"\d+(?:\.\d+)?|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[-+*/=<>^%]"
)


def tokens(question: str, options: list[str]) -> tuple[str, ...]:
    """The words of a question and its options, in lower case, without image marks and punctuation."""
    text = " ".join([question.replace(IMAGE_MARK, " "), *options])
    return tuple(map(sys.intern, TOKEN.findall(sanitise(text).casefold())))


def grams(words: tuple[str, ...], n: int) -> set[tuple[str, ...]]:
    """Distinct n-grams; a shorter text is one gram, no text is none."""
    if len(words) <= n:
        return {words} if words else set()
    return {words[start : start + n] for start in range(len(words) - n + 1)}


class NgramIndex:
    """Distinct benchmark texts and where their n-grams stand."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._texts: dict[tuple[str, ...], int] = {}
        self._sizes: list[int] = []
        self._places: dict[tuple[str, ...], list[int]] = {}
        self._known: dict[tuple[str, ...], list[tuple[int, float]]] = {}

    def add(self, words: tuple[str, ...]) -> int:
        """The number of a benchmark text; equal texts have one number."""
        number = self._texts.setdefault(words, len(self._texts))
        if number == len(self._sizes):
            found = grams(words, self._n)
            self._sizes.append(len(found))
            for gram in found:
                self._places.setdefault(gram, []).append(number)
        return number

    def matches(self, words: tuple[str, ...], share: float) -> list[tuple[int, float]]:
        """(number, share) of each benchmark text of whose n-grams at least ``share`` stand in ``words``, best first."""
        if words not in self._known:
            hits = Counter(number for gram in grams(words, self._n) for number in self._places.get(gram, ()))
            shares = [(number, count / self._sizes[number]) for number, count in hits.items()]
            self._known[words] = sorted((found for found in shares if found[1] >= share), key=lambda f: (-f[1], f[0]))
        return self._known[words]
