"""A disk whose syncs take longer: a library put before the system's, for measurements of slow disks on a fast one."""

import shutil
import subprocess
from pathlib import Path

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void nap(void) { struct timespec t = {0, %d000000L}; nanosleep(&t, 0); }
int fsync(int f) { nap(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(f); }
int fdatasync(int f) { nap(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(f); }
"""


def slower(folder: Path, milliseconds: int) -> dict[str, str]:
    """The environment of a process whose fsync and fdatasync take so much longer. Needs a C compiler."""
    if not milliseconds:
        return {}
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("A slower disk needs a C compiler: sudo apt-get install -y gcc libc6-dev")
    (folder / "slow.c").write_text(SOURCE % milliseconds)
    command = [compiler, "-shared", "-fPIC", "-o", str(folder / "slow.so"), str(folder / "slow.c"), "-ldl"]
    subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(folder / "slow.so")}
