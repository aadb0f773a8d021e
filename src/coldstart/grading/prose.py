r"""Read the answer of a response that has no box and no "the answer is": the last stated result, or the option named.

    >>> number("There are 3 large cubes. There are 2 small ones. So there are **5 cubes**.", "")
    ('5', 'So there are **5 cubes**.')

A sentence states a number if it sets one in bold, says "there are N", ends an equation or a copula with it, or holds no
other number. Sentences that deny, ask, or say goodbye state nothing; nor do code, tables and listings. Of the sentences
that state one, the last that draws a conclusion ("so", "therefore") is taken; without one, the value that all of them
or all bold ones agree on; else the last that repeats the question's words. Anything else is no answer. Reads text only.
"""

import re
from collections.abc import Callable, Sequence

from coldstart.grading import units
from coldstart.grading.normalise import number_head, parse_number, plain, text_key

MAX_SENTENCES = 300  # the last ones; a longer response is reasoning, and its conclusion stands at its end
MAX_SENTENCE = 600  # characters; only the end of a longer one is read
RESTATED = 2 / 3  # share of a sentence's words that must come from the question

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_SPLIT = re.compile(r"(?<=[.!?])\**\s+|\n+")
_CLOSING = re.compile(
    r"\W*(?:i hope|let me|is there|do you|would you|please|sorry|feel free|for example|note|hint|step \d)\b",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"^\W*(?:(?:and|but)\s+)?(?:therefore|thus|hence|so|consequently|accordingly|overall|altogether|finally|as a result"
    r"|in (?:conclusion|total|summary|short|the end))\b|[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence)\b"
    r"|\u2234|\\therefore",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|never|cannot|unable|impossible|unclear|unless|neither|nor|might|maybe|perhaps|possibly|suppose|assum\w+)\b"
    r"|n't\b|\b(?:could|may) be\b|^\W*(?:if|let)\b",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_WORDS = (  # without "one", which is as often a pronoun
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen"
    "|nineteen|twenty|zero"
)
_NUMBER = re.compile(
    rf"(?<![\w.,^_(/:])[-+]?\d+(?:,\d{{3}})*(?:\.\d+)?(?!\.\d|,\d|[\w:/^(]|-[A-Za-z])|(?<![\w-])(?:{_WORDS})(?![\w-])",
    re.IGNORECASE,
)
_VAGUE = r"(?:(?:only|about|approximately|around|roughly|exactly|a total of|now|still|also|just|nearly|equal to)\s+)*"
_THERE = re.compile(
    rf"\bthere\s+(?:is|are|was|were|remains?|(?:will|would|should)\s+be)\s+{_VAGUE}(?=[-+\d]|(?:{_WORDS}|one|no)\b)",
    re.IGNORECASE,
)
_IS = re.compile(rf"\b(?:is|are|was|were|be|equals?)\s+{_VAGUE}(?=[-+.\d]|(?:{_WORDS}|one)\b)", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;]?\s+\(?(?:because|since|which|where|with|as)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\s*(?:[-+*/^=<>:]|\\times|\\cdot|x\s*\d|(?:or|and|to|through|times|plus|minus|over|out of|divided by|of)\s+\W*\d)"
)
# fmt: off
_STOP = {"a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "from", "with", "and", "or", "is", "are", "was",
         "were", "be", "been", "it", "its", "this", "that", "these", "those", "there", "here", "how", "many", "much",
         "what", "which", "who", "when", "where", "why", "do", "does", "did", "can", "will", "would", "should", "has",
         "have", "had", "as", "than", "then", "total", "value", "answer", "number", "image", "figure", "graph",
         "picture", "question", "find", "shown"}
# fmt: on


Said = tuple[str, str]  # what is stated, and the sentence that states it


def number(text: str, question: str) -> Said | None:
    """The number that a response in prose states as its result, with its unit; None if it states none."""
    return _result(text, question, _stated_number, _number_value)


def option(text: str, question: str, options: Sequence[str]) -> Said | None:
    """The one option that a response in prose names, as its text or "(B)"; None if it names none or several."""
    if not options:
        return None
    return _result(text, question, lambda sentence: _named_option(sentence, options), text_key)


def yes_or_no(text: str) -> Said | None:
    """The yes or no that a response opens with."""
    head = re.match(r"\W*(yes|no)\s*[,.;:!]", text, re.IGNORECASE)
    return (head[1], head[0]) if head else None


def sentences(text: str) -> list[str]:
    """The sentences of a text that could state a result."""
    lines = (line for line in _FENCE.sub("\n", text).split("\n") if "|" not in line)
    found = [part.strip() for part in _SPLIT.split("\n".join(lines))]
    spoken = [part for part in found if len(re.findall(r"[^\W\d_]+", part)) > 1]
    return [part[-MAX_SENTENCE:] for part in spoken[-MAX_SENTENCES:] if part[-1] != "?" and not _CLOSING.match(part)]


