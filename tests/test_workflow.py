"""The workflow: what it plans, what a change reruns, and one real run of the whole DAG with vLLM and TRL.

The real run is killed with SIGKILL on its way and started again, as ``make run`` does it.
"""

import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldstart.artifacts import count_rows, read_provenance, read_rows

REPO = Path(__file__).resolve().parents[1]
SNAKEMAKE = REPO / ".venvs" / "driver" / "bin" / "snakemake"
SMALL = REPO / "tests" / "configs" / "small.yaml"
ARMS = ["base", "sft", "grpo", "sft+grpo"]
ANY_MODELS = ["--config", "students={tiny: any/student}", "teacher=any/teacher"]  # hub ids, so that no file is needed


def snakemake(*arguments: object, folder: Path, snakefile: Path = REPO / "Snakefile") -> subprocess.CompletedProcess:
    """Run Snakemake on ``folder`` and return what it did, its output as one text."""
    command = [SNAKEMAKE, "--snakefile", snakefile, "--directory", folder, *arguments]
    return subprocess.run(
        list(map(str, command)), cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200
    )


def plan(*arguments: object, folder: Path, snakefile: Path = REPO / "Snakefile") -> dict[str, int]:
    """Rule -> number of jobs that ``snakemake -n`` plans, without the final ``all``; empty if nothing is to be done."""
    done = snakemake("--dry-run", *arguments, folder=folder, snakefile=snakefile)
    assert done.returncode == 0, done.stdout
    table = re.search(r"^Job stats:\njob +count\n[- ]+\n(.*?)^total", done.stdout, re.DOTALL | re.MULTILINE)
    if table is None:
        assert "Nothing to be done" in done.stdout
        return {}
    jobs = {name: int(count) for name, count in (line.split() for line in table[1].splitlines())}
    jobs.pop("all", None)
    return jobs


# planning


def test_the_default_config_plans_the_whole_pipeline(tmp_path: Path) -> None:
    shutil.copy(REPO / "config.yaml", tmp_path)
    assert plan(*ANY_MODELS, folder=tmp_path) == {
        "import_train": 1,
        "import_benchmark": 4,
        "audit": 1,
        "distill": 2,
        "filter": 1,
        "sft": 1,
        "grpo": 2,
        "generate": 4,
        "score": 16,
        "tables": 1,
        "breakdowns": 1,
    }


@pytest.mark.parametrize("size", ["3b", "7b"])
def test_the_papers_experiments_plan_without_network_torch_or_gpu(size: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = plan("--configfile", REPO / "experiments" / f"rlcs-qwen2.5-vl-{size}.yaml", folder=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert jobs["distill"] == 64 and jobs["import_benchmark"] == 4 and jobs["score"] == 4 * len(ARMS)
    assert sum(jobs.values()) == 96
    # processor time, so that a busy machine does not fail it; the driver's environment has no torch to import
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 10
    assert not list((REPO / ".venvs" / "driver").glob("lib/*/site-packages/torch"))


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        ("results/distill/seed0/1-of-2.parquet", {"distill": 1}),
        ("results/models/tiny/seed0/grpo", {"grpo": 1}),
        ("results/filter/seed0/rows.parquet", {"distill": 2, "filter": 1}),
    ],
)
def test_no_target_is_made_around_the_audit(target: str, jobs: dict[str, int], tmp_path: Path) -> None:
    shutil.copy(REPO / "config.yaml", tmp_path)
    data = {"import_train": 1, "import_benchmark": 4, "audit": 1}
    assert plan(target, *ANY_MODELS, folder=tmp_path) == data | jobs


