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
from coldstart.grading.normalise import is_prose, number_head, parse_number, plain, takes_back, text_key

MAX_SENTENCES = 300  # the last ones; a longer response is reasoning, and its conclusion stands at its end
MAX_SENTENCE = 600  # characters; only the end of a longer one is read
RESTATED = 2 / 3  # share of a sentence's words that must come from the question
MAX_INSERTED = 3  # words that may stand between those of a yes-no question where a sentence repeats it

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
    r"\b(?:not|never|cannot|unable|impossible|unclear|unless|neither|nor|incorrect|wrong|mistaken|doubt"
    r"|no longer|anything but|rather than"
    r"|excludes?|lacks?|might|maybe|perhaps|possibly|suppose|assum\w+)\b"
    r"|n't\b|\b(?:could|may) be\b|^\W*let\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"^[ \t*]*\(([A-Z])\)[ \t]*\S", re.MULTILINE)
_IF = re.compile(r"^\W*(?:if|when|suppose)\b[^,]*(?:,|$)\s*(?:then\s+)?", re.IGNORECASE)  # only what follows is said
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_WORDS = (  # without "one", which is as often a pronoun
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen"
    "|nineteen|twenty|zero"
)
_NUMBER = re.compile(
    r"(?<=\bwith )one\b|(?<=\bonly )one\b|(?<=\bleaves )one\b|"
    rf"(?<![\w.,^_(/:])[-+]?\d+(?:,\d{{3}})*(?:\.\d+)?(?!\.\d|,\d|[\w:/^(]|-[A-Za-z])|(?<![\w-])(?:{_WORDS})(?![\w-])",
    re.IGNORECASE,
)
_VAGUE = r"(?:(?:only|about|approximately|around|roughly|exactly|a total of|now|still|also|just|nearly|equal to)\s+)*"
# a bound, a multiple or a root: the number behind it is not what is stated
_BOUND = re.compile(
    rf"\b(?:(?:more|less|fewer|\w+er)\s+than|at\s+(?:least|most)|exceed(?:s|ed|ing)?|below|above|under|beyond"
    rf"|up\s+to|twice"
    rf"|(?:half|double|square|cube|root|multiple|power)\s+of)\s+\**[-+]?(?:\d[\d,.]*(?<=\d)|(?:{_WORDS}|one)\b)",
    re.IGNORECASE,
)
_NOTHING_TO_SAY = re.compile(
    r"no\b(?:\s+[\w'-]+){0,4}?\s+(?:way|need|doubt|information|data|image|picture|photo|figure|diagram|answer|option|reason"
    r"|evidence|indication|mention)\b",
    re.IGNORECASE,
)
_THERE = re.compile(
    rf"\bthere\s+(?:is|are|was|were|remains?|(?:will|would|should)\s+be)\s+{_VAGUE}(?=[-+\d]|(?:{_WORDS}|one|no)\b)",
    re.IGNORECASE,
)
_IS = re.compile(rf"\b(?:is|are|was|were|be|equals?)\s+{_VAGUE}(?=[-+.\d]|(?:{_WORDS}|one)\b)", re.IGNORECASE)
_YES_NO = re.compile(r"\W*(?:yes|no|true|false)\W*", re.IGNORECASE)
_VERDICT = re.compile(  # "no" alone or before a reason; "no 2" and "no shape" say something else
    r"\W*(yes|no|true|false)\W*(?:$|[,.;:!)]|\b(?:there|it|they|the|this|that|these|those|because|since|as|he|she|we|you)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;]?\s+\(?(?:because|since|which|where|with|as)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\s*(?:[-+*/^=<>:]|\\times|\\cdot|x\s*\d|(?:or|and|to|through|times|plus|minus|over|out of|divided by|of)\s+\W*\d)"
)
_EQUATES = re.compile(r"(?:\b(?:is|are|was|be|equals)|=)\s*$")
_NOT = re.compile(r"\bnot\b|n't\b|\bnever\b|\bcannot\b", re.IGNORECASE)
_CLOSED = re.compile(r"\W*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b", re.IGNORECASE)
# fmt: off
_AUXILIARY = {"is", "are", "was", "were", "be", "do", "does", "did", "has", "have", "had", "can", "could", "will",
              "would", "should", "a", "an", "the", "there"}
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
    listing = len(set(_LISTED.findall(text))) > 1  # each with something said about it: none of them is the answer
    said = _result(text, question, lambda sentence: _named_option(sentence, options, listing), text_key)
    keys = [text_key(option) for option in options]
    if said is None and sorted(keys) == ["no", "yes"]:
        said = _affirmed(text, question)
    return said


def yes_or_no(text: str) -> Said | None:
    """The yes or no that a response opens with."""
    head = re.match(r"\W*(yes|no)\s*[,.;:!]", text, re.IGNORECASE)
    return (head[1], head[0]) if head and not takes_back(text[:1000]) else None


