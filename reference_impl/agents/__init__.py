"""Agents: one loop each. Observe, plan, diff, apply, report; the only code that sees both planners and drivers."""
