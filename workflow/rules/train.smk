# Checkpoints live under results/work, which Snakemake does not own, so that a killed training goes on where it was. The
# finished model is an output, and stays there too (hard links): a job that is run again with the same content gives it.


# Fine-tune on the kept traces.
rule sft:
    input:
        model=parent_files,
        rows="results/filter/seed{seed}/rows.parquet",
    output:
        model=directory("results/models/{student}/seed{seed}/{arm}"),
    log:
        "results/logs/train/{student}/seed{seed}/{arm}.log",
    benchmark:
        "results/benchmarks/train/{student}/seed{seed}/{arm}.tsv"
    wildcard_constraints:
        arm=r"((sft|grpo)\+)*sft",
    container:
        image("gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=1440,
        gpu=0,
    params:
        config=config_of("sft"),
        model=parent_model,
        work="results/work/sft/{student}/seed{seed}/{arm}",
        code=code_hash("coldstart.sft"),
    message:
        "sft: training {wildcards.student}, seed {wildcards.seed}, arm {wildcards.arm}"
    shell:
        """
        coldstart sft --config {params.config:q} --model {params.model:q} --rows {input.rows} \
            --seed {wildcards.seed} --work {params.work} --output {output.model} 2>&1 | tee {log}
        """


# Refine by reinforcement learning, from the stage before or from the base model.
rule grpo:
    input:
        model=parent_files,
        problems="results/data/train/problems.parquet",
        excluded="results/audit/excluded.parquet",
    output:
        model=directory("results/models/{student}/seed{seed}/{arm}"),
    log:
        "results/logs/train/{student}/seed{seed}/{arm}.log",
    benchmark:
        "results/benchmarks/train/{student}/seed{seed}/{arm}.tsv"
    wildcard_constraints:
        arm=r"((sft|grpo)\+)*grpo",
    container:
        image("gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=1440,
        gpu=0,
    params:
        config=config_of("grpo"),
        model=parent_model,
        work="results/work/grpo/{student}/seed{seed}/{arm}",
        code=code_hash("coldstart.grpo"),
    message:
        "grpo: training {wildcards.student}, seed {wildcards.seed}, arm {wildcards.arm}"
    shell:
        """
        coldstart grpo --config {params.config:q} --model {params.model:q} --problems {input.problems} \
            --excluded {input.excluded} --seed {wildcards.seed} --work {params.work} --output {output.model} 2>&1 | tee {log}
        """
