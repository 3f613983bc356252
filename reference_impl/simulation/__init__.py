"""The pure parts of the agents in virtual time, against APIs that fail as real ones do: no clock, kernel or network.

A schedule is a seed: who joins with which ranges, what breaks when, which events are lost, doubled or late, and who is
killed between which two writes. The same seed gives the same run to the last step. What must hold is in ``invariants``.
Planners, protocols and mirrors are the agents' own; only the loops around them are rebuilt, without their waiting.
"""
