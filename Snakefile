# From a base vision-language model to a reasoning model:
# data -> audit -> distill -> filter -> sft -> grpo -> generate -> score -> tables
from snakemake.utils import min_version

min_version("9.12")


# A config named on the command line stands instead of config.yaml, not on top of it.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"


config.update(resolved(config))
use_stages_environment()


wildcard_constraints:
    student=either(config["students"]),
    benchmark=either(config["benchmarks"]),
    seed=r"\d+",
    arm=r"base|(sft|grpo)(\+(sft|grpo))*",


scattergather:
    distill=config["distill"]["shards"],


include: "workflow/rules/data.smk"
include: "workflow/rules/distill.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/eval.smk"
include: "workflow/rules/testbed.smk"


rule all:
    default_target: True
    input:
        "results/tables/main.csv",
        "results/tables/main.md",
        "results/tables/long.csv",
        "results/tables/breakdowns.csv",
        ["results/tables/judge_disagreements.csv"] if config["judge"] else [],


onsuccess:
    print("Done. The table: results/tables/main.csv (to read: main.md, every number: long.csv)")


onerror:
    print("Failed. The last lines of the stage's log are above; all logs: results/logs/")
