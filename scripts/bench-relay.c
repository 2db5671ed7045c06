// The Runtime API and the runtime of bench-relay.sh.
//   bench-relay serve COMMAND...          is the Runtime API while COMMAND runs
//   bench-relay forward COMMAND...        is a relay for COMMAND that only reads and writes in turn, one message after the other
//   bench-relay time ROUNDS BYTES         microseconds of an invocation direct and relayed, and a round's difference and quotient
//   bench-relay memory BYTES COUNT...     a line for each count of invocations: kilobytes that the relay holds, and those in no file
//   bench-relay calls COUNT               the relay's threads, one a line; looks for "begin" before the invocations, "end" after them
// An invocation is a GET of an event and a POST of a response, each with so many bytes.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_BODY = 6 << 20, LARGEST_HEAD = 4096 };

static const char DIRECT[] = "BENCH_RUNTIME_API", RELAYED[] = "AWS_LAMBDA_RUNTIME_API";

static void fail(const char *what)
{
    fprintf(stderr, "bench-relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *memory(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        fail("calloc");
    return memory;
}

struct connection {
    int socket;
    char *message;
    size_t length;
};

static struct connection connection(int socket)
{
    int yes = 1;
    if (socket < 0 || setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0)
        fail("connection");
    return (struct connection){socket, memory(LARGEST_HEAD + LARGEST_BODY), 0};
}

// Takes the next message, whose head arrives whole; says whether there is one. Of its bytes the head becomes a string.
static int receive(struct connection *from)
{
    size_t whole = 0;
    from->length = 0;
    do {
        ssize_t got = read(from->socket, from->message + from->length, LARGEST_HEAD + LARGEST_BODY - from->length);
        if (got <= 0)
            return 0;
        from->length += (size_t)got;
        if (!whole) {
            char *end = memmem(from->message, from->length, "\r\n\r\n", 4);
            if (!end)
                return 0;
            *end = 0;
            char *body = strstr(from->message, "Content-Length: ");
            whole = (size_t)(end + 4 - from->message) + (body ? strtoul(body + 16, NULL, 10) : 0);
        }
    } while (from->length < whole);
    return 1;
}

static void send_all(struct connection *to, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(to->socket, bytes, length);
        if (written < 0)
            fail("write");
        bytes += written;
        length -= (size_t)written;
    }
}

// Puts a head in front of a body of so many bytes; gives the length of both.
static size_t message(char **into, const char *head, size_t body)
{
    *into = memory(LARGEST_HEAD + body);
    int length = snprintf(*into, LARGEST_HEAD, "%sContent-Length: %zu\r\n\r\n", head, body);
    memset(*into + length, 'x', body);
    return (size_t)length + body;
}

// What the Runtime API's thread for a connection does. The event's size is the query of its path.
static void *serve(void *argument)
{
    struct connection client = connection((int)(long)argument);
    char *event = NULL;
    size_t length = 0, last = 0;
    static const char restored[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                                   "Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    while (receive(&client)) {
        char *query = strstr(client.message, "/invocation/next?");
        if (query) {
            size_t size = strtoul(query + 17, NULL, 10);
            if (!event || size != last) {
                free(event);
                length = message(&event, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
                    "Lambda-Runtime-Deadline-Ms: 1542409706888\r\n"
                    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:orders\r\n"
                    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n",
                    size);
                last = size;
            }
            send_all(&client, event, length);
        } else if (strstr(client.message, "/restore/next")) {
            send_all(&client, restored, sizeof restored - 1);
        } else {
            send_all(&client, accepted, sizeof accepted - 1);
        }
    }
    close(client.socket);
    free(client.message);
    free(event);
    return NULL;
}

static struct connection connect_to(const char *variable)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *text = getenv(variable);
    const char *port = text ? strrchr(text, ':') : NULL;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((unsigned short)(port ? atoi(port + 1) : 0));
    if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0)
        fail(variable);
    return connection(client);
}

// What the C relay's thread for a connection does.
static void *forward(void *argument)
{
    struct connection sides[2] = {connect_to(DIRECT), connection((int)(long)argument)};
    ssize_t got;
    for (int to = 0; (got = read(sides[!to].socket, sides[0].message, LARGEST_HEAD)) > 0; to = !to)
        send_all(&sides[to], sides[0].message, (size_t)got);
    for (int side = 0; side < 2; side++) {
        close(sides[side].socket);
        free(sides[side].message);
    }
    return NULL;
}

// Becomes the command. A child that ends with it accepts connections at the address that the command is given.
static void accept_for(char **command, void *(*each)(void *))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char text[32];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 128) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        fail("listen");
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    setenv(RELAYED, text, 1);
    setenv(DIRECT, text, 0);
    if (fork()) {
        execv(command[0], command);
        fail(command[0]);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        pthread_t thread;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0 || pthread_create(&thread, NULL, each, (void *)(long)client) || pthread_detach(thread))
            fail("accept");
    }
}

