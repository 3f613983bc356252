"""Unit tests of ``l3conf.vm``: none of them needs QEMU but one, which says so."""
