"""A wall clock that is wrong, for one process: a library loaded before all others that adds to what the clock says."""

import os
import subprocess

from processes import write

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*clock)(clockid_t, struct timespec *);
    static long ahead;
    if (!clock) {
        ahead = atol(getenv("CLOCK_AHEAD"));
        clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int said = clock(id, at);
    if (said == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        at->tv_sec += ahead;
    }
    return said;
}
"""


def ahead(folder, seconds):
    """What is put before a command for its wall clock to be so many seconds ahead; needs a C compiler."""
    library = os.path.join(folder, "clock.so")
    source = write(folder, "clock.c", SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={library}", f"CLOCK_AHEAD={seconds}"]
