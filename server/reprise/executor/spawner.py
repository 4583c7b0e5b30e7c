"""The small process that starts the supervisors: `python -I -S spawner.py <library> <socket fd>`.

Invariant: one thread, the standard library only, nothing of ours imported. With PyDLL the call keeps the
interpreter's lock, so that a child that was forked in native code can go on in it.
"""

import ctypes
import sys


def main() -> None:
    library = ctypes.PyDLL(sys.argv[1])
    sys.exit(library.reprise_spawner(int(sys.argv[2])) != 0)


if __name__ == "__main__":
    main()
