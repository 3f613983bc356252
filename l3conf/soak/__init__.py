"""Random changes to a running lab, and what must hold after each.

``changes`` and ``resources`` decide: which change comes next, what one may disturb, what has leaked; ``journal`` writes
what was done so that it can be done again. ``stage`` acts, ``invariants`` and ``measuring`` look, ``run`` goes round.
"""
