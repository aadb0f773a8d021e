"""How fast the audit is at scale, how much memory it takes, and whether it finds what is planted.

Makes a training set of drawn diagrams (every image another one, as large as --pixels) and two benchmarks, with planted
faults: exact and near copies, benchmark images re-encoded and resized, benchmark texts with an instruction added,
bad golds, cut-off images. Then runs ``coldstart audit`` on them and prints rows a second, wall time, peak memory, and
recall and precision of each check. Making the data takes about as long as the audit and is not counted.

    .venvs/stages/bin/python benchmarks/audit_scale.py --rows 50000
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image, ImageDraw

from coldstart.artifacts import read_rows, table_writer
from coldstart.lengths import smart_resize

FACTOR = 28
PLANTED = 0.01  # of the rows, for each kind of fault
BENCHMARKS = ("first", "second")
KINDS = ("duplicate", "contradiction", "near_image", "contamination by image", "contamination by text", "bad_gold",
         "bad_image")  # fmt: skip
# fmt: off
WORDS = (
    "angle", "area", "base", "circle", "chord", "cube", "degree", "diameter", "edge", "figure", "graph", "height",
    "hexagon", "length", "line", "midpoint", "parallel", "perimeter", "plane", "point", "polygon", "prism",
    "pyramid", "radius", "ratio", "rectangle", "right", "segment", "shape", "side", "slope", "sphere", "square",
    "sum", "surface", "tangent", "triangle", "value", "vertex", "volume", "width", "larger", "smaller", "twice",
    "half", "between", "above", "below", "given", "equal",
)
# fmt: on


def main() -> None:
    """Make the data, audit it, print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="training rows")
    parser.add_argument("--pixels", type=int, default=262_144, help="size of the images (the paper's smallest: 262144)")
    parser.add_argument("--folder", type=Path, help="where to keep the data; a temporary folder otherwise")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        started = time.monotonic()
        truth = make_data(folder, args.rows, args.pixels)
        size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        print(f"made {args.rows} rows, {size / 2**20:.0f} MiB of Parquet, in {time.monotonic() - started:.0f} s")
        seconds, memory = run_audit(folder)
        benchmark_rows = len(BENCHMARKS) * per_benchmark(args.rows)
        print(f"audit of {args.rows} training and {benchmark_rows} benchmark rows, {os.cpu_count()} cores:")
        print(f"  wall time {seconds:.0f} s, {args.rows / seconds:.0f} training rows/s, peak memory {memory:.2f} GiB")
        print_found(folder, truth)


