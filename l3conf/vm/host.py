"""What this host has for a virtual machine: programs, virtme-ng, hardware support."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import shutil
from pathlib import Path

from l3conf.vm.preflight import Found, needed_programs

_KVM_CREATE_VM = 0xAE01
"""linux/kvm.h"""


def look(*, fetches: bool) -> Found:
    """Return what is here of what is needed."""
    machine = platform.machine()
    names = needed_programs(machine, fetches=fetches)
    return Found(
        machine=machine,
        programs=frozenset(name for name in names if shutil.which(name, path=search_path())),
        virtme=importlib.util.find_spec("virtme") is not None,
        fetches=fetches,
    )


def kvm_works(device: Path = Path("/dev/kvm"), processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Say whether the processor can run a guest.

    The device may be there without hardware behind it, and even make machines (kvm_pvm): those run kernels of their own
    kind alone. So x86 must show that it has VT-x or AMD-V.
    """
    try:
        if platform.machine() == "x86_64" and not {"vmx", "svm"} & {*processor.read_text().split()}:
            return False
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(descriptor, _KVM_CREATE_VM, 0))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def search_path() -> str:
    """Return where programs are looked for: the caller's places and those of administrators."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
