"""``l3conf vm``: a command in a virtual machine with a distribution's kernel."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import click

_DEFAULT_TIMEOUT = 7200.0
_LARGEST_MEMORY = 1 << 20
_MOST_CPUS = 64


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--kernel", metavar="PATH|PACKAGE", help="Kernel to boot.  [default: the distribution's, linux-image-…]")
@click.option(
    "--memory",
    type=click.IntRange(512, _LARGEST_MEMORY),
    default=3072,
    show_default=True,
    metavar="MIB",
    help="Memory of the machine.",
)
@click.option(
    "--cpus",
    type=click.IntRange(1, _MOST_CPUS),
    help="Processors of the machine.  [default: this host's, at most 4]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, min_open=False),
    default=_DEFAULT_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="End the machine then.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for results: all that it may write to.")
@click.option("--console", is_flag=True, help="Show what the kernel says.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def vm(
    kernel: str | None,
    memory: int,
    cpus: int | None,
    timeout: float,
    output: Path | None,
    words: tuple[str, ...],
    *,
    console: bool,
) -> int:
    """Run a COMMAND in a virtual machine with a distribution's kernel, over this machine's file system.

    \b
      l3conf vm -o out/vm -- run L3-F1 L3-F5 --impl reference_impl/impl-wireguard.yaml --brief --stretch 30
      l3conf vm -- pytest reference_impl/tests/kernel

    A COMMAND that begins with a command of l3conf is for l3conf, and writes its report to the folder for results.
    The machine sees this file system read-only; what else the command writes is forgotten. Without KVM it is emulated,
    ten to thirty times slower.

    The exit code is the command's; 2 if the machine broke, 3 usage.
    """  # noqa: D301 - \b is click's mark for a paragraph that keeps its lines
    from l3conf.cli.main import COMMANDS  # noqa: PLC0415 - it imports this module
    from l3conf.plugin.process import sigterm_interrupts  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.vm import boot, host, kernel_cache, kernels, preflight  # noqa: PLC0415
    from l3conf.vm.machine import MachineRequest, check_paths, machine_command, own_command, start_script  # noqa: PLC0415

    wanted = kernels.parse_kernel(kernel) if kernel else kernels.default_package(platform.machine())
    preflight.check(host.look(fetches=isinstance(wanted, kernels.KernelPackage)))
    results = _results_folder(output)
    image = kernel_cache.find_kernel(wanted, kernel_cache.cache_directory(), _tell)
    with sigterm_interrupts(), boot.scratch_folder() as scratch:
        request = MachineRequest(
            kernel=image,
            command=own_command(words, tuple(COMMANDS), results),
            directory=Path.cwd(),
            scratch=Path(scratch),
            output=results,
            memory=memory,
            cpus=cpus or min(os.cpu_count() or 1, 4),
            kvm=host.kvm_works(),
            console=console,
        )
        check_paths(request)
        how = "with KVM" if request.kvm else "under software emulation, some twenty times slower"
        _tell(f"booting {image.name} {how}")
        code = boot.run_machine(
            machine_command(request, root=os.geteuid() == 0),
            start_script(request),
            Path(scratch),
            timeout=timeout,
            streams=boot.OwnStreams(),
            tell=_tell,
        )
    _tell(f"the command ended with {code}" + (f"; results in {results}" if results else ""))
    return code


def _results_folder(output: Path | None) -> Path | None:
    if output is None:
        return None
    folder = output.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{folder}: {error.strerror}", param_hint="-o") from None
    return folder


def _tell(text: str) -> None:
    click.echo(f"vm: {text}", err=True)
