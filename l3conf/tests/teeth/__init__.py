"""The kill matrix and the null implementations."""
