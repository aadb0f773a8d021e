r"""Find the answer that a response states. Nothing is guessed: what is not stated explicitly is no answer.

    >>> extract(r"so 3+4 gives \boxed{7}.", "integer").candidates
    ('7',)

In this order:
1. A response with a ``<think>`` block is read behind ``</think>`` only; inside an unclosed block nothing is stated.
2. The last complete ``\boxed{}`` or ``\fbox{}`` (balanced braces; of nested boxes the innermost). A box that is begun
   behind it and never finished is a later answer that was cut off: then nothing is stated. An empty box is ignored.
   For lists and expressions, boxes joined by nothing but commas or "and" are read together.
3. The last explicit statement: "the answer is X", "Answer: X", "<answer>X</answer>", "#### X", a line "A: X".
4. The whole response, if it is nothing but an answer.
5. For integer, decimal, choice and yes/no: the result that the sentences state (prose.py). A response that began a box
   and never finished it was cut off, and states nothing.
For choice, boxes and statements compete and the last that names an option wins, but nothing in front of a box that
names none; "(B) is correct", "choose B", and a single line that is only an option's letter count as statements too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from coldstart.grading import normalise, prose, units

MAX_ANSWER = 1500  # characters; a longer "answer" is not one
MAX_TAIL = 20_000  # statements are looked for in the last part of a response
MAX_CANDIDATES = 4
MAX_JOINED = 50  # boxes read together

_BRACES = re.compile(r"\\[\\{}]|\\f?box(?:ed)?\s*\{|[{}]")
_BARE_BOX = re.compile(r"\\boxed\s+([\w.+-]+)")
_JOINED = re.compile(r"[\s$,;]*(?:(?:\\text\{)?\s*(?:and|or)\s*\}?)?[\s$,;]*", re.IGNORECASE)

_STATEMENT = re.compile(
    r"""\b(?:answer|(?:correct|right|best|final)\s+(?:option|choice|result)|(?:option|choice)(?=\s+(?:is|to)\b))
        (?:\s+(?:to|of|for|from|in|here)\b[^.\n:]{0,100}?)?
        [\s*_]*(?:\bis\b|\bare\b|\bwas\b|\b(?:would|should|must|will)\s+be\b|\bequals?\b|:|=)
        (?:[\s*_]*(?:that|therefore|thus|then|simply|indeed|given\s+by|equal\s+to|option|choice|answer|:|=)(?!\w))*
        [\s*_:]*
    |\u7b54\u6848\s*(?:\u662f|\u4e3a|\u70ba|[:\uff1a])[\s:\uff1a]*  # "the answer is" in Chinese""",
    re.IGNORECASE | re.VERBOSE,
)
# what makes no single number of the one before it: "5, or maybe 6", "5 and a half", "5 if x > 0", "or 6" in Chinese
_SECOND = re.compile(
    r"[\s,;(]*(?:(?:or|alternatively)\b[^.\n]{0,40}?\d|and\s+(?:a\s+)?(?:half|quarter|third)"
    r"|if\b|followed\s+by\b|(?:more|less|fewer)\s+than\b"
    r"|(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|hundredth|thousandth)s?\b|(?<=,)\d"
    r"|[\u6216\u548c\u4e0e\u3001\u5230\u81f3])",
    re.IGNORECASE,
)
_HEAD = re.compile(r"[-\w]+(?:\.\d+)?")  # the first word or number
_TAG = re.compile(r"<answer>((?:(?!</?answer>).){0,2000})</answer>", re.IGNORECASE | re.DOTALL)
_MARK = re.compile(r"^[ \t]*(?:####|A:)[ \t]*(\S[^\n]*)", re.MULTILINE)
_CHOSEN = re.compile(
    r"(?:(?<![\w'])\(?([A-Z])\)?[*\s]+is\s+(?:(?:the\s+)?(?:(?:correct|right|best)\s+)?(?:answer|option|choice)\b|correct\b)"
    r"(?!\s+(?:only\s+)?(?:if|when)\b)"
    r"|\b(?:choose|select|pick)\s+(?:option\s+|answer\s+|choice\s+)?[(*]{0,3}([A-Z])(?=[).,:*]|\s*$)"
    # "choose" in Chinese, not behind a "not" and not before "or", "and", "wrong"
    r"|(?<![\u4e0d\u522b\u52ff\u975e\u80fd\u5e94\u662f])\u9009\u62e9?\s*[(\uff08]?([A-Z])"
    r"(?![A-Za-z]|[)\uff09]?\s*[\u6216\u548c\u4e0e\u3001\u4e0d\u9519]))",
    re.MULTILINE,
)
_NEGATED = re.compile(r"(?:not|n't|never|incorrect|wrong)\b", re.IGNORECASE)
# what makes no statement of "B is correct" behind it: "neither A nor B is correct", "I doubt that B is correct"
_DOUBTED = re.compile(
    r"\b(?:neither|either|if|whether|unless|doubt|nobody|no\s+one|everyone\s+thinks|not\s+(?:true|the\s+case)"
    r"|n't\s+the\s+case)\b"
    r"[^.,;\n]*$|\b[A-Z]\)?\s+(?:and|or|nor)\s+$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|\*|$)|[\n\u3002]")