def per_benchmark(rows: int) -> int:
    """Rows of each benchmark."""
    return max(20, rows // 25)


def make_data(folder: Path, rows: int, pixels: int) -> dict[str, set[str]]:
    """Write train.parquet and a file a benchmark; returns kind of fault -> ids of the rows that have it."""
    folder.mkdir(parents=True, exist_ok=True)
    faults = {kind: max(2, int(PLANTED * rows)) for kind in KINDS}
    plain = rows - sum(faults.values())
    tasks = [("plain", n, n) for n in range(plain)]
    for kind, count in faults.items():
        tasks += [(kind, n, number) for n, number in enumerate(range(len(tasks), len(tasks) + count))]
    truth: dict[str, set[str]] = {kind: {f"train/{number}" for k, _, number in tasks if k == kind} for kind in KINDS}
    # a contradiction spoils both rows
    truth["contradiction"] |= {f"train/{original(n, 'contradiction', plain)}" for n in range(faults["contradiction"])}
    benchmark_rows = per_benchmark(rows)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = ((task, plain, benchmark_rows, pixels) for task in tasks)
        write(folder / "train.parquet", pool.map(training_row, jobs, chunksize=64))
        for name in BENCHMARKS:
            jobs = ((name, n, pixels) for n in range(benchmark_rows))
            write(folder / f"{name}.parquet", pool.map(benchmark_row, jobs, chunksize=64))
    return truth


def write(path: Path, rows: Iterator[dict]) -> None:
    """Write rows as problems, 64 a row group, as the import does."""
    with table_writer(path, "problems") as writer:
        batch = []
        for row in rows:
            batch.append(row)
            if len(batch) == 64:
                writer.write(batch)
                batch = []
        writer.write(batch)
        writer.provenance = {"facts": {}}


def original(n: int, kind: str, plain: int) -> int:
    """The plain row that the n-th fault of a kind copies; each kind copies other rows."""
    return (n * len(KINDS) + KINDS.index(kind)) % plain


def training_row(job: tuple) -> dict:
    """One training row: a plain one, or one with a fault."""
    (kind, n, number), plain, benchmark_rows, pixels = job
    name, copied = f"train/{number}", original(n, kind, plain) if kind != "plain" else number
    benchmark, place = BENCHMARKS[n % len(BENCHMARKS)], (n // len(BENCHMARKS)) % benchmark_rows
    seed, text, answer = f"train/{copied}", question(f"train/{copied}"), gold(copied)
    if kind == "contradiction":
        answer = str(int(answer) + 1)
    elif kind == "near_image":
        return problem(name, question(name), gold(number), altered(diagram(seed, pixels), n))
    elif kind == "contamination by image":
        return problem(name, question(name), gold(number), altered(diagram(f"{benchmark}/{place}", pixels), n))
    elif kind == "contamination by text":
        copy = "Look at the figure. " + question(f"{benchmark}/{place}")
        return problem(name, copy, gold(number), stored(diagram(name, pixels)))
    elif kind == "bad_gold":
        return problem(name, question(name), "a few", stored(diagram(name, pixels)))
    elif kind == "bad_image":
        return problem(name, question(name), gold(number), stored(diagram(name, pixels))[:-2000])
    return problem(name, text, answer, stored(diagram(seed, pixels), level=1 + n % 2))


def benchmark_row(job: tuple) -> dict:
    """One clean benchmark row."""
    benchmark, n, pixels = job
    name = f"{benchmark}/{n}"
    return problem(name, question(name), gold(n), stored(diagram(name, pixels)))


def problem(name: str, text: str, answer: str, image: bytes) -> dict:
    return {
        "id": name,
        "source": name.partition("/")[0],
        "question": text,
        "images": [{"bytes": image, "path": None}],
        "options": [],
        "answer": answer,
        "answer_type": "integer",
        "prompt_tokens": 100 + len(text),
        "image_tokens": 256,
        "metadata": "{}",
    }


def question(seed: str) -> str:
    """A long question of its own in four of five rows, a short template in the fifth; never short in a benchmark."""
    rng = random.Random(seed)
    if seed.startswith("train") and rng.random() < 0.2:
        return f"How many shapes are there in the figure number {rng.randrange(10)}?"
    words = [
        rng.choice(WORDS) if rng.random() < 0.9 else str(rng.randrange(2, 99)) for _ in range(rng.randrange(32, 60))
    ]
    return f"In the figure, {' '.join(words)}. Find x."


def gold(number: int) -> str:
    return str(number % 97)


def diagram(seed: str, pixels: int) -> Image.Image:
    """A drawing of its own: lines, circles, filled shapes and labels on white; sides are multiples of 28."""
    rng = random.Random(seed)
    height, width = smart_resize(400, int(400 * rng.uniform(0.7, 1.8)), FACTOR, pixels, int(1.2 * pixels))
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)

    def point() -> tuple[int, int]:
        return rng.randrange(10, width - 10), rng.randrange(10, height - 10)

    for _ in range(rng.randrange(2, 5)):
        draw.polygon([point() for _ in range(3)], fill=tuple(rng.randrange(60, 255) for _ in range(3)))
    for _ in range(rng.randrange(4, 10)):
        draw.line([point(), point()], fill="black", width=rng.randrange(1, 4))
    for _ in range(rng.randrange(1, 4)):
        (x, y), r = point(), rng.randrange(15, 90)
        draw.ellipse((x - r, y - r, x + r, y + r), outline="black", width=2)
    for _ in range(rng.randrange(3, 8)):
        draw.text(point(), rng.choice("ABCDEFGHxyz") + str(rng.randrange(10, 180)), fill="black")
    return image


def altered(image: Image.Image, n: int) -> bytes:
    """A copy as others would have it: saved as JPEG, as WebP, or smaller and saved as JPEG; then stored as PNG."""
    buffer = io.BytesIO()
    if n % 3 == 2:
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC)
    image.save(buffer, "WEBP" if n % 3 == 1 else "JPEG", quality=80)
    return stored(Image.open(buffer).convert("RGB"))


def stored(image: Image.Image, level: int = 1) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def run_audit(folder: Path) -> tuple[float, float]:
    """(wall seconds, peak memory in GiB) of the stage, run as the workflow runs it; limits are lifted."""
    limits = {key: 1.0 for key in ("max_bad_golds", "max_bad_images", "max_duplicates", "max_contaminated")}
    command = [sys.executable, "-m", "coldstart", "audit", "--config", json.dumps({"audit": limits})]
    command += ["--train", str(folder / "train.parquet"), "--output", str(folder / "audit")]
    for name in BENCHMARKS:
        command += ["--benchmark", f"{name}={folder / f'{name}.parquet'}"]
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"error: the audit ended with status {status}")
    return time.monotonic() - started, usage.ru_maxrss / 2**20


def print_found(folder: Path, truth: dict[str, set[str]]) -> None:
    """Recall and precision of each check on the training set."""
    findings = read_rows(folder / "audit" / "findings.parquet", "findings")
    wanted: dict[str, set[str]] = {}
    for kind, ids in truth.items():
        wanted.setdefault(kind.partition(" ")[0], set()).update(ids)
    found = {check: {f["id"] for f in findings if f["check"] == check and f["dataset"] == "train"} for check in wanted}
    print(f"  {'check':<24} {'planted':>8} {'found':>8} {'recall':>8} {'precision':>10}")
    for check, ids in wanted.items():
        right = len(ids & found[check])
        precision = right / len(found[check]) if found[check] else float("nan")
        print(f"  {check:<24} {len(ids):>8} {len(found[check]):>8} {right / len(ids):>8.1%} {precision:>10.1%}")
    for kind in KINDS:
        if kind.startswith("contamination"):
            missed = truth[kind] - found["contamination"]
            print(f"  {kind:<24} {len(truth[kind]):>8} {'':>8} {1 - len(missed) / len(truth[kind]):>8.1%}")


if __name__ == "__main__":
    main()
