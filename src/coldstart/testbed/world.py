"""The testbed world: problems about generated scenes, and the text-only drills its models are taught with.

python -c "from coldstart.testbed.world import problems; print(problems(['multistep'], 3, 'test', 0))"
"""

import random
from collections.abc import Sequence

from coldstart.testbed.questions import LETTERS, Question, ask, count, facts_of, solution
from coldstart.testbed.scenes import COLOURS, Grid, Scene, sample_scene

DECIMAL_TOLERANCE = 0.01


def problems(families: list[str], n: int, split: str, seed: int) -> list[dict]:
    """``n`` problems of ``families`` in equal parts, deterministic from the arguments; images are PIL images."""
    rows = []
    for index in range(n):
        family = families[index % len(families)]
        rng = random.Random(f"{seed}/{split}/{family}/{index}")
        scene, question = sample(family, split, rng)
        rows.append(
            {
                "id": f"testbed-{split}-{seed}-{family}-{index:06d}",
                "question": question.text,
                "image": scene.render(rng),
                "options": list(question.options),
                "answer": question.answer,
                "answer_type": question.answer_type,
                "tolerance": DECIMAL_TOLERANCE if question.answer_type == "decimal" else None,
                "unit": None,
                "metadata": {"family": family, "kind": question.kind, "scene": scene.caption()},
            }
        )
    return rows


def sample(family: str, split: str, rng: random.Random) -> tuple[Scene, Question]:
    """One scene of ``split`` and a question of ``family`` that it can answer."""
    while True:
        scene = sample_scene(split, rng, wide=family == "ood" and rng.random() < 0.5)
        question = ask(scene, family, rng)
        if question is not None:
            return scene, question


def drill(rng: random.Random) -> tuple[str, str]:
    """A text-only exercise (prompt, completion): what a language model knows before it can see.

    Arithmetic, the letter of an option, facts read off a description, and whole problems with a description in place
    of the image.
    """
    skill = rng.choice(["arithmetic", "letter", "read", "solve"])
    if skill == "arithmetic":
        step = _arithmetic(rng)
        return f"Compute {step.split(' = ')[0]}.", f"{step}."
    if skill == "letter":
        start = rng.randint(0, 15)
        words = list(COLOURS) if rng.random() < 0.2 else list(map(str, range(start, start + 4)))
        place = rng.randrange(4)
        answer = f"{words[place]} is {LETTERS[place]}. \\boxed{{{LETTERS[place]}}}"
        return with_options(f"Which option is {words[place]}?", words), answer
    if skill == "solve":
        scene, question = sample(rng.choice(("perception", "multistep", "choice")), "train", rng)
        text = with_options(f"{scene.caption()}\n{question.text}", question.options)
        return text, solution(scene, question, "careful").removeprefix(f"{scene.caption()}. ")
    scene = sample_scene("train", rng, wide=rng.random() < 0.2)
    facts = facts_of(scene, rng, rng.randint(1, 2))
    if isinstance(scene, Grid) and rng.random() < 0.2:
        facts.append(count(scene, None, None))
    asked = ", ".join(fact.name for fact in facts)
    return f"{scene.caption()}\nRead {asked}.", " ".join(f"{fact.read()}." for fact in facts)


def with_options(text: str, options: Sequence[str]) -> str:
    """A question with its options, one a line, as the default config's prompts have it."""
    return "\n".join([text, *(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))])


def _arithmetic(rng: random.Random) -> str:
    first, second = rng.randint(0, 9), rng.randint(0, 9)
    kind = rng.choice("++-/")
    if kind == "+":
        first += 9 * (rng.random() < 0.25)
        return f"{first} + {second} = {first + second}"
    if kind == "-":
        first = second + rng.randint(0, 9)
        return f"{first} - {second} = {first - second}"
    total = rng.randint(0, 18)
    return f"{total} / 2 = {total / 2:g}"
