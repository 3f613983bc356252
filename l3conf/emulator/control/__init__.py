"""How the host talks to a running lab: calls over a Unix socket in the lab's state directory.

``framing`` is shared by both sides, ``server`` runs in the emulator, ``client`` on the host.
"""
