"""The small process that starts the supervisors. Its arguments: the native library, a socket's number.

Invariant: one thread, the standard library only, nothing of ours imported.
"""

import ctypes
import sys


def main() -> None:
    library = ctypes.PyDLL(sys.argv[1])
    sys.exit(library.reprise_spawner(int(sys.argv[2])) != 0)


if __name__ == "__main__":
    main()
