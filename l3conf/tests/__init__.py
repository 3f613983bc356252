"""Unit tests of the suite and its labs; ``sandbox`` gives them namespaces of their own."""
