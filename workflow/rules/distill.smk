# The teacher's chains of thought, one shard a job.
rule distill:
    input:
        problems="results/data/train/problems.parquet",
        excluded="results/audit/excluded.parquet",
        teacher=teacher_files,
    output:
        responses="results/distill/seed{seed}/{scatteritem}.parquet",
    log:
        "results/logs/distill/seed{seed}/{scatteritem}.log",
    benchmark:
        "results/benchmarks/distill/seed{seed}/{scatteritem}.tsv"
    container:
        image("gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=720,
        gpu=0,
    params:
        config=config_of("distill"),
        teacher=teacher,
        work="results/work/distill/seed{seed}/{scatteritem}",
        code=code_hash("coldstart.distill"),
    message:
        "distill: teacher's samples, seed {wildcards.seed}, shard {wildcards.scatteritem}"
    shell:
        """
        coldstart distill --config {params.config:q} --problems {input.problems} --excluded {input.excluded} \
            --model {params.teacher:q} --seed {wildcards.seed} --shard {wildcards.scatteritem} --work {params.work} \
            --responses {output.responses} 2>&1 | tee {log}
        """


# Only correct, finished, non-duplicate traces become SFT rows; the rest is kept with its reason.
rule filter:
    input:
        problems="results/data/train/problems.parquet",
        responses=gather.distill("results/distill/seed{{seed}}/{scatteritem}.parquet"),
    output:
        rows="results/filter/seed{seed}/rows.parquet",
        rejected="results/filter/seed{seed}/rejected.parquet",
        pass_rates="results/filter/seed{seed}/pass_rates.parquet",
    log:
        "results/logs/filter/seed{seed}.log",
    benchmark:
        "results/benchmarks/filter/seed{seed}.tsv"
    container:
        image("light")
    threads: config["grading"]["workers"]
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=config_of("filter"),
        code=code_hash("coldstart.filter"),
    message:
        "filter: grading the teacher's samples, seed {wildcards.seed}"
    shell:
        """
        coldstart filter --config {params.config:q} --problems {input.problems} --responses {input.responses} \
            --rows {output.rows} --rejected {output.rejected} --pass-rates {output.pass_rates} 2>&1 | tee {log}
        """
