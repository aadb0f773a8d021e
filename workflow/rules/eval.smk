# One model answers all benchmarks in one job: its engine starts once.
rule generate:
    input:
        model=this_files,
        problems=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
    output:
        expand(
            "results/eval/{{student}}/seed{{seed}}/{{arm}}/{name}/responses.parquet",
            name=config["benchmarks"],
        ),
    log:
        "results/logs/generate/{student}/seed{seed}/{arm}.log",
    benchmark:
        "results/benchmarks/generate/{student}/seed{seed}/{arm}.tsv"
    container:
        image("gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=720,
        gpu=0,
    params:
        config=config_of("generate"),
        model=this_model,
        benchmarks=expand(
            "{name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        work="results/work/generate/{student}/seed{seed}/{arm}",
        folder=subpath(output[0], ancestor=2),
        code=code_hash("coldstart.generate"),
    message:
        "generate: {wildcards.student}, seed {wildcards.seed}, arm {wildcards.arm} answers the benchmarks"
    shell:
        """
        coldstart generate --config {params.config:q} --model {params.model:q} --seed {wildcards.seed} \
            --work {params.work} --benchmark {params.benchmarks:q} --output-dir {params.folder} 2>&1 | tee {log}
        """


# Grading needs no model: a new grader rescores what was generated before.
rule score:
    input:
        problems="results/data/benchmarks/{benchmark}/problems.parquet",
        responses="results/eval/{student}/seed{seed}/{arm}/{benchmark}/responses.parquet",
    output:
        grades="results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet",
    log:
        "results/logs/score/{student}/seed{seed}/{arm}/{benchmark}.log",
    benchmark:
        "results/benchmarks/score/{student}/seed{seed}/{arm}/{benchmark}.tsv"
    container:
        image("light")
    threads: config["grading"]["workers"]
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        config=config_of("score"),
        code=code_hash("coldstart.score"),
    message:
        "score: {wildcards.student}, seed {wildcards.seed}, arm {wildcards.arm}, {wildcards.benchmark}"
    shell:
        """
        coldstart score --config {params.config:q} --problems {input.problems} --responses {input.responses} \
            --grades {output.grades} 2>&1 | tee {log}
        """


# The result table: a row per student and arm, a column per benchmark. There is none without an audit that passed.
rule tables:
    input:
        audit="results/audit/report.md",
        problems=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells("results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"),
        judged=judged_cells("results/eval/{student}/seed{seed}/{arm}/{benchmark}/judged.parquet"),
    output:
        csv="results/tables/main.csv",
        markdown="results/tables/main.md",
        long="results/tables/long.csv",
    log:
        "results/logs/tables.log",
    benchmark:
        "results/benchmarks/tables.tsv"
    container:
        image("light")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=config_of("tables"),
        problems=expand(
            "{name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells(
            "{student}/seed{seed}/{arm}/{benchmark}=results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"
        ),
        judged=judged_cells(
            "{student}/seed{seed}/{arm}/{benchmark}=results/eval/{student}/seed{seed}/{arm}/{benchmark}/judged.parquet"
        ),
        code=code_of("coldstart.tables", config["benchmarks"]),
    message:
        "tables: aggregating the grades"
    shell:
        """
        coldstart tables --config {params.config:q} --problems {params.problems:q} --grades {params.grades:q} \
            --judged {params.judged:q} --csv {output.csv} --markdown {output.markdown} --long {output.long} 2>&1 | tee {log}
        """


# Beside it, every benchmark's own scores: by subject, level, problem version, ...
rule breakdowns:
    input:
        problems=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells("results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"),
    output:
        csv="results/tables/breakdowns.csv",
    log:
        "results/logs/breakdowns.log",
    benchmark:
        "results/benchmarks/breakdowns.tsv"
    container:
        image("light")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        config=config_of("breakdowns"),
        problems=expand(
            "{name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells(
            "{student}/seed{seed}/{arm}/{benchmark}=results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"
        ),
        code=code_of("coldstart.breakdowns", config["benchmarks"]),
    message:
        "breakdowns: the official scores of every benchmark"
    shell:
        """
        coldstart breakdowns --config {params.config:q} --problems {params.problems:q} --grades {params.grades:q} \
            --output {output.csv} 2>&1 | tee {log}
        """


# The optional second opinion, beside the rules. A judge at an endpoint needs no GPU here.
rule judge:
    input:
        problems="results/data/benchmarks/{benchmark}/problems.parquet",
        responses="results/eval/{student}/seed{seed}/{arm}/{benchmark}/responses.parquet",
    output:
        judged="results/eval/{student}/seed{seed}/{arm}/{benchmark}/judged.parquet",
    log:
        "results/logs/judge/{student}/seed{seed}/{arm}/{benchmark}.log",
    benchmark:
        "results/benchmarks/judge/{student}/seed{seed}/{arm}/{benchmark}.tsv"
    container:
        image("light" if (config["judge"] or {}).get("base_url") else "gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=720,
        gpu=0,
    params:
        config=config_of("judge"),
        work="results/work/judge/{student}/seed{seed}/{arm}/{benchmark}",
        code=code_hash("coldstart.judge"),
    message:
        "judge: {wildcards.student}, seed {wildcards.seed}, arm {wildcards.arm}, {wildcards.benchmark}"
    shell:
        """
        coldstart judge --config {params.config:q} --problems {input.problems} --responses {input.responses} \
            --work {params.work} --judged {output.judged} 2>&1 | tee {log}
        """


# Where judge and rules differ, for a person to read.
rule judge_report:
    input:
        problems=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells("results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"),
        judged=judged_cells("results/eval/{student}/seed{seed}/{arm}/{benchmark}/judged.parquet"),
    output:
        csv="results/tables/judge_disagreements.csv",
    log:
        "results/logs/judge_report.log",
    benchmark:
        "results/benchmarks/judge_report.tsv"
    container:
        image("light")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        problems=expand(
            "{name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        grades=cells(
            "{student}/seed{seed}/{arm}/{benchmark}=results/eval/{student}/seed{seed}/{arm}/{benchmark}/grades.parquet"
        ),
        judged=judged_cells(
            "{student}/seed{seed}/{arm}/{benchmark}=results/eval/{student}/seed{seed}/{arm}/{benchmark}/judged.parquet"
        ),
        code=code_hash("coldstart.judge_report"),
    message:
        "judge report: where judge and rules differ"
    shell:
        """
        coldstart judge-report --problems {params.problems:q} --grades {params.grades:q} --judged {params.judged:q} \
            --output {output.csv} 2>&1 | tee {log}
        """
