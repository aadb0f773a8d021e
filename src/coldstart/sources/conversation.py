"""Conversations as ShareGPT and LLaMA-Factory write them: the first user turn asks, the assistant's turn answers.

Columns read: the one that ``columns.messages`` names, a list of turns in either form; invented rows:

    {"messages": [{"role": "user", "content": "<image>How many?"}, {"role": "assistant", "content": "\\boxed{3}"}]}
    {"conversations": [{"from": "human", "value": "<image>How many?"}, {"from": "gpt", "value": "... \\boxed{3}"}]}

A content may be a list of parts ({"type": "text", "text": ...}, {"type": "image"}). A system turn is not taken: the
prompt is this project's own (prompt.system). A row with several questions is dropped: there is one gold a problem.
"""

from coldstart.prompts import IMAGE_MARK
from coldstart.sources.rows import RowError

ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}


def question_and_answer(value: object, column: str) -> tuple[str, str | None]:
    """(question, the assistant's answer or None) of one conversation; raises RowError if it is not of this form."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise RowError("wrong_type", f"column '{column}' holds no list of turns")
    turns = [_turn(turn, column) for turn in value]
    asked = [text for role, text in turns if role == "user"]
    answered = [text for role, text in turns if role == "assistant"]
    if len(asked) != 1 or len(answered) > 1:
        raise RowError("several_turns", f"column '{column}' has {len(asked)} questions and {len(answered)} answers")
    if not asked[0].strip():
        raise RowError("empty_value", f"column '{column}': the question is blank")
    return asked[0].strip(), answered[0] if answered else None


def _turn(turn: dict, column: str) -> tuple[str, str]:
    speaker, content = turn.get("role") or turn.get("from"), turn.get("content", turn.get("value"))
    if speaker not in ROLES:
        raise RowError("wrong_type", f"column '{column}': a turn of {speaker!r}; known: {', '.join(ROLES)}")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(
            IMAGE_MARK if part.get("type") == "image" else str(part.get("text") or "") for part in content
        )
    if not isinstance(content, str):
        raise RowError("wrong_type", f"column '{column}': a turn without text")
    return ROLES[speaker], content