def sentences(text: str) -> list[str]:
    """The sentences of a text that could state a result."""
    lines = (line for line in _FENCE.sub("\n", text).split("\n") if "|" not in line)
    found = [part.strip() for part in _SPLIT.split("\n".join(lines))]
    spoken = [p for p in found if len(re.findall(r"[^\W\d_]+", p)) > 1 or _YES_NO.fullmatch(p) or _LISTED.match(p)]
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
    sentence, bounds = _BOUND.subn("", _IF.sub("", sentence))
    if _DENIES.search(sentence):
        return None
    bold = [claim for span in _BOLD.findall(sentence) if (claim := _only_number(plain(span)))]
    if bold:
        return bold[-1] if len({_number_value(claim) for claim in bold}) == 1 else None
    text = plain(sentence)
    main = _CLAUSE.split(text)[0]
    for there in reversed(list(_THERE.finditer(main))):
        rest = main[there.end() :]
        if re.match(r"no\b", rest, re.IGNORECASE):
            return None if _NOTHING_TO_SAY.match(rest) else "0"
        if claim := _leading(rest):
            return claim
    sides = re.split(r"=|\\approx(?![a-zA-Z])", text)
    if len(sides) > 1:
        if re.search(r"\bor\b", text):
            return None
        if claim := _leading(sides[-1], alone=True):
            return claim
    for part in dict.fromkeys((text, main)):
        copulas = list(_IS.finditer(part))
        if copulas and (claim := _leading(part[copulas[-1].end() :], alone=True)):
            return claim
    return (_only_number(text) or _only_number(main)) if len(sides) == 1 and not bounds else None


def _leading(text: str, alone: bool = False) -> str | None:
    """The number at the head of ``text`` with a known unit; ``alone``: no other number may follow."""
    found = number_head(text)
    if found is None or _GOES_ON.match(found[1]) or (alone and _NUMBER.search(found[1])):
        return None
    rest = found[1]
    if re.match(r"[A-Za-z](?![A-Za-z])", rest) and not units.canonical(rest[0]):
        return None  # "5x"
    shown = text.strip()[: len(text.strip()) - len(rest)] if rest else text.strip()
    unit = re.match(r"\s*([A-Za-z°]{1,12}(?:\^[23])?)(?![/\w])", rest)
    return f"{shown} {unit[1]}" if unit and units.canonical(unit[1]) else shown


def _only_number(text: str) -> str | None:
    """The number of a text that holds exactly one."""
    found = list(_NUMBER.finditer(text))
    return _leading(text[found[0].start() :]) if len(found) == 1 else None


def _named_option(sentence: str, options: Sequence[str], listing: bool) -> str | None:
    """The one option that a sentence names: by a letter in parentheses, by its words, or by the number it states."""
    head = _VERDICT.match(sentence)
    keys = [text_key(option) for option in options]
    if head and head[1].lower() in keys:
        return None if takes_back(sentence) else head[1]
    sentence = _IF.sub("", sentence)
    if _DENIES.search(sentence):
        return None
    if listing and _LISTED.match(sentence):
        return None
    letters = set(re.findall(r"\(([A-Z])\)", sentence))
    letters = {letter for letter in letters if ord(letter) - ord("A") < len(options)}
    if letters:
        return f"({letters.pop()})" if len(letters) == 1 else None
    ended = [text for text in options if _ends_with(plain(sentence), plain(text))]
    if len(ended) == 1:
        return ended[0]
    if all(parse_number(option) for option in options):
        claim = _stated_number(sentence)
        stated = parse_number(claim) if claim else None
        same = [text for text in options if stated and (listed := parse_number(text)) and listed.value == stated.value]
        return claim if len(same) == 1 else None
    said = f" {text_key(sentence)} "
    for key in sorted({text_key(option) for option in options if _distinct(option)}, key=len, reverse=True):
        said = said.replace(f" {key} ", f" \x01{keys.index(key)}\x01 ")
    named = set(re.findall("\x01(\\d+)\x01", said))
    if len(named) != 1:
        return None
    place = int(named.pop())
    return None if keys[place] in ("yes", "no", "true", "false") else options[place]


def _ends_with(text: str, option: str) -> bool:
    """Whether a sentence says that something is this option, a formula for instance: "the height is 5√3 m"."""
    return len(option) > 1 and text.endswith(option) and _EQUATES.search(text[: -len(option)]) is not None


def _distinct(option: str) -> bool:
    """Whether a sentence that holds this option's text must mean it; a formula, number or letter may stand in any."""
    text = plain(option)
    return is_prose(text) or (len(text) >= 4 and not re.search(r"[\\^=√]", text) and parse_number(text) is None)


def _affirmed(text: str, question: str) -> Said | None:
    """Yes or no to a question that a sentence repeats: "X is (not) larger than Y" to "Is X larger than Y?"."""
    asked = _core(question)
    if len(asked) < 2 or _NOT.search(question) or not _CLOSED.match(question):
        return None
    found = {}
    for sentence in sentences(text):
        words = _core(sentence)
        places = _in_order(asked, words)
        negations = len(_NOT.findall(sentence))
        if places and negations < 2 and places[-1] - places[0] - len(asked) < MAX_INSERTED + negations:
            if negations == 0 and _DENIES.search(sentence):
                return None
            found["no" if negations else "yes"] = sentence
    return next(iter(found.items())) if len(found) == 1 else None


def _core(text: str) -> list[str]:
    """The words that carry a statement, in order, without auxiliaries, articles and endings in s."""
    words = re.findall(r"[^\W_]+", plain(text).lower())
    return [word.rstrip("s") or word for word in words if word not in _AUXILIARY]


def _in_order(wanted: list[str], words: list[str]) -> list[int]:
    """Where the wanted words stand, the last of them first sought; empty unless all are there in this order."""
    places: list[int] = []
    end = len(words)
    for word in reversed(wanted):
        end = next((place for place in range(end - 1, -1, -1) if words[place] == word), -1)
        if end < 0:
            return []
        places.append(end)
    return places[::-1]


def _content(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower())) - _STOP


def _restates(sentence: str, asked: set[str]) -> bool:
    words = {word for word in _content(sentence) if not word.isdigit()}
    return bool(words) and len(words & asked) >= RESTATED * len(words)
