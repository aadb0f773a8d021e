"""An optional second opinion: a language model says whether each response gives the gold answer.

It never replaces the rules: its verdicts stand in a file and a column of their own, and ``judge-report`` lists where
the two differ. Reads problems (id, question, options, answer, unit) and responses (id, problem_id, sample_index,
response); writes judged (id, problem_id, sample_index, verdict, reply, judge). The judge sees question, gold and the
end of the response, no image. A reply that is neither CORRECT nor INCORRECT is ``unparseable``; a judge that does not
reply at all stops the stage, and what it said before is kept in the work folder.

    coldstart judge --config mine.yaml --problems problems.parquet --responses responses.parquet \\
        --work results/work/judge --judged judged.parquet

``judge.base_url`` names an OpenAI-compatible endpoint; without one ``judge.model`` is loaded here by ``engine`` (a
model of the Qwen-VL family; any other can be served by ``vllm serve`` and named by its URL).
"""

import argparse
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coldstart import provenance
from coldstart.artifacts import read_rows, write_rows
from coldstart.chat import complete, open_client
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.progress import Progress
from coldstart.prompts import LETTERS

TEMPLATE = """You compare a student's final answer with the right answer to a question.
Only the final answer counts, not the way to it. Another form of the same value is the same answer. An answer that \
states several values, or none, is not.

Question:
{question}

Right answer: {gold}

Student's response{cut}:
{response}

Does the response give the right answer? Reply with one word, CORRECT or INCORRECT."""
TAIL = 4000  # characters of a response that the judge sees: its end
REPLY = re.compile(r"\W*(?:(?:final\s+)?(?:judge?ment|verdict|answer)\W+)?(correct|incorrect)\W*", re.IGNORECASE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses judge, engine and lengths")
    parser.add_argument("--problems", required=True, help="the benchmark's problems")
    parser.add_argument("--responses", required=True, help="one model's responses to them")
    parser.add_argument("--work", required=True, type=Path, help="folder for replies of an unfinished run")
    parser.add_argument("--judged", required=True, help="output: the judge's verdict for every response")


def run(args: argparse.Namespace) -> None:
    """Judge one model's responses to one benchmark."""
    config = load_config(args.config, "judge")
    settings = config["judge"]
    if settings is None:
        raise UserError(f"{args.config}: judge is null; give judge.model, and judge.base_url unless it is to run here")
    record = provenance.start("judge", config, {"problems": args.problems, "responses": args.responses})
    columns = ["id", "question", "options", "answer", "unit"]
    problems = {row["id"]: row for row in read_rows(args.problems, "problems", columns)}
    responses = read_rows(args.responses, "responses", ["id", "problem_id", "sample_index", "response"])
    unknown = next((row["problem_id"] for row in responses if row["problem_id"] not in problems), None)
    if unknown is not None:
        raise UserError(f"{args.responses}: answers problem '{unknown}', which {args.problems} does not hold")
    prompts = {row["id"]: judge_prompt(problems[row["problem_id"]], row["response"]) for row in responses}
    replies = Replies(args.work, settings)
    open_ones = {name: prompt for name, prompt in prompts.items() if prompt not in replies.known}
    with Progress("judge", len(open_ones)) as bar:
        for prompt, reply in (ask_endpoint if settings["base_url"] else ask_engine)(open_ones, config, replies.keep):
            replies.known[prompt] = reply
            bar.advance(1)
    rows = [
        {
            "id": row["id"],
            "problem_id": row["problem_id"],
            "sample_index": row["sample_index"],
            "verdict": parse_reply(replies.known[prompts[row["id"]]]),
            "reply": replies.known[prompts[row["id"]]],
            "judge": settings["model"],
        }
        for row in responses
    ]
    counts = Counter(row["verdict"] for row in rows)
    write_rows(args.judged, "judged", rows, provenance.finish(record, counts=dict(counts), template=TEMPLATE))
    replies.path.unlink(missing_ok=True)
    print(f"{args.judged}: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))


def judge_prompt(problem: dict, response: str) -> str:
    """What the judge is asked about one response."""
    options = list(zip(LETTERS, problem["options"], strict=False))
    gold = problem["answer"]
    text = dict(options).get(gold)
    parts = {
        "question": "\n".join([problem["question"], *(f"({letter}) {option}" for letter, option in options)]),
        "gold": f"({gold}) {text}" if text else f"{gold} {problem['unit'] or ''}".strip(),
        "cut": f" (its last {TAIL} characters)" if len(response) > TAIL else "",
        "response": response[-TAIL:],
    }
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], TEMPLATE)


def parse_reply(reply: str) -> str:
    """correct, wrong, or unparseable: the last line that is not empty must be the verdict and nothing else."""
    lines = [line for line in reply.splitlines() if line.strip()]
    found = REPLY.fullmatch(lines[-1]) if lines else None
    if found is None:
        return "unparseable"
    return "correct" if found[1].lower() == "correct" else "wrong"


class Replies:
    """Replies by prompt, kept in a file of the work folder so that a failed run repeats none of them."""

    def __init__(self, work: Path, settings: dict) -> None:
        facts = json.dumps([settings["model"], settings["base_url"], settings["max_tokens"], TEMPLATE])
        self.path = work / f"{provenance.text_hash(facts)[:32]}.jsonl"
        self.known: dict[str, str] = {}
        self._lock = threading.Lock()
        if self.path.is_file():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]  # a killed run may leave half a line
            self.known = dict(json.loads(line) for line in whole)
            self.path.write_text("".join(whole), encoding="utf-8")

    def keep(self, prompt: str, reply: str) -> None:
        """Append one reply to the file."""
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps([prompt, reply]) + "\n")


def ask_endpoint(prompts: dict[str, str], config: dict, keep: Callable[[str, str], None]) -> Iterator[tuple[str, str]]:
    """(prompt, reply) of every prompt, from the endpoint; several requests are under way at a time."""
    settings = config["judge"]
    with open_client(settings) as client, ThreadPoolExecutor(settings["concurrency"]) as pool:

        def ask(item: tuple[str, str]) -> tuple[str, str]:
            reply = complete(client, settings, item[1], item[0])
            keep(item[1], reply)
            return item[1], reply

        futures = [pool.submit(ask, item) for item in prompts.items()]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def ask_engine(prompts: dict[str, str], config: dict, keep: Callable[[str, str], None]) -> Iterator[tuple[str, str]]:
    """(prompt, reply) of every prompt, from a model that is loaded here."""
    if not prompts:
        return
    from coldstart.generation import Request, Sampling, open_engine
    from coldstart.hub import resolve_model
    from coldstart.lengths import load_meter

    settings = config["judge"]
    meter = load_meter(settings["model"])
    engine = open_engine(
        str(resolve_model(settings["model"])), config["engine"], config["lengths"]["max_model"], seed=0
    )
    items, size = list(prompts.items()), config["engine"]["batch_size"]
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        turns = [[{"role": "user", "content": [{"type": "text", "text": prompt}]}] for _, prompt in batch]
        requests = [
            Request(name, meter.apply_chat_template(turn), [], 0) for (name, _), turn in zip(batch, turns, strict=True)
        ]
        replies = engine.generate(requests, Sampling(0.0, 1.0, settings["max_tokens"]))
        for (_, prompt), reply in zip(batch, replies, strict=True):
            keep(prompt, reply.text)
            yield prompt, reply.text
    engine.close()
