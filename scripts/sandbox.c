/*
 * Executes a command in a sandbox like AWS Lambda's: an unprivileged user; a read-only root, read-only layers and code;
 * a /tmp of its own; no /dev/shm; Lambda's resource limits; no HOME; and a seccomp filter that refuses system calls. The
 * command keeps the process ID, the rest of the environment and the file descriptors. docs/sandbox.md has the evidence.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "Lambda has x86_64 and arm64"
#endif

enum { FAILED = 125, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

/* The user and group of a function's processes on Lambda (sbx_user1051). */
enum { USER = 993, GROUP = 990 };

/* Where the new root is assembled. Every system has this directory, and nothing in it is needed meanwhile. */
static const char ROOT[] = "/tmp";

/* A name on the command line, and its number in the kernel's headers. */
struct name {
    const char *name;
    int number;
};

static const struct name calls[] = {
#define CALL(name) { #name, SYS_##name }
    CALL(accept4), CALL(bpf), CALL(chroot), CALL(clone), CALL(clone3), CALL(close_range), CALL(copy_file_range),
    CALL(dup3), CALL(epoll_create1), CALL(eventfd2), CALL(execveat), CALL(faccessat2), CALL(fallocate), CALL(futex),
    CALL(getrandom), CALL(inotify_init1), CALL(io_uring_setup), CALL(kcmp), CALL(keyctl), CALL(landlock_create_ruleset),
    CALL(membarrier), CALL(memfd_create), CALL(mlock), CALL(mount), CALL(openat2), CALL(perf_event_open),
    CALL(personality), CALL(pidfd_getfd), CALL(pidfd_open), CALL(pidfd_send_signal), CALL(pipe2), CALL(ppoll),
    CALL(prctl), CALL(prlimit64), CALL(process_vm_readv), CALL(ptrace), CALL(restart_syscall), CALL(rseq),
    CALL(rt_sigtimedwait), CALL(seccomp), CALL(sendfile), CALL(setns), CALL(setpgid), CALL(setsid), CALL(signalfd4),
    CALL(splice), CALL(statx), CALL(timerfd_create), CALL(tkill), CALL(unshare), CALL(userfaultfd), CALL(waitid),
#ifdef SYS_poll
    CALL(poll),
#endif
};

static const struct name errors[] = { { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "EACCES", EACCES } };

/* The system calls that Lambda is known to refuse, with EPERM. install_filter() also refuses raw sockets, as Lambda does. */
static const char *const refused_by_lambda[] = { "prctl", "ptrace", "chroot", "seccomp" };

/* The error of each call of `calls`; 0 allows the call. */
static int refusals[sizeof calls / sizeof *calls];

static const struct {
    int limit;
    rlim_t value;
} limits[] = {
    { RLIMIT_NOFILE, 1024 },
    { RLIMIT_NPROC, 742 },
    { RLIMIT_MEMLOCK, 64 << 10 },
    { RLIMIT_STACK, 8 << 20 },
    { RLIMIT_CORE, (rlim_t)10 << 30 },
};

/* A directory of the machine, and where the command sees it. */
struct view {
    const char *source;
    const char *target;
    int is_writable;
};

static struct view views[64];
static size_t view_count;

