"""The one home of every Parquet schema: what each kind of artifact holds, column by column.

Images are ``list<struct<bytes, path>>``, as the Hub serves them, so that datasets, pandas and DuckDB open them as
they are. A column that may be null is marked; every other column must be filled in every row.

    python -c "from coldstart.schemas import SCHEMAS; print(SCHEMAS['problems'])"
"""

import pyarrow as pa

ANSWER_TYPES = ("choice", "integer", "decimal", "expression", "list", "text")
VERDICTS = ("correct", "wrong", "no_answer", "unparseable_answer", "unparseable_gold", "timeout")
JUDGE_VERDICTS = ("correct", "wrong", "unparseable")
FINISH_REASONS = ("stop", "length")
SEVERITIES = ("exclude", "warning", "note")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _schema(*fields: tuple) -> pa.Schema:
    """Fields are (name, type, what it holds[, nullable])."""
    return pa.schema(
        [
            pa.field(name, kind, nullable=bool(rest and rest[0]), metadata={"description": text})
            for name, kind, text, *rest in fields
        ]
    )


SCHEMAS: dict[str, pa.Schema] = {
    "problems": _schema(
        ("id", pa.string(), "stable across runs; unique in the file"),
        ("source", pa.string(), "name of the data set or benchmark in the config"),
        ("question", pa.string(), "text; <image> marks where an image stands, else images come first"),
        ("images", pa.list_(IMAGE), "PNG or JPEG within the pixel budget; empty for text-only problems"),
        ("options", pa.list_(pa.string()), "answer options in order (A, B, ...); empty if none"),
        ("answer", pa.string(), "gold answer; the letter for choice"),
        ("answer_type", pa.string(), "one of " + ", ".join(ANSWER_TYPES)),
        ("tolerance", pa.float64(), "absolute tolerance of a decimal", True),
        ("unit", pa.string(), "unit of the answer, if the problem states one", True),
        ("prompt_tokens", pa.int32(), "true length of the prompt, image tokens included"),
        ("image_tokens", pa.int32(), "image tokens in the prompt"),
        ("metadata", pa.string(), "JSON object: what breakdowns need (family, level, subject, ...)"),
    ),
    "responses": _schema(
        ("id", pa.string(), "<problem_id>#<sample_index>"),
        ("problem_id", pa.string(), "id of the problem"),
        ("sample_index", pa.int32(), "0 .. samples-1"),
        ("model", pa.string(), "path or hub id of the model that answered"),
        ("prompt", pa.string(), "the rendered prompt, one placeholder an image"),
        ("response", pa.string(), "the completion alone, special tokens removed"),
        ("finish_reason", pa.string(), "stop (ended by EOS) or length (cut off)"),
        ("completion_tokens", pa.int32(), "tokens generated, EOS included"),
        ("seed", pa.int64(), "function of run seed, problem id and sample index"),
        ("sampling", pa.string(), "JSON: engine, temperature, top_p, max_tokens"),
    ),
    "grades": _schema(
        ("id", pa.string(), "id of the response"),
        ("problem_id", pa.string(), "id of the problem"),
        ("sample_index", pa.int32(), "0 .. samples-1"),
        ("verdict", pa.string(), "one of " + ", ".join(VERDICTS)),
        ("extracted", pa.string(), "the answer as found in the response", True),
        ("normalised", pa.string(), "the answer as compared", True),
        ("reason", pa.string(), "why this verdict"),
        ("finish_reason", pa.string(), "stop or length"),
        ("completion_tokens", pa.int32(), "tokens generated"),
        ("grader", pa.string(), "version of the grader"),
    ),
    "judged": _schema(
        ("id", pa.string(), "id of the response"),
        ("problem_id", pa.string(), "id of the problem"),
        ("sample_index", pa.int32(), "0 .. samples-1"),
        ("verdict", pa.string(), "one of " + ", ".join(JUDGE_VERDICTS)),
        ("reply", pa.string(), "the judge's reply as it came"),
        ("judge", pa.string(), "the judge's model"),
    ),
    "sft_rows": _schema(
        ("id", pa.string(), "id of the response this trace is"),
        ("problem_id", pa.string(), "id of the problem"),
        ("source", pa.string(), "data set of the problem"),
        ("question", pa.string(), "as in problems"),
        ("options", pa.list_(pa.string()), "as in problems"),
        ("images", pa.list_(IMAGE), "as in problems"),
        ("completion", pa.string(), "the trace to learn"),
        ("completion_tokens", pa.int32(), "its length"),
        ("prompt_tokens", pa.int32(), "length of the prompt, image tokens included"),
        ("pass_rate", pa.float64(), "share of this problem's samples that were correct"),
    ),
    "rejected": _schema(
        ("id", pa.string(), "id of the response"),
        ("problem_id", pa.string(), "id of the problem"),
        ("response", pa.string(), "the trace that was not kept"),
        ("verdict", pa.string(), "as in grades"),
        ("why", pa.string(), "wrong, no_answer, ..., unfinished, duplicate, over_limit"),
        ("reason", pa.string(), "the grader's reason, or the rule that rejected it"),
    ),
    "pass_rates": _schema(
        ("problem_id", pa.string(), "id of the problem"),
        ("source", pa.string(), "data set of the problem"),
        ("answer_type", pa.string(), "as in problems"),
        ("samples", pa.int32(), "responses graded"),
        ("correct", pa.int32(), "of them correct"),
        ("kept", pa.int32(), "of them kept as SFT rows"),
        ("pass_rate", pa.float64(), "correct / samples"),
    ),
    "dropped": _schema(
        ("row", pa.int64(), "row number in the source, from 0"),
        ("id", pa.string(), "its id, if it had one", True),
        ("why", pa.string(), "short reason, the key of the counts"),
        ("detail", pa.string(), "what exactly was wrong"),
    ),
    "findings": _schema(
        ("dataset", pa.string(), "train, or the name of a benchmark"),
        ("id", pa.string(), "id of the row"),
        ("check", pa.string(), "bad_gold, bad_image, duplicate, contamination, ... (see coldstart.audit.checks)"),
        ("severity", pa.string(), "exclude (a training row that is left out), warning, or note"),
        ("detail", pa.string(), "what exactly was found"),
        ("other", pa.string(), "id of the row that it repeats", True),
        ("benchmark", pa.string(), "benchmark of that row", True),
    ),
    "excluded": _schema(
        ("id", pa.string(), "id of a training problem that no stage may train on"),
        ("why", pa.string(), "the check that excluded it"),
        ("detail", pa.string(), "what exactly was found"),
    ),
    "metrics": _schema(
        ("step", pa.int32(), "optimiser step, from 1"),
        ("name", pa.string(), "loss, reward, entropy, ..."),
        ("value", pa.float64(), "its value"),
    ),
}