def test_a_config_on_the_command_line_replaces_config_yaml(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seeds: [7]\nstudents: {seven: any/model}\n")
    (tmp_path / "mine.yaml").write_text("arms: [base]\nstudents: {mine: any/model}\nteacher: any/teacher\n")
    mine = snakemake("-n", "--configfile", tmp_path / "mine.yaml", "all", folder=tmp_path).stdout
    assert "generate: mine, seed 0, arm base" in mine
    assert "seven" not in mine and "seed 7" not in mine
    extended = snakemake("-n", "--config", "arms=[base]", "teacher=any/teacher", "all", folder=tmp_path).stdout
    assert "generate: seven, seed 7, arm base" in extended and "arm sft" not in extended


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--configfile a.yaml all", "all --configfile a.yaml"),
        ("--configfile a.yaml b.yaml -n", "--configfile a.yaml b.yaml -n"),
        ("-n --configfile a.json results/audit/report.md", "results/audit/report.md -n --configfile a.json"),
        ("--configfile a.yaml --config x=1 y=2 all more", "all more --configfile a.yaml --config x=1 y=2"),
        ("--configfile a.yaml -- all", "--configfile a.yaml -- all"),
        ("all --cores 2 --forcerun filter score", "all --cores 2 --forcerun filter score"),
    ],
)
def test_a_target_behind_a_config_file_stays_a_target(typed: str, meant: str) -> None:
    # Snakemake itself is in another environment
    source = (REPO / "envs" / "driver" / "snakemake").read_text().replace("from snakemake.cli import main", "")
    wrapper: dict = {"__name__": "wrapper"}
    exec(compile(source, "snakemake", "exec"), wrapper)
    assert " ".join(wrapper["targets_first"](typed.split())) == meant
    assert wrapper["missing_config"](meant.split()) == next((w for w in meant.split() if w[:2] == "a."), None)
    assert wrapper["missing_config"](["--configfile", str(REPO / "config.yaml"), "--config", "a=1"]) is None


def test_arms_and_seeds_are_independent_branches(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("arms: [base, sft, sft+sft, sft+sft+grpo]\nseeds: [0, 3]\n")
    jobs = plan(*ANY_MODELS, folder=tmp_path)
    assert (jobs["distill"], jobs["filter"], jobs["sft"], jobs["grpo"], jobs["generate"]) == (4, 2, 4, 2, 8)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sft": {"lerning_rate": 1}}, "sft: unknown key 'lerning_rate' (did you mean 'learning_rate'?)"),
        ({"teacher": "/no/such/model"}, "teacher: /no/such/model: no such model folder"),
        ({"students": {"mine": "src/nothing"}}, "students.mine: src/nothing: no such model folder"),
        ({"benchmarks": {"mine": {"path": "no.parquet"}}}, "benchmarks.mine: no.parquet: no such file or folder"),
        ({"arms": ["sft+grpo"]}, "arms: 'sft+grpo' continues from 'sft'"),
    ],
)
def test_a_mistake_in_the_config_is_one_message(config: dict, message: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "mine.yaml").write_text(json.dumps(config))
    done = snakemake("-n", "--configfile", tmp_path / "mine.yaml", folder=tmp_path)
    assert done.returncode != 0
    assert message in done.stdout and f"{tmp_path / 'mine.yaml'}: " in done.stdout
    assert "Traceback" not in done.stdout and "File " not in done.stdout


# what a killed Snakemake leaves


def clear_stale(folder: Path) -> subprocess.CompletedProcess:
    """Run the script that ``make run`` calls first."""
    script = REPO / "workflow" / "scripts" / "clear_stale.py"
    return subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A folder with Snakemake's lock in it."""
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("results/x\n")
    return tmp_path


@pytest.fixture
def sleeper(locked: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen]:
    """A process in that folder; the parameter is (its name, its environment)."""
    name, environment = request.param
    process = subprocess.Popen(["sleep", "60"], executable=shutil.which("sleep"), cwd=locked) if not name else None
    if process is None:
        script = locked / name
        script.write_text("import time\ntime.sleep(60)\n")
        process = subprocess.Popen([sys.executable, script], cwd=locked, env={**os.environ, **environment})
    time.sleep(0.3)
    yield process
    process.kill()
    process.wait()


def test_a_stale_lock_is_removed(locked: Path) -> None:
    done = clear_stale(locked)
    assert done.returncode == 0 and "Removing the lock" in done.stdout
    assert not (locked / ".snakemake" / "locks").exists()
    assert clear_stale(locked).stdout == ""


@pytest.mark.parametrize("sleeper", [("snakemake", {})], indirect=True)
def test_nothing_is_touched_beside_a_live_snakemake(locked: Path, sleeper: subprocess.Popen) -> None:
    done = clear_stale(locked)
    assert done.returncode == 1 and f"already running in this folder (process {sleeper.pid})" in done.stderr
    assert (locked / ".snakemake" / "locks" / "0.output.lock").exists() and sleeper.poll() is None


