/* Preloaded into the gateway: it kills itself with SIGKILL before the write that FIXGW_KILL_AT numbers.

Writes are counted from 1: to files, to sockets, and what makes them durable or takes them away. What a crash
leaves behind changes with such a call only, so that every number is another crash and there are no others.
Standard output and the log do not count. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long left;
static int (*real_fflush)(FILE *);

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FIXGW_KILL_AT");
    real_fflush = (int (*)(FILE *))dlsym(RTLD_NEXT, "fflush");
    left = at ? atol(at) : 0;
}

static void count(void) {
    if (left > 0 && atomic_fetch_sub(&left, 1) == 1) {
        kill(getpid(), SIGKILL);
    }
}

ssize_t write(int file, const void *bytes, size_t size) {
    if (file > 2) {
        count();
    }
    return syscall(SYS_write, file, bytes, size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    count();
    return syscall(SYS_pwrite64, file, bytes, size, at);
}

ssize_t send(int file, const void *bytes, size_t size, int flags) {
    count();
    return syscall(SYS_sendto, file, bytes, size, flags, NULL, 0);
}

int fdatasync(int file) {
    count();
    return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    count();
    return (int)syscall(SYS_fsync, file);
}

int ftruncate64(int file, off64_t size) {
    count();
    return (int)syscall(SYS_ftruncate, file, size);
}

int unlink(const char *path) {
    count();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int fflush(FILE *file) {
    if (file != stdout && file != stderr) {
        count();
    }
    return real_fflush(file);
}
