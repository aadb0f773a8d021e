"""The checks: from what was read of the training set and the benchmarks to findings, rows of the findings artifact.

| check | a row is found if | training rows |
|---|---|---|
| bad_gold | its gold is not graded correct as an answer to its own problem | excluded |
| bad_image | an image cannot be read, or is smaller than images.min_side | excluded |
| contradiction | question, options and images are those of another row, but the gold differs | all excluded |
| duplicate | question, options, images and gold are those of an earlier row | excluded |
| contamination | it stands in a benchmark (below) | excluded |
| near_image | an image is the near duplicate of an earlier row's, not the same | noted |
| blank_image | an image shows one colour | warning |

A training row stands in a benchmark if it has the id of a benchmark row; or one of its images, blank ones aside; or
a benchmark question's text (see overlap.py), where one of the two problems has no image or the text is long. A short
text alone says nothing between problems with images: "How many red shapes are there?" is asked of every image.
Golds, images and duplicates of benchmarks are reported as warnings; a benchmark is never changed.

    findings = check(train, benchmarks, pictures, config["audit"])
"""

from collections import defaultdict

from coldstart.audit.overlap import NgramIndex
from coldstart.audit.pictures import Pictures
from coldstart.audit.scan import Row, Scan

CHECKS = ("bad_gold", "bad_image", "contradiction", "duplicate", "contamination", "near_image", "blank_image")


def check(train: Scan, benchmarks: list[Scan], pictures: Pictures, settings: dict) -> list[dict]:
    """All findings, by data set and then in the order of ``CHECKS`` and of the rows."""
    near = defaultdict(list)
    for one, other in pictures.near_pairs(settings["image_distance"]):
        near[one].append(other)
        near[other].append(one)
    findings = []
    for found in [train, *benchmarks]:
        findings += [*bad_rows(found), *repeated(found)]
        if found is train:
            findings += contaminated(train, benchmarks, pictures, near, settings)
        findings += [*near_images(found, near), *blank_images(found, pictures)]
    return findings


def bad_rows(found: Scan) -> list[dict]:
    """Golds that do not grade themselves correct; images that cannot be read or are tiny."""
    golds = [_finding(found, row, "bad_gold", row.bad_gold) for row in found.rows if row.bad_gold]
    return golds + [_finding(found, row, "bad_image", row.bad_image) for row in found.rows if row.bad_image]


def repeated(found: Scan) -> list[dict]:
    """Rows that say and show the same; where their golds differ nobody knows which is right, so none is kept."""
    same: dict[tuple, list[Row]] = defaultdict(list)
    for row in found.rows:
        if not row.bad_image:
            same[row.content].append(row)
    contradictions, duplicates = [], []
    for rows in same.values():
        if len({row.answer for row in rows}) > 1:
            for row in rows:
                other = next(each for each in rows if each.answer != row.answer)
                detail = f"the same problem as '{other.id}' with another gold: '{row.answer}' against '{other.answer}'"
                contradictions.append(_finding(found, row, "contradiction", detail, other.id))
        else:
            for row in rows[1:]:
                detail = f"the same question, options, images and gold as '{rows[0].id}'"
                duplicates.append(_finding(found, row, "duplicate", detail, rows[0].id))
    return contradictions + duplicates


def contaminated(
    train: Scan, benchmarks: list[Scan], pictures: Pictures, near: dict[int, list[int]], settings: dict
) -> list[dict]:
    """Training rows that stand in a benchmark: one finding for each row and benchmark, by the strongest evidence."""
    findings = []
    for benchmark in benchmarks:
        ids = {row.id for row in benchmark.rows}
        problems = {row.content: row for row in reversed(benchmark.rows)}
        by_picture = {picture: row for row in reversed(benchmark.rows) for picture in row.pictures if picture >= 0}
        index, by_text = NgramIndex(settings["ngram"]), defaultdict(list)
        for row in benchmark.rows:
            by_text[index.add(row.words)].append(row)
        for row in train.rows:
            evidence = _same_row(row, ids, problems) or _same_image(row, by_picture, pictures, near)
            evidence = evidence or _same_text(row, index, by_text, settings)
            if evidence:
                other, detail = evidence
                findings.append(_finding(train, row, "contamination", detail, other, benchmark.name))
    return findings


def _same_row(row: Row, ids: set[str], problems: dict[tuple, Row]) -> tuple[str, str] | None:
    if row.id in ids:
        return row.id, "the same id"
    if row.content in problems and not row.bad_image and (row.words or row.pictures):
        return problems[row.content].id, "the same problem: question, options and images"
    return None


def _same_image(
    row: Row, by_picture: dict[int, Row], pictures: Pictures, near: dict[int, list[int]]
) -> tuple[str, str] | None:
    for number, picture in enumerate(row.pictures):
        if picture >= 0 and picture in by_picture and not pictures[picture].blank:
            return by_picture[picture].id, f"image {number} is an image of it, pixel by pixel"
    for number, picture in enumerate(row.pictures):
        for other in near.get(picture, ()):
            if other in by_picture:
                return by_picture[other].id, f"image {number} is the near duplicate of an image of it"
    return None


def _same_text(row: Row, index: NgramIndex, by_text: dict[int, list[Row]], settings: dict) -> tuple[str, str] | None:
    for number, share in index.matches(row.words, settings["ngram_share"]):
        rows = by_text[number]
        without_image = next((other for other in rows if not other.pictures), None)
        long = len(rows[0].words) >= settings["long_text"]
        if without_image is not None or not row.pictures or long:
            detail = f"holds {share:.0%} of the {settings['ngram']}-grams of its text ({len(rows[0].words)} words)"
            return (without_image or rows[0]).id, detail
    return None


def near_images(found: Scan, near: dict[int, list[int]]) -> list[dict]:
    """Rows of one set that show nearly what an earlier row shows; legitimate, but the rows are not independent."""
    findings = []
    first: dict[int, Row] = {}
    for row in found.rows:
        matches = [(first[other], number) for number, picture in enumerate(row.pictures) if picture not in first
                   for other in near.get(picture, ()) if other in first]  # fmt: skip
        if matches:
            other, number = matches[0]
            asked = "the same question" if other.text == row.text else "another question"
            detail = f"image {number} is the near duplicate of an image of '{other.id}', which has {asked}"
            findings.append(_finding(found, row, "near_image", detail, other.id))
        for picture in row.pictures:
            first.setdefault(picture, row)
    return findings


def blank_images(found: Scan, pictures: Pictures) -> list[dict]:
    """Rows with an image of one colour."""
    findings = []
    for row in found.rows:
        blank = [number for number, picture in enumerate(row.pictures) if picture >= 0 and pictures[picture].blank]
        if blank:
            findings.append(_finding(found, row, "blank_image", f"image {blank[0]} shows one colour"))
    return findings


def _finding(
    found: Scan, row: Row, name: str, detail: str, other: str | None = None, benchmark: str | None = None
) -> dict:
    if name in ("near_image", "blank_image"):
        severity = "note" if name == "near_image" else "warning"
    else:
        severity = "exclude" if found.name == "train" else "warning"
    return {
        "dataset": found.name,
        "id": row.id,
        "check": name,
        "severity": severity,
        "detail": detail,
        "other": other,
        "benchmark": benchmark,
    }
