"""For pytest at the root of a checkout. Scenarios need nothing from here: the plugin brings their fixtures."""