static void exchange(struct connection *with, const char *request, size_t length, const char *expected)
{
    send_all(with, request, length);
    if (!receive(with) || strncmp(with->message, expected, strlen(expected)) != 0) {
        fprintf(stderr, "bench-relay: %s expected, not: %s\n", expected, with->message);
        exit(1);
    }
}

static const char OK[] = "HTTP/1.1 200 ", ACCEPTED[] = "HTTP/1.1 202 ";

// What every invocation sends.
struct invocation {
    char *next, *response;
    size_t next_length, response_length;
};

static struct invocation invocation(size_t body)
{
    struct invocation invocation;
    char head[256];
    snprintf(head, sizeof head, "GET /2018-06-01/runtime/invocation/next?%zu HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n", body);
    invocation.next_length = message(&invocation.next, head, 0);
    invocation.response_length = message(&invocation.response,
        "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1\r\n"
        "Host: 127.0.0.1:9001\r\nContent-Type: application/json\r\n", body);
    return invocation;
}

// Gives the microseconds that an invocation took.
static double invoke(struct connection *over, const struct invocation *what)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    exchange(over, what->next, what->next_length, OK);
    exchange(over, what->response, what->response_length, ACCEPTED);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
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

static void time_invocations(struct connection *relayed, int rounds, size_t body)
{
    struct connection direct = connect_to(DIRECT);
    struct invocation what = invocation(body);
    double *values[4];
    for (int kind = 0; kind < 4; kind++)
        values[kind] = memory((size_t)rounds * sizeof(double));
    for (int round = -rounds / 10; round < rounds; round++) {
        int first = round & 1;
        double took[2];
        took[first] = invoke(first ? relayed : &direct, &what);
        took[!first] = invoke(first ? &direct : relayed, &what);
        if (round < 0)
            continue;
        values[0][round] = took[0];
        values[1][round] = took[1];
        values[2][round] = took[1] - took[0];
        values[3][round] = took[1] / took[0];
    }
    printf("%.1f %.1f %.1f %.3f\n", median(values[0], rounds), median(values[1], rounds), median(values[2], rounds),
           median(values[3], rounds));
}

// The process of this group that still runs foreword.
static int relay(void)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    char path[300], name[300];
    while (processes && (entry = readdir(processes))) {
        int pid = atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%.200s/exe", entry->d_name);
        ssize_t length = pid > 0 && getpgid(pid) == getpgrp() ? readlink(path, name, sizeof name - 1) : -1;
        if (length < 0)
            continue;
        name[length] = 0;
        if (strcmp(name, getenv("BENCH_FOREWORD")) == 0)
            return pid;
    }
    errno = ESRCH;
    fail("relay");
    return 0;
}

// Every page is counted; /proc/PID/status only estimates.
static long kilobytes(int pid, const char *field)
{
    char path[64], line[256];
    long found = -1;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *pages = fopen(path, "r");
    while (pages && fgets(line, sizeof line, pages))
        if (strncmp(line, field, strlen(field)) == 0)
            found = atol(line + strlen(field));
    if (found < 0)
        fail(path);
    fclose(pages);
    return found;
}

// Every tenth invocation has a connection of its own.
static void hold_memory(struct connection *relayed, size_t body, char **counts)
{
    struct invocation what = invocation(body);
    int pid = relay();
    for (long done = 0; *counts; counts++) {
        for (; done < atol(*counts); done++) {
            if (done % 10) {
                invoke(relayed, &what);
                continue;
            }
            struct connection own = connect_to(RELAYED);
            invoke(&own, &what);
            close(own.socket);
            free(own.message);
        }
        printf("%ld %ld\n", kilobytes(pid, "Rss:"), kilobytes(pid, "Anonymous:"));
    }
}

static void mark_calls(struct connection *relayed, int invocations)
{
    struct invocation what = invocation(100);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", relay());
    DIR *threads = opendir(path);
    struct dirent *entry;
    while (threads && (entry = readdir(threads)))
        if (entry->d_name[0] != '.')
            printf("%s\n", entry->d_name);
    invoke(relayed, &what);
    access("begin", F_OK);
    for (int done = 0; done < invocations; done++)
        invoke(relayed, &what);
    access("end", F_OK);
}

int main(int count, char **words)
{
    const char *what = count > 2 ? words[1] : "";
    if (strcmp(what, "serve") == 0)
        accept_for(words + 2, serve);
    if (strcmp(what, "forward") == 0)
        accept_for(words + 2, forward);
    static const char restore_next[] = "GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n";
    struct connection relayed = connect_to(RELAYED);
    exchange(&relayed, restore_next, sizeof restore_next - 1, OK);
    // The one that waited for the restore ends here.
    close(relayed.socket);
    relayed = connect_to(RELAYED);
    if (strcmp(what, "time") == 0 && count > 3)
        time_invocations(&relayed, atoi(words[2]), strtoul(words[3], NULL, 10));
    else if (strcmp(what, "memory") == 0)
        hold_memory(&relayed, strtoul(words[2], NULL, 10), words + 3);
    else if (strcmp(what, "calls") == 0)
        mark_calls(&relayed, atoi(words[2]));
    else
        return 2;
}
