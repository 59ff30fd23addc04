"""What an index of many vectors costs and finds, and how other systems do on the same vectors.

    python -m benchmarks.scale peers FOLDER      beside other libraries, on one million vectors
    python -m benchmarks.scale growth FOLDER     from one to ten million vectors
    python -m benchmarks.scale filtered FOLDER   with a part of the rows allowed
    python -m benchmarks.scale encoding          objects a second that a model encodes here
    python -m benchmarks.scale rates             indexer/rates.json from the results
    python -m benchmarks.scale check             compare the results with benchmarks/budgets.toml
    python -m benchmarks.scale page              docs/scale.md and docs/scale.svg from the results

Every measurement runs in a process of its own, and leaves its answer in FOLDER/steps: a run that
was broken off goes on there. What is measured comes to benchmarks/results, a file a benchmark.
"""
