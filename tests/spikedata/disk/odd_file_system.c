/* Preloaded, it imitates a file system that cannot do all that others can. Each variable holds the errno to give. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refused(const char *name) {
    const char *text = getenv(name);
    if (!text || !*text) return 0;
    errno = atoi(text);
    return 1;
}

int flock(int fd, int operation) {
    return refused("ODD_LOCK") ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int lockf(int fd, int command, off_t length) {
    static int (*real)(int, int, off_t);
    if (refused("ODD_LOCK")) return -1;
    if (!real) real = dlsym(RTLD_NEXT, "lockf");
    return real(fd, command, length);
}

static int is_lock(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return is_lock(command) && refused("ODD_LOCK") ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl64(fd, command, argument);
}

int fsync(int fd) {
    struct stat status;
    int is_folder = !fstat(fd, &status) && S_ISDIR(status.st_mode);
    return refused(is_folder ? "ODD_FOLDER_SYNC" : "ODD_FILE_SYNC") ? -1 : (int)syscall(SYS_fsync, fd);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    struct stat status;
    if (getenv("ODD_FOLDER_OPEN") && !(flags & O_DIRECTORY) && !stat(path, &status) && S_ISDIR(status.st_mode)
        && refused("ODD_FOLDER_OPEN"))
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int chmod(const char *path, mode_t mode) {
    return refused("ODD_CHMOD") ? -1 : (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int link(const char *from, const char *to) {
    return refused("ODD_LINK") ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from, const char *path, int to, const char *other, int flags) {
    return refused("ODD_LINK") ? -1 : (int)syscall(SYS_linkat, from, path, to, other, flags);
}
