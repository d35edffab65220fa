"""Runs its arguments and prints the peak memory (KiB) of what it ran: a process small enough not to be counted.

What a process has used before exec counts as used by the program, so that whoever spawns must be smaller than what is
measured: this imports nothing, and is run by an interpreter without site-packages.
"""

import os
import sys

null = os.open("/dev/null", os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, 1)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
