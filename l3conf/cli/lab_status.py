"""What ``l3conf lab status`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path


def print_status(status: dict[str, Any], kubeconfig: Path) -> None:
    """Print nodes and pods as tables."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=240)  # a pipe has no width: nothing is folded
    console.print(f"lab {status['name']}, up {status['uptime_seconds']:.0f} s; KUBECONFIG={kubeconfig}", soft_wrap=True)
    nodes = Table("NODE", "READY", "GATEWAY", "ADDRESS", "POD CIDR", box=None, pad_edge=False)
    pods = Table("POD", "STATUS", "NODE", "ADDRESS", "IMAGE", box=None, pad_edge=False)
    for cluster, state in status["clusters"].items():
        for node in state["nodes"]:
            ready = "yes" if node["ready"] else "[red]no[/red]"
            gateway = "gateway" if node["gateway"] else ""
            nodes.add_row(f"{cluster}@{node['name']}", ready, gateway, node["address"], node["podCIDR"])
        for pod in state["pods"]:
            place = f"{cluster}/{pod['namespace']}/{pod['name']}"
            pods.add_row(place, pod["status"], pod["node"], pod["address"], pod["image"])
    console.print(nodes)
    if pods.row_count:
        console.print()
        console.print(pods)