_QUESTION = re.compile(
    r"(?!\W*[A-Z][).:]\s*\w)(?:[^.!?\n]|\.(?=\d)){0,200}\?(?=[\s*]|$)"
)  # "The answer is 5?"; an option's text may ask
_MATH = re.compile(r"\$\$?([^$]{1,800})\$\$?|\\\(((?:[^\\]|\\(?!\))){1,800})\\\)|\\\[((?:[^\\]|\\(?!\])){1,800})\\\]")
_LETTER_LINE = re.compile(r"^[ \t*_]*\(?([A-Z])[).:]?[ \t*_.]*$", re.MULTILINE)


@dataclass(frozen=True)
class Extraction:
    """Candidate answers, best first, and where they come from: box, statement, whole, prose or none.

    ``starts``: where in the response each was found (-1: not in one place); it does not count in comparisons.
    """

    candidates: tuple[str, ...]
    where: str
    starts: tuple[int, ...] = field(default=(), compare=False)


def extract(response: str, answer_type: str, question: str = "", options: Sequence[str] = ()) -> Extraction:
    """The explicitly stated answers of ``response``; see the module's text for the rules."""
    text = visible(response)
    before = response.find(text) if text else 0
    if _cut_off(text):
        return Extraction((), "none")
    found = _choice(text, question, options) if answer_type == "choice" else _open(text, answer_type, question)
    starts = tuple(before + start if start >= 0 else -1 for start in found.starts)
    return Extraction(found.candidates, found.where, starts)


def _open(text: str, answer_type: str, question: str) -> Extraction:
    boxed = boxes(text)
    if boxed:
        joined = answer_type in ("list", "expression")
        return Extraction((_joined(text, boxed) if joined else _hedged(text, boxed),), "box", (boxed[-1][0],))
    offset = max(len(text) - MAX_TAIL, 0)
    tail = text[offset:]
    stated = [(start, _trim(rest, answer_type)) for start, rest in statements(tail)]
    usable = [(start, found) for start, found in stated if found]
    if usable:
        return Extraction((usable[-1][1],), "statement", (offset + usable[-1][0],))
    whole = text.strip()
    if whole and len(whole) <= 200 and "\n" not in whole and _only_an_answer(whole, answer_type):
        return Extraction((whole,), "whole", (text.index(whole),))
    said = None
    if answer_type in ("integer", "decimal"):
        said = prose.number(tail, question)
    elif answer_type == "text":
        said = prose.yes_or_no(tail)
    return Extraction((said[0],), "prose", (text.rfind(said[1]),)) if said else Extraction((), "none")


def visible(response: str) -> str:
    """The part of a response that is addressed to the reader: what follows a ``<think>`` block."""
    _, closed, tail = response.rpartition("</think>")
    if closed:
        return tail
    before, opened, _ = tail.partition("<think>")
    return before if opened else response


