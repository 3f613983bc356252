"""Does the suite bite? Mutants and null implementations, and the rows that must catch them.

Must not know how a mutant is made: an implementation's own catalogue says by which variables of its hooks a
switch is thrown. Each trial is a lab of its own with only the rows it needs, under tightened budgets; a control
trial without any switch shows that the same rows pass under the same budgets.
"""
