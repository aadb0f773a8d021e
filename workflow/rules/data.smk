# Training problems: import, resize once, measure the true prompt length, drop and count what cannot fit.
rule import_train:
    input:
        sources=train_source,
        processor=processor_files,
    output:
        problems="results/data/train/problems.parquet",
        dropped="results/data/train/dropped.parquet",
    log:
        "results/logs/data/train.log",
    benchmark:
        "results/benchmarks/data/train.tsv"
    priority: 100
    container:
        image("light")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=config_of("data", "train"),
        processor=processor,
        code=code_of("coldstart.data", config["data"]["train"]),
    message:
        "data: importing the training problems"
    shell:
        """
        coldstart data --config {params.config:q} --source train --processor {params.processor:q} \
            --problems {output.problems} --dropped {output.dropped} 2>&1 | tee {log}
        """


# The same for one benchmark.
rule import_benchmark:
    input:
        sources=benchmark_source,
        processor=processor_files,
    output:
        problems="results/data/benchmarks/{benchmark}/problems.parquet",
        dropped="results/data/benchmarks/{benchmark}/dropped.parquet",
    log:
        "results/logs/data/benchmarks/{benchmark}.log",
    benchmark:
        "results/benchmarks/data/benchmarks/{benchmark}.tsv"
    priority: 100
    container:
        image("light")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=config_of("data", "benchmarks.{benchmark}"),
        processor=processor,
        code=benchmark_code,
    message:
        "data: importing benchmark {wildcards.benchmark}"
    shell:
        """
        coldstart data --config {params.config:q} --source benchmarks.{wildcards.benchmark} \
            --processor {params.processor:q} --problems {output.problems} --dropped {output.dropped} 2>&1 | tee {log}
        """


# Golds, images, duplicates, and what stands in a benchmark. Its list of excluded rows is an input of distill and grpo,
# so that no target can be made around the audit. A benchmark that is added makes the list anew, and Snakemake then
# reruns these jobs whatever is in it (ancient() would hide other changes). That costs seconds: stages that cost GPU-days
# keep their finished result under a hash of what determines it (src/coldstart/reuse.py), and give it again if the list
# holds the same rows of theirs.
rule audit:
    input:
        train="results/data/train/problems.parquet",
        benchmarks=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
    output:
        report="results/audit/report.md",
        findings="results/audit/findings.parquet",
        excluded="results/audit/excluded.parquet",
    log:
        "results/logs/audit.log",
    benchmark:
        "results/benchmarks/audit.tsv"
    priority: 100
    container:
        image("light")
    threads: config["grading"]["workers"]
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        config=config_of("audit"),
        benchmarks=expand(
            "--benchmark {name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        folder=subpath(output.report, parent=True),
        code=code_hash("coldstart.audit"),
    message:
        "audit: checking golds, images, duplicates and contamination"
    shell:
        """
        coldstart audit --config {params.config:q} --train {input.train} {params.benchmarks} \
            --output {params.folder} 2>&1 | tee {log}
        """