def _cut_off(text: str) -> bool:
    """Whether the last box was begun and never finished."""
    last = text.rfind("\\boxed{")
    if last < 0:
        return False
    depth = 0
    for match in _BRACES.finditer(text, last):
        if match[0] != "\\{" and (match[0][-1] in "{}" and match[0] != "\\}"):
            depth += 1 if match[0][-1] == "{" else -1
        if depth == 0:
            return False
    return bool(text[last + 7 :].strip("{ \n"))


def boxes(text: str) -> list[tuple[int, int, str]]:
    """(start, end, content) of the outermost complete boxes in order; the content is that of the innermost box."""
    stack: list[tuple[int, int] | None] = []  # an entry per open brace: (start, content start) if it opens a box
    found: list[tuple[int, int, int, int]] = []  # start, end, content start, content end
    for match in _BRACES.finditer(text):
        token = match[0]
        if token[0] == "\\" and token[-1] != "{":
            continue
        if token == "\\{":
            continue
        if token == "}":
            opened = stack.pop() if stack else None
            if opened is None:
                continue
            start, inside = opened
            content = (inside, match.start())
            # keep only the outermost of nested boxes; a box that holds nothing but a box takes that box's content
            while found and found[-1][0] > start:
                inner = found.pop()
                if not text[inside : inner[0]].strip() and not text[inner[1] : match.start()].strip():
                    content = inner[2:]
            found.append((start, match.end(), *content))
        else:
            stack.append((match.start(), match.end()) if token != "{" else None)
    result = [(start, end, text[inside:until]) for start, end, inside, until in found if text[inside:until].strip()]
    if not result:
        result = [(match.start(), match.end(), match[1]) for match in _BARE_BOX.finditer(text)]
    return result


def statements(text: str) -> list[tuple[int, str]]:
    """(position, what was stated) of every explicit statement, in order; statements that deny are left out."""
    found: list[tuple[int, str]] = []
    for match in _STATEMENT.finditer(text):
        rest = text[match.end() : match.end() + MAX_ANSWER]
        if denied := _NEGATED.match(rest.lstrip(" *_")):  # takes back "The answer is B. ... The answer is not B."
            taken = _HEAD.findall(rest.lstrip(" *_")[denied.end() :][:50])[:1]
            found = [earlier for earlier in found if _HEAD.findall(earlier[1][:50])[:1] != taken]
        elif rest.strip() and not _QUESTION.match(rest):
            found.append((match.start(), rest))
    for pattern in (_TAG, _MARK):
        found += [(match.start(), match[1].strip()) for match in pattern.finditer(text) if match[1].strip()]
    return sorted(found)


def sentence(rest: str) -> str:
    """The first sentence or line of what follows a statement."""
    rest = rest.lstrip(" \n*_")
    for end in _SENTENCE_END.finditer(rest):
        if end.start() > 0 and not (rest[end.start()] == "." and re.fullmatch(r"(?:[A-Z]|\d+)", rest[: end.start()])):
            return rest[: end.start()].strip()
    return rest.strip()


def _joined(text: str, boxed: list[tuple[int, int, str]]) -> str:
    boxed = boxed[-MAX_JOINED:]
    parts = [boxed[-1][2]]
    for earlier, later in zip(boxed[-2::-1], boxed[:0:-1], strict=False):
        if not _JOINED.fullmatch(text[earlier[1] : later[0]][:200]):
            break
        parts.insert(0, earlier[2])
    return ", ".join(parts)


def _hedged(text: str, boxed: list[tuple[int, int, str]]) -> str:
    """The content of the last box; of two boxes that only "or" or "and" joins, both: they are no single answer."""
    last = boxed[-1][2]
    if len(boxed) > 1 and boxed[-2][2] != last:
        link = re.fullmatch(
            r"[\s$,]*(?:\\text\{)?\s*(and|or)\s*\}?[\s$]*", text[boxed[-2][1] : boxed[-1][0]][:50], re.I
        )
        if link:
            return f"{boxed[-2][2]} {link[1]} {last}"
    return last


