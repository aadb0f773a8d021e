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


# Every gold must grade as correct against itself, and no benchmark problem may be among the training problems. By its
# priority it comes before whatever costs more. It is no input of that: a new audit is no reason to train anew, and
# behind an ancient() input that is itself made anew Snakemake overlooks what else has changed.
rule audit:
    input:
        train="results/data/train/problems.parquet",
        benchmarks=expand(
            "results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
    output:
        summary="results/audit/summary.json",
    log:
        "results/logs/audit.log",
    benchmark:
        "results/benchmarks/audit.tsv"
    priority: 100
    container:
        image("light")
    threads: config["grading"]["workers"]
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        config=config_of("audit"),
        benchmarks=expand(
            "--benchmark {name}=results/data/benchmarks/{name}/problems.parquet",
            name=config["benchmarks"],
        ),
        code=code_hash("coldstart.audit"),
    message:
        "audit: checking golds and the overlap of training set and benchmarks"
    shell:
        """
        coldstart audit --config {params.config:q} --train {input.train} {params.benchmarks} \
            --output {output.summary} 2>&1 | tee {log}
        """
