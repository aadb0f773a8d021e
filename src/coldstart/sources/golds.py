r"""The gold of a training set's row: taken out of what stands in the answer column, and its type inferred from it.

Data sets write golds in many ways; the rules, in this order, each decided by its first match:

| in the column | gold | seen in |
|---|---|---|
| ``... <answer> 145 </answer>`` | inside the last tag | GEOQA_R1V_Train_8K (column solution) |
| ``... \boxed{145}`` | inside the last box | Multimodal-Cold-Start (a whole chain of thought) |
| ``... #### 72`` | behind the mark, to the end of its line | GSM8K |
| anything else | all of it | Geometry3K, Multimodal-RL-Data |

The gold is then taken out of one ``$...$``, ``$$...$$``, ``\(...\)`` or ``\text{...}`` around it. A row is
dropped if its gold has more than 300 characters: such a text states no answer by any of these rules. Nothing is
computed and nothing is rounded: ``145^\circ``, ``50\%`` and ``\frac{1}{2}`` stay as they are, the grader reads them.
Nothing of the grader is used here: an edit of it must not import all data anew.

    >>> clean_gold(r"so 2x = 90 and \boxed{x = 45}")
    'x = 45'
"""

import re

from coldstart.prompts import LETTERS
from coldstart.sources.rows import RowError, choice_letter, gold_type

MAX_GOLD = 300
_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_MARK = re.compile(r"^####[ \t]*(\S.*)$", re.MULTILINE)
_WRAPPED = re.compile(
    r"\$\$([^$]+)\$\$|\$([^$]+)\$|\\\((.+)\\\)|\\text\{([^{}]*)\}|\\mathrm\{([^{}]*)\}|\\boxed\{([^{}]*)\}", re.DOTALL
)
_BOX = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ '\u2019-][^\W\d_]+)*\.?")
_LETTERED = re.compile(r"\(?([A-Za-z])\s*[).:]\s*(\S.*)", re.DOTALL)


def clean_gold(value: str) -> str:
    """The gold in an answer column's text; raises RowError if what is left is empty or no answer."""
    found = _TAG.findall(value) or boxed(value) or _MARK.findall(value)
    gold = (found[-1] if found else value).strip()
    while match := _WRAPPED.fullmatch(gold):
        gold = next(part for part in match.groups() if part is not None).strip()
    if not gold:
        raise RowError("empty_gold", "the answer column states an empty answer")
    if len(gold) > MAX_GOLD:
        raise RowError(
            "no_gold", f"{len(gold)} characters without a \\boxed{{}}, <answer> or ####: a text, not an answer"
        )
    return gold


def boxed(text: str) -> list[str]:
    """What stands in each complete box of a text, in order."""
    found = []
    for start in _BOX.finditer(text):
        depth = 1
        for brace in _BRACE.finditer(text, start.end()):
            depth += {"{": 1, "}": -1}.get(brace[0], 0)
            if not depth:
                found.append(text[start.end() : brace.start()])
                break
    return found


def choice_gold(gold: str, options: list[str]) -> str:
    """The letter that a gold names: 'B', '(B)', an option's text, or 'B. text' where the text is that option's.

    Raises RowError if it names no option, or if letter and text name two different ones.
    """
    match = _LETTERED.fullmatch(gold.strip())
    if match and gold.strip() not in options:
        letter, text = match[1].upper(), match[2].strip()
        place = LETTERS.index(letter)
        if not options or (place < len(options) and _same(text, options[place])):
            return letter
        raise RowError("bad_gold", f"the gold answer '{gold}': its text is not that of option {letter}")
    return choice_letter(gold, options)


def index_gold(value: object, options: list[str], column: str) -> str:
    """The letter of an option's number, counted from 0."""
    try:
        number = int(str(value))
    except ValueError as error:
        raise RowError("wrong_type", f"column '{column}' holds {value!r}, not an option's number") from error
    if not 0 <= number < len(options):
        raise RowError("bad_gold", f"column '{column}' holds {number}, but there are {len(options)} options, from 0")
    return LETTERS[number]


def infer_type(gold: str, options: list[str], question: str) -> str:
    """Answer type of a row, from its gold, options and question alone; never from what a model answered.

    choice if there are options, or the gold is a letter that the question lists as one ("(B) 5"); integer and decimal
    by their digits; text for words (yes, isosceles); else expression.
    """
    letter = gold.strip("(). ")
    if options or (len(letter) == 1 and letter in LETTERS and re.search(rf"(?:^|[\s(]){letter}[.):]", question, re.M)):
        return "choice"
    return "text" if _WORDS.fullmatch(gold) else gold_type(gold)


def _same(text: str, option: str) -> bool:
    return " ".join(text.casefold().split()).rstrip(".") == " ".join(option.casefold().split()).rstrip(".")
