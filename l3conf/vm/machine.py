"""What a machine is made of, and the words that start it. Pure: no clock, no file, no process.

::

    this process ── setpriv ── unshare ── virtme-run ── qemu ── kernel ── start script ── COMMAND
                    (dies with us)  (its pid namespace dies with it)

The guest sees this machine's file system read-only, its system directories under overlays that are forgotten, and
writes to two folders of the host: the one for results, and a scratch folder through which it tells how it ended.

virtme-ng mounts the root without a cache, which costs a Python program most of its time. So the root is there a second
time, cached, and the interpreter's folders and the command's own come from that.
"""

from __future__ import annotations

import shlex
import sys
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GUEST_SCRATCH = "/run/l3conf-vm"
"""Where the guest has the scratch folder."""
START, BOOTED, ENDED = "start", "booted", "exit-code"
"""Files in it: the script, one that it makes when the kernel is up, one with the command's exit code."""
_OVERLAYS = ("/etc", "/lib", "/home", "/opt", "/root", "/srv", "/usr", "/var", "/tmp")  # noqa: S108 - mount points
"""What programs may write to inside and nobody finds afterwards."""
_HOST = "/run/l3conf-host"
"""Where the guest has the cached root."""
_HOST_TAG, _OUTPUT_TAG = "l3conf.host", "l3conf.output"
_FILES = "trans=virtio,version=9p2000.L,access=any,msize=524288"
_OPEN_FILES = 65536
"""A lab holds its namespaces by file descriptors."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNSPEAKABLE = "\"'`=, \n"
"""Characters that mean something to the kernel's command line or to QEMU."""
_EMULATED = "mitigations=off"
"""Nobody attacks an emulated processor; for it, a change of page tables at each system call is the slowest thing."""
_MODULES = ("wireguard", "esp4", "esp6", "xfrm_interface", "xfrm_user", "sctp", "sch_netem")
"""Loaded before the command, so that its first use of each is not slower than the next. None of them has to exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRequest:
    """A machine and the command in it."""

    kernel: Path
    """The image; its modules lie in ``lib/modules`` below a folder above it."""
    command: tuple[str, ...]
    directory: Path
    """Where the command runs; what it writes there is forgotten."""
    scratch: Path
    output: Path | None = None
    """The one folder of the host that the command may write to."""
    memory: int = 3072
    """MiB."""
    cpus: int = 2
    kvm: bool = False
    """Whether the processor runs the guest itself; otherwise QEMU emulates it, about ten times slower."""
    console: bool = False
    """Show what the kernel says."""


def own_command(words: Sequence[str], commands: Sequence[str], output: Path | None) -> tuple[str, ...]:
    """Return the command line inside: words that begin with a command of ``l3conf`` are for ``l3conf``.

    Those that write a report get the folder for results, unless they name one.
    """
    if words[0] not in commands:
        return tuple(words)
    own = (sys.executable, "-m", "l3conf", *words)
    named = any(word == "-o" or word.startswith("--output") for word in words)
    if output is not None and words[0] in ("certify", "run") and not named:
        return (*own, "--output", str(output))
    return own


def check_paths(request: MachineRequest) -> None:
    """Refuse paths that would not survive a kernel's command line: ``UserError``."""
    paths = {"the working directory": request.directory, "--output": request.output, "--kernel": request.kernel}
    for where, path in paths.items():
        if any(letter in str(path or "") for letter in _UNSPEAKABLE):
            raise UserError(f"{str(path)!r} has a character that a machine cannot be told", where=where)


def start_script(request: MachineRequest) -> str:
    """Return the first script in the guest."""
    return "\n".join(
        [
            f"export PATH={shlex.quote(f'{sys.prefix}/bin:{_PATH}')} HOME=/root LANG=C.UTF-8",
            f"echo > {GUEST_SCRATCH}/{BOOTED}",
            *_mounts(request),
            f"ulimit -n {_OPEN_FILES}",
            *(f"modprobe -q {module}" for module in _MODULES),
            f"cd {shlex.quote(str(request.directory))} && {shlex.join(request.command)}",
            f"echo $? > {GUEST_SCRATCH}/{ENDED}.new && mv {GUEST_SCRATCH}/{ENDED}.new {GUEST_SCRATCH}/{ENDED}",
            "",
        ]
    )


def _mounts(request: MachineRequest) -> Iterator[str]:
    """Yield the commands that make the guest's files quick, its working directory writable, and results real."""
    own, upper, work = str(request.directory), "/run/l3conf-own/upper", "/run/l3conf-own/work"
    yield f"mkdir -p {_HOST} {upper} {work}"
    yield f"mount -t 9p -o ro,cache=loose,{_FILES} {_HOST_TAG} {_HOST}"
    if own != "/":
        layers = f"lowerdir={_HOST}{own},upperdir={upper},workdir={work}"
        yield f"mount -t overlay -o {shlex.quote(f'xino=off,{layers}')} l3conf-own {shlex.quote(own)}"
    for folder in sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}):
        yield f"mount --bind {shlex.quote(f'{_HOST}{folder}')} {shlex.quote(folder)}"
    if request.output is not None:
        output = shlex.quote(str(request.output))
        yield f"mkdir -p {output}"
        yield f"mount -t 9p -o rw,{_FILES} {_OUTPUT_TAG} {output}"


def machine_command(request: MachineRequest, *, root: bool) -> list[str]:
    """Return the whole command line. ``root``: whether the caller may make namespaces without a user namespace."""
    user = () if root else ("--user", "--map-root-user")
    virtme = "import sys; from virtme.commands.run import main; sys.exit(main())"
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", *user, "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
        *(sys.executable, "-c", virtme),
        *("--kimg", str(request.kernel), "--mods", "auto"),
        *("--memory", f"{request.memory}M", "--cpus", str(request.cpus)),
        *(() if request.kvm else ("--disable-kvm", "--disable-microvm", "--kopt", _EMULATED)),
        *(f"--overlay-rwdir={directory}" for directory in _OVERLAYS),
        f"--rwdir={GUEST_SCRATCH}={request.scratch}",
        *(("--show-boot-console",) if request.console else ()),
        *("--script-sh", f"sh {GUEST_SCRATCH}/{START}"),
        *("--qemu-opts", *_folders(request)),  # takes all words that follow
    ]


def _folders(request: MachineRequest) -> Iterator[str]:
    """Yield QEMU's words for the folders that the start script mounts."""
    shared = [(_HOST_TAG, "/", ",readonly=on")]
    if request.output is not None:
        shared.append((_OUTPUT_TAG, str(request.output), ""))
    for number, (tag, path, more) in enumerate(shared):
        yield "-fsdev"
        yield f"local,id=l3conf{number},path={path},security_model=none,multidevs=remap{more}"
        yield "-device"
        yield f"virtio-9p-pci,fsdev=l3conf{number},mount_tag={tag}"
