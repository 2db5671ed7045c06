// Measures commands for bench.sh; each is a list of words, the first ones NAME=VALUE for its environment, as env(1) has it.
//   bench time ROUNDS COMMAND [-- COMMAND]...   a line a command: microseconds, microseconds more than the first, page faults more
//   bench cold ROUNDS COMMAND [-- COMMAND]...   the same, with the file of each command but the first out of the page cache
//   bench count EXECUTIONS COMMAND              system calls and instructions between its own execve and the last of so many more
// What the commands say on standard error is lost.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_COMMANDS = 32, MOST_VARIABLES = 256 };

struct command {
    char **words;
    char *environment[MOST_VARIABLES + 1];
    double *took;
    double *more;
    long faults;
};

extern char **environ;

static FILE *errors;

static void fail(const char *what)
{
    fprintf(errors, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct command read_command(char **words)
{
    struct command command = {0};
    int count = 0;
    for (; *words && strchr(*words, '=') && count < MOST_VARIABLES; words++)
        command.environment[count++] = *words;
    for (char **entry = environ; *entry && count < MOST_VARIABLES; entry++)
        command.environment[count++] = *entry;
    command.words = words;
    return command;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// Runs a command to its end; gives the microseconds that took.
static double run(struct command *command)
{
    struct rusage usage;
    pid_t pid;
    int status;
    double start = now();
    errno = posix_spawn(&pid, command->words[0], NULL, NULL, command->words, command->environment);
    if (errno || wait4(pid, &status, 0, &usage) < 0)
        fail(command->words[0]);
    double took = now() - start;
    if (status) {
        fprintf(errors, "bench: %s ended with wait status %d\n", command->words[0], status);
        exit(1);
    }
    command->faults = usage.ru_minflt;
    return took;
}

// Drops a command's file from the page cache, as in an environment that has never read it.
static void forget(const char *path)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) < 0 || fsync(file) < 0)
        fail(path);
    errno = posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    void *first = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, file, 0);
    unsigned char is_cached = 1;
    if (errno || first == MAP_FAILED || mincore(first, 1, &is_cached) < 0)
        fail(path);
    if (is_cached & 1) {
        fprintf(errors, "bench: %s stays in memory: let TMPDIR name a directory on a disk\n", path);
        exit(1);
    }
    munmap(first, 1);
    close(file);
}

static int ascending(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

// Puts the numbers below count in another order, the same ones in every run of this program.
static void shuffle(int *order, int count)
{
    static unsigned state = 1;
    for (int left = count; left > 1; left--) {
        state = state * 1103515245 + 12345;
        int other = (int)(state >> 16) % left;
        int number = order[left - 1];
        order[left - 1] = order[other];
        order[other] = number;
    }
}

// Every round runs each command once, each round in another order, so that what disturbs the machine, and what a command
// leaves in its caches, disturbs all alike; what a command takes more than the first one is compared within a round.
static void time_commands(int rounds, char **words, int is_cold)
{
    static struct command commands[MOST_COMMANDS];
    int order[MOST_COMMANDS];
    int count = 0;
    while (*words && count < MOST_COMMANDS) {
        char **end = words;
        while (*end && strcmp(*end, "--") != 0)
            end++;
        char **next = *end ? end + 1 : end;
        *end = NULL;
        commands[count] = read_command(words);
        commands[count].took = calloc((size_t)rounds, sizeof(double));
        commands[count].more = calloc((size_t)rounds, sizeof(double));
        if (!commands[count].took || !commands[count].more)
            fail("calloc");
        run(&commands[count]);
        order[count] = count;
        count++;
        words = next;
    }
    for (int round = 0; round < rounds; round++) {
        shuffle(order, count);
        for (int turn = 0; turn < count; turn++) {
            struct command *command = &commands[order[turn]];
            if (is_cold && command != commands)
                forget(command->words[0]);
            command->took[round] = run(command);
        }
        for (int index = 0; index < count; index++)
            commands[index].more[round] = commands[index].took[round] - commands[0].took[round];
    }
    for (int index = 0; index < count; index++)
        printf("%.1f %.1f %ld\n", median(commands[index].took, rounds), median(commands[index].more, rounds),
               commands[index].faults - commands[0].faults);
}

// Lets a command run from its own execve until as many more; gives how often it stopped under a ptrace request.
static long stops(struct command *command, int more, int request)
{
    int status;
    long count = 0;
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        // At fixed addresses the counts repeat.
        personality(ADDR_NO_RANDOMIZE);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execve(command->words[0], command->words, command->environment);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) < 0 ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
        fail("ptrace");
    int executions = 0;
    int signal = 0;
    while (executions < 1 + more) {
        if (ptrace(executions ? request : PTRACE_CONT, pid, NULL, (long)signal) < 0 || waitpid(pid, &status, 0) < 0)
            fail("ptrace");
        signal = 0;
        if (!WIFSTOPPED(status)) {
            fprintf(errors, "bench: %s ended without executing anything\n", command->words[0]);
            exit(1);
        } else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            executions++;
        } else if (WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            count++;
        } else {
            signal = WSTOPSIG(status);
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return count;
}

int main(int count, char **words)
{
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    errors = own < 0 ? NULL : fdopen(own, "w");
    if (!errors || !freopen("/dev/null", "w", stderr))
        return 1;
    int is_cold = count > 1 && strcmp(words[1], "cold") == 0;
    if (count > 3 && (is_cold || strcmp(words[1], "time") == 0) && atoi(words[2]) > 0) {
        time_commands(atoi(words[2]), words + 3, is_cold);
    } else if (count > 3 && strcmp(words[1], "count") == 0 && atoi(words[2]) > 0) {
        int more = atoi(words[2]);
        struct command command = read_command(words + 3);
        // The first stop is the end of its own execve, the last one the start of the next; every call between them stops twice.
        long calls = (stops(&command, more, PTRACE_SYSCALL) - 2) / 2;
        printf("%ld %ld\n", calls, stops(&command, more, PTRACE_SINGLESTEP));
    } else {
        fputs("usage: bench time | cold ROUNDS COMMAND [-- COMMAND]... | bench count EXECUTIONS COMMAND\n", errors);
        return 2;
    }
}
