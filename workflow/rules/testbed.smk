# Train the shipped models anew, from random weights. `all` uses those in testbed/; copy a result there to replace one.
rule testbed_models:
    input:
        "results/testbed/student",
        "results/testbed/teacher",


rule testbed_train:
    output:
        model=directory("results/testbed/{role}"),
    log:
        "results/logs/testbed/{role}.log",
    benchmark:
        "results/benchmarks/testbed/{role}.tsv"
    wildcard_constraints:
        role="student|teacher",
    container:
        image("gpu")
    threads: 16
    resources:
        mem_mb=7000,
        runtime=240,
        gpu=0,
    params:
        code=code_hash("coldstart.testbed.train"),
    message:
        "testbed: training the {wildcards.role} from random weights"
    shell:
        """
        coldstart testbed-train --role {wildcards.role} --output {output.model} 2>&1 | tee {log}
        """