@pytest.mark.parametrize("sleeper", [("stage", {"COLDSTART_DRIVER_PID": "1"})], indirect=True)
def test_a_stage_that_outlived_its_snakemake_is_ended(locked: Path, sleeper: subprocess.Popen) -> None:
    assert f"Ending process {sleeper.pid}" in clear_stale(locked).stdout
    assert sleeper.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize("sleeper", [("by-hand", {})], indirect=True)
def test_a_process_that_no_snakemake_started_is_left_alone(locked: Path, sleeper: subprocess.Popen) -> None:
    assert clear_stale(locked).returncode == 0
    assert sleeper.poll() is None


# the real run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small config has run to the end, after a SIGKILL in its first distillation shard."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "testbed").symlink_to(REPO / "testbed")
    command = [SNAKEMAKE, "--directory", folder, "--configfile", SMALL, "all"]
    first = subprocess.Popen(list(map(str, command)), cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not list(folder.glob("results/logs/distill/seed0/*.log")):
        assert first.poll() is None and time.monotonic() < deadline, "the run ended before its first shard"
        time.sleep(0.2)
    first.kill()
    first.wait()
    cleared = clear_stale(folder).stdout
    assert "Ending process" in cleared and "Removing the lock" in cleared
    done = snakemake("--configfile", SMALL, "all", folder=folder)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "results/tables/main.csv" in done.stdout
    assert not re.search(r"^rule import_train|data testbed \[", done.stdout, re.MULTILINE), "finished jobs ran again"
    return folder


@pytest.mark.slow
def test_data_and_audit(finished: Path) -> None:
    train = read_rows(finished / "results/data/train/problems.parquet", "problems")
    assert len(train) == 48 and len({row["id"] for row in train}) == 48
    assert all(row["images"] and row["image_tokens"] > 0 and row["prompt_tokens"] <= 96 for row in train)
    for name in ("perception", "ood"):
        rows = read_rows(finished / f"results/data/benchmarks/{name}/problems.parquet", "problems")
        assert len(rows) == 16 and {row["source"] for row in rows} == {name}
        assert not {row["id"] for row in rows} & {row["id"] for row in train}
    assert "0 of 48 training rows are left out" in (finished / "results/audit/report.md").read_text()
    findings = read_rows(finished / "results/audit/findings.parquet", "findings")
    assert not [row for row in findings if row["severity"] == "exclude"]
    assert read_rows(finished / "results/audit/excluded.parquet", "excluded") == []


@pytest.mark.slow
def test_distill_and_filter_account_for_every_sample(finished: Path) -> None:
    shards = sorted(finished.glob("results/distill/seed0/*.parquet"))
    assert [shard.name for shard in shards] == ["1-of-2.parquet", "2-of-2.parquet"]
    samples = [row for shard in shards for row in read_rows(shard, "responses")]
    assert len(samples) == 24 * 2 and len({row["id"] for row in samples}) == 48
    assert Counter(Counter(row["problem_id"] for row in samples).values()) == {2: 24}
    assert len({row["seed"] for row in samples}) == 48
    assert not any("<|" in row["response"] for row in samples)

    kept = read_rows(finished / "results/filter/seed0/rows.parquet", "sft_rows")
    rejected = read_rows(finished / "results/filter/seed0/rejected.parquet", "rejected")
    rates = read_rows(finished / "results/filter/seed0/pass_rates.parquet", "pass_rates")
    assert {row["id"] for row in kept} | {row["id"] for row in rejected} == {row["id"] for row in samples}
    assert len(kept) + len(rejected) == 48 and len(rates) == 24
    assert sum(row["kept"] for row in rates) == len(kept) >= 2
    assert all("boxed" in row["completion"] for row in kept)


@pytest.mark.slow
def test_models_are_trained_and_say_what_made_them(finished: Path) -> None:
    from safetensors import safe_open

    def first_tensor(folder: Path) -> list[float]:
        with safe_open(folder / "model.safetensors", framework="np") as weights:
            name = next(key for key in sorted(weights.keys()) if "layers.0.mlp" in key and "visual" not in key)
            return weights.get_tensor(name).ravel()[:64].tolist()

    seen = [first_tensor(finished / "testbed" / "student")]
    for arm in ARMS[1:]:
        model = finished / "results/models/tiny/seed0" / arm
        assert (model / "config.json").is_file() and (model / "tokenizer.json").is_file()
        seen.append(first_tensor(model))
        manifest = json.loads((model / "manifest.json").read_text())
        assert manifest["seed"] == 0 and manifest["config_hash"] and manifest["inputs"] and manifest["wall_seconds"] > 0
        assert {"torch", "trl", "transformers"} <= set(manifest["packages"])
        metrics = read_rows(model / "metrics.parquet", "metrics")
        assert max(row["step"] for row in metrics) == (4 if arm.endswith("sft") else 2)
        assert ("reward" if arm.endswith("grpo") else "loss") in {row["name"] for row in metrics}
    assert len(set(map(tuple, seen))) == 4, "each arm has weights of its own"
    assert not list(finished.glob("results/work/**/checkpoint-*")), "checkpoints of finished trainings are gone"


@pytest.mark.slow
def test_every_arm_is_graded_and_the_table_says_so(finished: Path) -> None:
    share = {}
    for arm in ARMS:
        for name in ("perception", "ood"):
            folder = finished / "results/eval/tiny/seed0" / arm / name
            responses = read_rows(folder / "responses.parquet", "responses")
            grades = read_rows(folder / "grades.parquet", "grades")
            problems = read_rows(finished / f"results/data/benchmarks/{name}/problems.parquet", "problems")
            assert {row["problem_id"] for row in grades} == {row["id"] for row in problems}
            assert sorted(row["id"] for row in grades) == sorted(row["id"] for row in responses)
            share[arm, name] = 100 * sum(row["verdict"] == "correct" for row in grades) / len(grades)
    rows = list(csv.DictReader((finished / "results/tables/main.csv").open()))
    assert [(row["student"], row["arm"]) for row in rows] == [("tiny", arm) for arm in ARMS]
    for row in rows:
        cells = [share[row["arm"], name] for name in ("perception", "ood")]
        assert [float(row["perception"]), float(row["ood"])] == pytest.approx(cells, abs=1e-3)
        assert float(row["average"]) == pytest.approx(sum(cells) / 2, abs=1e-3)
        assert float(row["average_low"]) <= float(row["average"]) <= float(row["average_high"])
        assert row["perception_n"] == "16"
    markdown = (finished / "results/tables/main.md").read_text()
    assert all(f"| {arm} " in markdown for arm in ARMS)


@pytest.mark.slow
def test_every_artifact_has_its_provenance_and_every_job_its_log(finished: Path) -> None:
    artifacts = [*finished.glob("results/[adef]*/**/*.parquet")]
    assert len(artifacts) == 2 + 6 + 2 + 3 + 16
    for artifact in artifacts:
        record = read_provenance(artifact)
        assert record["config_hash"] and record["packages"] and record["wall_seconds"] >= 0, artifact
    assert len(list(finished.glob("results/benchmarks/**/*.tsv"))) == len(list(finished.glob("results/logs/**/*.log")))
    assert len(list(finished.glob("results/logs/**/*.log"))) == 24
    assert count_rows(finished / "results/data/train/dropped.parquet", "dropped") == 0
    assert not list(finished.glob("results/**/.*.tmp-*")), "half-written files were left"


@pytest.mark.slow
def test_a_second_run_does_nothing(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.glob("results/**/*") if path.is_file()}
    done = snakemake("--configfile", SMALL, "all", folder=finished)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in finished.glob("results/**/*") if path.is_file()} == before


