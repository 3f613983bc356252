"""Network plugins: how a node connects its pods, with the habits that matter to an implementation. Pure."""