__attribute__((noreturn, format(printf, 2, 3))) static void fail(int status, const char *format, ...)
{
    va_list arguments;

    fputs("sandbox: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

__attribute__((noreturn)) static void usage(void)
{
    fputs("usage: sandbox [OPTION]... -- COMMAND [ARGUMENT]...\n"
          "  --refuse CALL[=ERROR]   refuse one more system call, with EPERM unless ENOSYS or EACCES is named\n"
          "  --allow CALL            allow a call that is otherwise refused\n"
          "  --task DIRECTORY        what is at /var/task\n"
          "  --opt DIRECTORY         what is at /opt\n"
          "  --bind SOURCE TARGET    what is at TARGET, read-only\n"
          "  --writable DIRECTORY    keep this directory where it is, writable\n"
          "  --writable-at SOURCE TARGET\n"
          "                          what is at TARGET, writable\n"
          "  --show DIRECTORY        keep this directory visible, even below one that only its owner may search\n"
          "  --user UID              the user and the group; 993 and 990 by default\n"
          "  --calls                 print the system calls that have a name here, and what is refused\n",
          stderr);
    exit(2);
}

static size_t find_call(const char *name, size_t length)
{
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++)
        if (strlen(calls[index].name) == length && !memcmp(calls[index].name, name, length))
            return index;
    fail(2, "there is no system call \"%.*s\" here; --calls prints those that there are", (int)length, name);
}

static void refuse(const char *option)
{
    size_t length = strcspn(option, "=");
    const char *error = option[length] ? option + length + 1 : "EPERM";

    for (size_t index = 0; index < sizeof errors / sizeof *errors; index++)
        if (!strcmp(errors[index].name, error)) {
            refusals[find_call(option, length)] = errors[index].number;
            return;
        }
    fail(2, "there is no error \"%s\" here; there are EPERM, ENOSYS and EACCES", error);
}

static void print_calls(void)
{
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++)
        printf("%s%s\n", calls[index].name, refusals[index] ? " EPERM" : "");
    exit(0);
}

static void add_view(const char *source, const char *target, int is_writable)
{
    if (view_count == sizeof views / sizeof *views)
        fail(2, "more than %zu directories", view_count);
    if (source[0] != '/' || target[0] != '/')
        fail(2, "\"%s\" is not an absolute path", source[0] != '/' ? source : target);
    views[view_count++] = (struct view){ source, target, is_writable };
}

/* Returns a path's location in the new root, in a buffer that the next call overwrites. */
static const char *in_new_root(const char *path)
{
    static char target[PATH_MAX];

    if ((size_t)snprintf(target, sizeof target, "%s%s", ROOT, strcmp(path, "/") ? path : "") >= sizeof target)
        fail(FAILED, "the path \"%s\" is too long", path);
    return target;
}

static void mount_or_fail(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
    if (mount(source, target, type, flags, data))
        fail(FAILED, "unable to mount \"%s\": %s", target, strerror(errno));
}

static void set_read_only(const char *target, int is_read_only, unsigned flags)
{
    struct mount_attr attributes = { 0 };

    *(is_read_only ? &attributes.attr_set : &attributes.attr_clr) = MOUNT_ATTR_RDONLY;
    if (syscall(SYS_mount_setattr, AT_FDCWD, target, flags, &attributes, sizeof attributes))
        fail(FAILED, "unable to change the mount \"%s\": %s", target, strerror(errno));
}

