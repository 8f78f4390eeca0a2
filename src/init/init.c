/*
 * compote-init: pid 1 of a container that asks for one (`init: true`). Starts the command given, hands every
 * signal on to it, reaps whatever is left to pid 1, and ends with the command's exit status, or 128 + signal.
 * Static, libc only, no allocation.
 *
 *     compote-init -- COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* Faults of our own must not be blocked, or they would loop. */
static void signals_to_take(sigset_t *set)
{
    static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
}

static int run_command(char **argv, const sigset_t *before)
{
    /* A group of its own, in front on the terminal, so that Ctrl-C reaches it and not us. */
    setpgid(0, 0);
    if (isatty(STDIN_FILENO)) {
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(STDIN_FILENO, getpgrp());
        signal(SIGTTOU, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, before, NULL);
    execvp(argv[0], argv);
    int code = errno;
    fprintf(stderr, "%s: %s\n", argv[0], strerror(code));
    return code == ENOENT || code == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Reaps all that ended; true when the command is among them. */
static bool reap(pid_t command, int *status)
{
    bool ended = false;
    int one;
    for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
        if (pid == command) {
            *status = one;
            ended = true;
        }
    return ended;
}

int main(int argc, char **argv)
{
    int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    if (first >= argc) {
        fputs("usage: compote-init -- COMMAND [ARGUMENT...]\n", stderr);
        return EXIT_USAGE;
    }
    if (getpid() != 1)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set, before;
    signals_to_take(&set);
    sigprocmask(SIG_BLOCK, &set, &before);
    pid_t command = fork();
    if (command < 0) {
        perror("compote-init: fork");
        return EXIT_USAGE;
    }
    if (command == 0)
        return run_command(argv + first, &before);

    int status = 0;
    while (!reap(command, &status)) {
        siginfo_t info;
        int number = sigwaitinfo(&set, &info);
        if (number > 0 && number != SIGCHLD)
            kill(command, number);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
