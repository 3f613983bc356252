"""Reference implementation of layer-3 connectivity between Kubernetes clusters.

Layers, each importing only what stands below it::

    hooks  __main__            kubectl-style operations; one program, three agents
    agents                     loops: observe, plan, diff, apply, report
    planner | drivers          strangers to each other: pure decisions | the outside world
    protocols                  sans-IO codecs and state machines
    state operations nft_script names    values, and how a ruleset reads

``mutants`` hang beside the agents: one deliberate defect each, never imported unless asked for by name.

Never imports ``l3conf``: it enters the suite by the same door as every other implementation.
"""