/* Mounts a tmpfs over a directory in which nothing can be made, and binds the directory's entries into it. */
static void rebuild_directory(int original, const char *target, const char *const *without)
{
    DIR *directory;
    struct dirent *entry;
    char from[64], to[PATH_MAX], link[PATH_MAX];

    mount_or_fail("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    directory = fdopendir(openat(original, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        fail(FAILED, "unable to read \"%s\": %s", target, strerror(errno));
    while ((entry = readdir(directory))) {
        struct stat about;
        ssize_t length;
        int is_left_out = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");

        for (const char *const *name = without; name && *name; name++)
            is_left_out |= !strcmp(*name, entry->d_name);
        if (is_left_out || fstatat(original, entry->d_name, &about, AT_SYMLINK_NOFOLLOW))
            continue;
        snprintf(to, sizeof to, "%s/%s", target, entry->d_name);
        if (S_ISLNK(about.st_mode)) {
            length = readlinkat(original, entry->d_name, link, sizeof link - 1);
            if (length < 0)
                continue;
            link[length] = 0;
            if (symlink(link, to))
                fail(FAILED, "unable to make the symlink \"%s\": %s", to, strerror(errno));
            continue;
        }
        if (S_ISDIR(about.st_mode) ? mkdir(to, 0755) : mknod(to, S_IFREG | 0644, 0))
            fail(FAILED, "unable to make \"%s\": %s", to, strerror(errno));
        snprintf(from, sizeof from, "/proc/self/fd/%d", openat(original, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        mount_or_fail(from, to, NULL, MS_BIND | MS_REC, NULL);
        close(atoi(from + strlen("/proc/self/fd/")));
    }
    closedir(directory);
}

/* Makes a directory and its parents, and gives everybody search permission for all of them. */
static void make_directories(const char *path)
{
    char prefix[PATH_MAX], parent[PATH_MAX];
    struct stat about;

    snprintf(prefix, sizeof prefix, "%s", path);
    for (char *slash = strchr(prefix + 1, '/');; slash = strchr(slash + 1, '/')) {
        int original;

        if (slash)
            *slash = 0;
        if (stat(in_new_root(prefix), &about)) {
            if (mkdir(in_new_root(prefix), 0755) && errno != EEXIST) {
                snprintf(parent, sizeof parent, "%s", prefix);
                *strrchr(parent, '/') = 0;
                original = open(in_new_root(parent), O_PATH | O_DIRECTORY | O_CLOEXEC);
                rebuild_directory(original, in_new_root(parent), NULL);
                close(original);
                if (mkdir(in_new_root(prefix), 0755))
                    fail(FAILED, "unable to make \"%s\": %s", prefix, strerror(errno));
            }
        } else if (slash && !(about.st_mode & S_IXOTH)) {
            original = open(in_new_root(prefix), O_PATH | O_DIRECTORY | O_CLOEXEC);
            rebuild_directory(original, in_new_root(prefix), NULL);
            close(original);
        }
        if (!slash)
            return;
        *slash = '/';
    }
}

static void write_file(const char *path, const char *content)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);

    if (file < 0 || write(file, content, strlen(content)) < 0)
        fail(FAILED, "unable to write \"%s\": %s", path, strerror(errno));
    close(file);
}

/* Gives this process its own mount namespace, and without root its own user namespace too. */
static void unshare_mounts(void)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    char map[64];

    if (!unshare(CLONE_NEWNS))
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
        fail(FAILED, "this machine lets nobody but root mount (unshare: %s); run it as root, or allow user namespaces",
             strerror(errno));
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", user, user);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1", group, group);
    write_file("/proc/self/gid_map", map);
}

static void enter_root(void)
{
    static const char *const own[] = { "tmp", "opt", NULL };
    char directory[PATH_MAX];
    int original, sources[sizeof views / sizeof *views];

    if (!getcwd(directory, sizeof directory))
        fail(FAILED, "unable to find the working directory: %s", strerror(errno));
    unshare_mounts();
    mount_or_fail(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    original = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t index = 0; index < view_count; index++) {
        sources[index] = open(views[index].source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (sources[index] < 0)
            fail(FAILED, "unable to open \"%s\": %s", views[index].source, strerror(errno));
    }
    rebuild_directory(original, ROOT, own);
    for (const char *const *name = own; *name; name++) {
        char target[PATH_MAX];

        snprintf(target, sizeof target, "/%s", *name);
        mkdir(in_new_root(target), 0755);
    }
    mount_or_fail("tmpfs", in_new_root("/tmp"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=512m");
    if (!access(in_new_root("/dev/shm"), F_OK))
        mount_or_fail("tmpfs", in_new_root("/dev/shm"), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0000");
    for (size_t index = 0; index < view_count; index++) {
        char source[64];

        make_directories(views[index].target);
        snprintf(source, sizeof source, "/proc/self/fd/%d", sources[index]);
        mount_or_fail(source, in_new_root(views[index].target), NULL, MS_BIND | MS_REC, NULL);
        close(sources[index]);
    }
    set_read_only(in_new_root("/"), 1, AT_RECURSIVE);
    set_read_only(in_new_root("/tmp"), 0, 0);
    set_read_only(in_new_root("/proc"), 0, 0);
    for (size_t index = 0; index < view_count; index++)
        if (views[index].is_writable)
            set_read_only(in_new_root(views[index].target), 0, 0);
    if (chdir(ROOT) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
        fail(FAILED, "unable to change the root: %s", strerror(errno));
    if (chdir(directory))
        fail(FAILED, "unable to enter the working directory \"%s\": %s; --writable or --show keeps it", directory,
             strerror(errno));
    close(original);
}

static void drop_privileges(uid_t user, gid_t group)
{
    for (size_t index = 0; index < sizeof limits / sizeof *limits; index++) {
        struct rlimit limit = { limits[index].value, limits[index].value }, current;

        /* Without root, hard limits can only be lowered. */
        if (getrlimit(limits[index].limit, &current))
            continue;
        if (geteuid() && current.rlim_max < limit.rlim_max)
            limit.rlim_cur = limit.rlim_max = current.rlim_max;
        setrlimit(limits[index].limit, &limit);
    }
    if (geteuid())
        return;
    if (setgroups(0, NULL) || setresgid(group, group, group) || setresuid(user, user, user))
        fail(FAILED, "unable to become the user %u: %s", user, strerror(errno));
}

/* Installs the seccomp filter, which holds for the rest of this program as well. */
static void install_filter(void)
{
    struct sock_filter program[16 + 2 * (sizeof calls / sizeof *calls)];
    unsigned short length = 0;
    const unsigned number = offsetof(struct seccomp_data, nr), type = offsetof(struct seccomp_data, args[1]);

    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number);
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++) {
        if (!refusals[index])
            continue;
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[index].number, 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)refusals[index]);
    }
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, type);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf);
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_RAW, 0, 1);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

    struct sock_fprog whole = { length, program };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole))
        fail(FAILED, "unable to install the filter of system calls: %s", strerror(errno));
}