AFTER_GRPO = {"generate": 2, "score": 4, "tables": 1, "breakdowns": 1}
AFTER_MODELS = {"generate": 3, "score": 6, "tables": 1, "breakdowns": 1}
AFTER_SFT = {"sft": 1, "grpo": 1, **AFTER_GRPO}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ("tables={confidence: 0.9}", {"tables": 1, "breakdowns": 1}),
        ("arms=[base, sft]", {"tables": 1, "breakdowns": 1}),
        ("eval={temperature: 0.5}", {"generate": 4, "score": 8, "tables": 1, "breakdowns": 1}),
        ("grpo={learning_rate: 1.0e-6}", {"grpo": 2, **AFTER_GRPO}),
        ("sft={learning_rate: 1.0e-6}", AFTER_SFT),
        ("filter={max_per_problem: 1}", {"filter": 1, **AFTER_SFT}),
        ("distill={temperature: 0.9}", {"distill": 2, "filter": 1, **AFTER_SFT}),
        # behind the audit all is planned; what has the same content is given again (see the next test)
        ("audit={ngram: 9}", {"audit": 1, "distill": 2, "filter": 1, "sft": 1, "grpo": 2, **AFTER_MODELS}),
        (
            "grading={timeout: 9}",
            {"audit": 1, "distill": 2, "filter": 1, "sft": 1, "grpo": 2, **AFTER_MODELS, "score": 8},
        ),
        (
            "seeds=[0, 1]",
            {"distill": 2, "filter": 1, "sft": 1, "grpo": 2, "generate": 4, "score": 8, "tables": 1, "breakdowns": 1},
        ),
    ],
)
def test_a_changed_key_reruns_exactly_what_it_affects(change: str, jobs: dict[str, int], finished: Path) -> None:
    assert plan("--configfile", SMALL, "--config", change, "all", folder=finished) == jobs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        ("tables.py", {"tables": 1}),
        ("cells.py", {"tables": 1, "breakdowns": 1}),
        ("score.py", {"score": 8, "tables": 1, "breakdowns": 1}),
        ("sft.py", AFTER_SFT),
        ("cli.py", {}),
    ],
)
def test_changed_code_reruns_exactly_what_uses_it(
    module: str, jobs: dict[str, int], finished: Path, tmp_path: Path
) -> None:
    for name in ("src", "workflow"):
        shutil.copytree(REPO / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "Snakefile", tmp_path)
    (tmp_path / "profiles").symlink_to("workflow/profiles")
    with (tmp_path / "src" / "coldstart" / module).open("a") as file:
        file.write("\n# changed\n")
    assert plan("--configfile", SMALL, "all", folder=finished, snakefile=tmp_path / "Snakefile") == jobs


