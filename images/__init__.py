"""How images are built, and the base that they are built from where nothing can be pulled. No part of any product."""