/* Removes HOME. unsetenv() could change the order of the other entries, or remove duplicates. */
static void remove_home(void)
{
    char **to = environ;

    for (char **from = environ; *from; from++)
        if (strncmp(*from, "HOME=", 5))
            *to++ = *from;
    *to = NULL;
}

int main(int count, char **words)
{
    uid_t user = USER;
    gid_t group = GROUP;
    mode_t mask;
    int index = 1;

    for (size_t known = 0; known < sizeof refused_by_lambda / sizeof *refused_by_lambda; known++)
        refuse(refused_by_lambda[known]);
    for (; index < count && strcmp(words[index], "--"); index++) {
        const char *option = words[index];
        int left = count - index - 1;

        if (!strcmp(option, "--calls"))
            print_calls();
        else if (!strcmp(option, "--refuse") && left >= 1)
            refuse(words[++index]);
        else if (!strcmp(option, "--allow") && left >= 1)
            index++, refusals[find_call(words[index], strlen(words[index]))] = 0;
        else if (!strcmp(option, "--task") && left >= 1)
            add_view(words[++index], "/var/task", 0);
        else if (!strcmp(option, "--opt") && left >= 1)
            add_view(words[++index], "/opt", 0);
        else if (!strcmp(option, "--bind") && left >= 2)
            add_view(words[index + 1], words[index + 2], 0), index += 2;
        else if (!strcmp(option, "--writable") && left >= 1)
            index++, add_view(words[index], words[index], 1);
        else if (!strcmp(option, "--writable-at") && left >= 2)
            add_view(words[index + 1], words[index + 2], 1), index += 2;
        else if (!strcmp(option, "--show") && left >= 1)
            index++, add_view(words[index], words[index], 0);
        else if (!strcmp(option, "--user") && left >= 1)
            user = group = (uid_t)strtoul(words[++index], NULL, 10);
        else
            usage();
    }
    if (index + 1 >= count)
        usage();

    mask = umask(022);
    enter_root();
    umask(mask);
    drop_privileges(user, group);
    install_filter();
    remove_home();
    execvp(words[index + 1], words + index + 1);
    fail(errno == ENOENT ? NOT_FOUND : CANNOT_EXECUTE, "unable to execute \"%s\": %s", words[index + 1], strerror(errno));
}