@pytest.mark.slow
def test_a_benchmark_that_is_added_costs_no_distillation_and_no_training(finished: Path, tmp_path: Path) -> None:
    """The audit runs again and all behind it, but the samples and models are the same files in seconds."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder, symlinks=True)
    kept = [*folder.glob("results/distill/seed0/*.parquet"), *folder.glob("results/models/tiny/seed0/*/*")]
    before = {path: path.read_bytes() for path in kept if path.is_file() and not path.name.startswith(".")}
    assert len(before) > 20
    more = "benchmarks={choice: {testbed: {families: [choice], n: 8, split: test}}}"
    changed = snakemake("--configfile", SMALL, "--config", more, "arms=[base, sft, sft+grpo]", "all", folder=folder)
    assert changed.returncode == 0, changed.stdout[-6000:]
    assert re.search(r"^localrule audit:|^rule audit:|audit: checking golds", changed.stdout, re.MULTILINE)
    logs = [folder / "results/logs" / name for name in ("distill/seed0/1-of-2.log", "train/tiny/seed0/sft+grpo.log")]
    for log in [*logs, folder / "results/logs/train/tiny/seed0/sft.log"]:
        assert "nothing that determines it has changed" in log.read_text(), log
        assert "[####" not in log.read_text(), "no progress bar: nothing was generated, no step was trained"
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "results/eval/tiny/seed0/sft+grpo/choice/grades.parquet").is_file()


@pytest.mark.slow
def test_one_artifact_can_be_made_anew(finished: Path) -> None:
    grades = "results/eval/tiny/seed0/base/ood/grades.parquet"
    target = finished / grades
    before = target.stat().st_mtime_ns
    done = snakemake("--configfile", SMALL, grades, "--forcerun", "score", folder=finished)
    assert done.returncode == 0, done.stdout
    assert target.stat().st_mtime_ns > before and done.stdout.count("Finished jobid") == 1
