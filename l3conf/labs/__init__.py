"""Labs: the ground a conformance run stands on, behind one protocol (``labs.base.Lab``)."""