def _trim(rest: str, answer_type: str) -> str:
    """The answer at the head of a statement, or "" if what is stated cannot be one of this type."""
    said = sentence(rest)
    if answer_type == "text":
        return said
    math = list(_MATH.finditer(rest[: len(said) + 900]))
    if math and not rest[: math[0].start()].strip(" \n*_:"):
        parts = [math[0]]
        for segment in math[1:]:
            if answer_type not in ("list", "expression") or not _JOINED.fullmatch(
                rest[parts[-1].end() : segment.start()]
            ):
                break
            parts.append(segment)
        return ", ".join(next(filter(None, part.groups())).strip() for part in parts)
    if answer_type == "list":
        listed = re.match(r"[\[({][^\])}]*[\])}]", said)
        return listed[0] if listed else said
    text = normalise.plain(said)
    side = normalise.last_side(text)
    if side is None:
        return said  # several quantities: the typed rule will refuse it
    head = normalise.number_head(side)
    if head is None:
        return "" if normalise.is_prose(side) else said
    _, tail = head
    if re.match(r"\s*(?:[-+*/^=<>:\\(\[]|x\s*\d|(?:or|and|to|times|plus|minus|over|out of)\s+\W*\d)", tail):
        return said
    if _SECOND.match(tail) or (re.match(r"[A-Za-z](?![A-Za-z])", tail) and not units.canonical(tail[0])):
        return said
    unit = re.match(r"\s*[A-Za-z°µ]{1,12}(?:\^[23])?", tail)
    return side[: len(side) - len(tail)] + (unit[0] if unit and units.is_unit(unit[0]) else "")


def _only_an_answer(text: str, answer_type: str) -> bool:
    if answer_type == "text":
        return len(text.split()) <= 8
    if answer_type == "list":
        return "," in text or ";" in text or text[0] in "[({"
    said = re.search(r"\b(?:it|is|are|so|we)\b", text, re.IGNORECASE)  # words too short for is_prose: "It is 5."
    return normalise.parse_number(text) is not None or not (said or normalise.is_prose(normalise.plain(text)))


def _choice(text: str, question: str, options: Sequence[str]) -> Extraction:
    offset = max(len(text) - MAX_TAIL, 0)
    tail = text[offset:]
    boxed = boxes(text)
    found = [(boxed[-1][0], _hedged(text, boxed))] if boxed else []
    after = boxed[-1][0] if boxed else -1
    stated = [(offset + start, sentence(rest)) for start, rest in statements(tail) if not _inside_box(rest)]
    for match in _CHOSEN.finditer(tail):
        before = tail[max(match.start() - 80, 0) : match.start()]
        asked = re.match(r"[^.!\n]{0,80}\?", tail[match.end() : match.end() + 81])
        if not (_NEGATED.search(before[-12:]) or _DOUBTED.search(before) or asked):
            stated.append((offset + match.start(), match[1] or match[2] or match[3]))
    found += [(start, said) for start, said in stated if start > after]
    ordered = [(candidate, start) for start, candidate in sorted(found) if candidate.strip()][::-1][:MAX_CANDIDATES]
    if ordered:
        return _extraction(ordered, "statement" if ordered[0][1] != after else "box")
    lines = list(_LETTER_LINE.finditer(tail))
    if len(lines) == 1:
        return Extraction((lines[0][1],), "statement", (offset + lines[0].start(1),))
    whole = text.strip()
    alone = bool(whole) and len(whole) <= 300 and "\n" not in whole
    candidates = [(whole, text.index(whole))] if alone else []
    said = prose.option(tail, question, options)
    if said:
        candidates.append((said[0], text.rfind(said[1])))
    return _extraction(candidates, "whole" if alone else "prose" if said else "none")


def _extraction(candidates: list[tuple[str, int]], where: str) -> Extraction:
    return Extraction(tuple(text for text, _ in candidates), where, tuple(start for _, start in candidates))


def _inside_box(rest: str) -> bool:
    """Whether a statement only introduces a box, which stands for itself."""
    return re.match(r"[\s$*_]*(?:\\[(\[]\s*)?\\f?box", rest) is not None
