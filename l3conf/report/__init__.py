"""From what workers saw to what may be published: events, report, its readings, and offline verification.

Only ``events`` writes while tests run; only ``output`` writes afterwards; everything between is pure.
"""
