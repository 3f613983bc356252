"""Tests of the images on a container engine of their own. `make images-test` runs them."""