def _result(text: str, question: str, stated: Callable, value: Callable) -> Said | None:
    """The claim that counts among what the sentences state; ``value`` tells which claims are the same."""
    if re.search(r"\\f?box(?:ed)?\b|<answer>", text):
        return None  # a box was begun and never finished: the response was cut off
    claims = [(claim, sentence) for sentence in sentences(text) if (claim := stated(sentence)) is not None]
    concluded = [said for said in claims if _CONCLUDES.search(said[1])]
    if concluded:
        return concluded[-1]
    for group in (claims, [said for said in claims if _BOLD.search(said[1])]):
        if len({value(claim) for claim, _ in group}) == 1:
            return group[-1]
    asked = _content(question)
    restating = [said for said in claims if _restates(said[1], asked)]
    return restating[-1] if restating else None


def _number_value(claim: str) -> object:
    found = parse_number(claim)
    return claim if found is None else (found.value, found.percent)


def _stated_number(sentence: str) -> str | None:
    """The number that one sentence states."""
    if _DENIES.search(sentence):
        return None
    bold = [claim for span in _BOLD.findall(sentence) if (claim := _only_number(plain(span)))]
    if bold:
        return bold[-1] if len({_number_value(claim) for claim in bold}) == 1 else None
    text = plain(sentence)
    for there in reversed(list(_THERE.finditer(text))):
        rest = text[there.end() :]
        if re.match(r"no\b", rest, re.IGNORECASE):
            return "0"
        if claim := _leading(rest):
            return claim
    sides = re.split(r"=|\\approx(?![a-zA-Z])", text)
    if len(sides) > 1:
        if re.search(r"\bor\b", text):
            return None
        if claim := _leading(sides[-1], alone=True):
            return claim
    main = _CLAUSE.split(text)[0]
    for part in dict.fromkeys((text, main)):
        copulas = list(_IS.finditer(part))
        if copulas and (claim := _leading(part[copulas[-1].end() :], alone=True)):
            return claim
    return _only_number(text) if len(sides) == 1 else None


def _leading(text: str, alone: bool = False) -> str | None:
    """The number at the head of ``text`` with a known unit; ``alone``: no other number may follow."""
    found = number_head(text)
    if found is None or _GOES_ON.match(found[1]) or (alone and _NUMBER.search(found[1])):
        return None
    rest = found[1]
    shown = text.strip()[: len(text.strip()) - len(rest)] if rest else text.strip()
    unit = re.match(r"\s*([A-Za-z°]{1,12}(?:\^[23])?)(?![/\w])", rest)
    return f"{shown} {unit[1]}" if unit and units.canonical(unit[1]) else shown


def _only_number(text: str) -> str | None:
    """The number of a text that holds exactly one."""
    found = list(_NUMBER.finditer(text))
    return _leading(text[found[0].start() :]) if len(found) == 1 else None


def _named_option(sentence: str, options: Sequence[str]) -> str | None:
    """The one option that a sentence names: by a letter in parentheses, by its words, or by the number it states."""
    head = re.match(r"\W*(yes|no|true|false)\b(?!\s+(?:or|and)\b)", sentence, re.IGNORECASE)
    keys = [text_key(option) for option in options]
    if head and head[1].lower() in keys:
        return head[1]
    if _DENIES.search(sentence):
        return None
    letters = set(re.findall(r"\(([A-Z])\)", sentence))
    letters = {letter for letter in letters if ord(letter) - ord("A") < len(options)}
    if letters:
        return f"({letters.pop()})" if len(letters) == 1 else None
    if all(parse_number(option) for option in options):
        claim = _stated_number(sentence)
        stated = parse_number(claim) if claim else None
        same = [text for text in options if stated and (listed := parse_number(text)) and listed.value == stated.value]
        return claim if len(same) == 1 else None
    said = f" {text_key(sentence)} "
    for key in sorted({key for key in keys if len(key) > 1}, key=len, reverse=True):
        said = said.replace(f" {key} ", f" \x01{keys.index(key)}\x01 ")
    named = set(re.findall("\x01(\\d+)\x01", said))
    if len(named) != 1:
        return None
    place = int(named.pop())
    return None if keys[place] in ("yes", "no", "true", "false") else options[place]


def _content(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower())) - _STOP


def _restates(sentence: str, asked: set[str]) -> bool:
    words = {word for word in _content(sentence) if not word.isdigit()}
    return bool(words) and len(words & asked) >= RESTATED * len(words)
