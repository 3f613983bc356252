"""From facts to desired state. Pure: no clock, no kernel, no API; the same facts always give the same plan."""
