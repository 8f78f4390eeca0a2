#include "base/str.h"
#include "base/strv.h"
#include "sys/fd.h"
#include "sys/filetree.h"
#include "sys/fs.h"
#include "sys/journal.h"
#include "sys/loop.h"
#include "sys/spawn.h"
#include "sys/unit.h"

#include "lib/unit.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>

static char *scratch(void **state)
{
    char template[] = "/tmp/compote-test-sys-XXXXXX";
    assert_non_null(mkdtemp(template));
    *state = mem_strdup(NULL, template);
    return *state;
}

static int remove_scratch(void **state)
{
    struct error err = ERROR_INIT;
    int r = *state ? fs_remove_tree(*state, &err) : 0;
    talloc_free(*state);
    return r;
}

static void test_files_are_replaced_whole(void **state)
{
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    char *path = mem_printf(dir, "%s/a/b/c", dir), *data;
    size_t size;
    assert_int_equal(fs_read_file(dir, path, 100, &data, NULL, &err), FS_ABSENT);
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/a/b", dir), 0700, &err), 0);
    assert_int_equal(fs_write_file(path, "hello", 5, 0600, true, &err), 0);
    assert_int_equal(fs_read_file(dir, path, 100, &data, &size, &err), 0);
    assert_string_equal(data, "hello");
    assert_int_equal(size, 5);
    assert_int_equal(fs_read_file(dir, path, 4, &data, NULL, &err), -EFBIG);
    char **names;
    assert_int_equal(fs_list(dir, mem_printf(dir, "%s/a/b", dir), &names, &err), 0);
    assert_int_equal(strv_len(names), 1);
}

static void test_files_without_a_size_have_limits_too(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    char *data;
    assert_int_equal(fs_read_file(tmp, "/proc/sys/kernel/ostype", 6, &data, NULL, &err), 0);
    assert_string_equal(data, "Linux\n");
    assert_int_equal(fs_read_file(tmp, "/proc/sys/kernel/ostype", 5, &data, NULL, &err), -EFBIG);
    assert_int_equal(fs_read_file(tmp, "/proc/filesystems", 1 << 20, &data, NULL, &err), 0);
}

static void *write_late(void *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* blocks until the reader is there */
    return (void *)(intptr_t)(fd < 0 || write(fd, "text", 4) != 4 || close(fd) < 0);
}

static void test_pipes_are_read_while_somebody_writes(void **state)
{
    char *dir = scratch(state), *path = mem_printf(dir, "%s/pipe", dir), *data;
    struct error err = ERROR_INIT;
    pthread_t writer;
    void *failed;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_late, path), 0);
    assert_int_equal(fs_read_file(dir, path, 100, &data, NULL, &err), 0);
    assert_int_equal(pthread_join(writer, &failed), 0);
    assert_null(failed);
    assert_string_equal(data, "text");
    assert_int_equal(fs_read_file(dir, path, 100, &data, NULL, &err), -EPIPE);
    assert_non_null(strstr(err.text, "is a pipe that nothing writes to"));
}

static void test_opening_stays_beneath(void **state)
{
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    int fd;
    cleanup_close int dir_fd = -1;
    assert_int_equal(fs_open_dir(dir, &dir_fd, &err), 0);
    assert_int_equal(symlinkat("/etc", dir_fd, "link"), 0);
    assert_int_equal(fs_write_file(mem_printf(dir, "%s/file", dir), "", 0, 0600, false, &err), 0);
    assert_int_equal(symlinkat("file", dir_fd, "inner"), 0);
    assert_true(fs_open_beneath(dir_fd, "../x", O_RDONLY, 0, true, &fd, &err) < 0);
    assert_true(fs_open_beneath(dir_fd, "link/passwd", O_RDONLY, 0, true, &fd, &err) < 0);
    assert_true(fs_open_beneath(dir_fd, "inner", O_RDONLY, 0, false, &fd, &err) < 0);
    assert_int_equal(fs_open_beneath(dir_fd, "inner", O_RDONLY, 0, true, &fd, &err), 0);
    close(fd);
    /* With the directory as root, "/etc" is dir/etc, which is not there. */
    assert_true(fs_open_in_root(dir_fd, "link/passwd", O_RDONLY, &fd, &err) < 0);
}

static void test_removal_does_not_follow_links(void **state)
{
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    char *keep = mem_printf(dir, "%s/keep", dir), *tree = mem_printf(dir, "%s/tree", dir);
    assert_int_equal(fs_write_file(keep, "x", 1, 0600, false, &err), 0);
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/deep/er", tree), 0700, &err), 0);
    assert_int_equal(symlink(dir, mem_printf(dir, "%s/deep/up", tree)), 0);
    assert_int_equal(fs_remove_tree(tree, &err), 0);
    assert_false(fs_exists(tree));
    assert_true(fs_exists(keep));
    assert_int_equal(fs_remove_tree(tree, &err), 0);
}

/* Deeper than there are descriptors, as a hostile container can make it. */
static void test_removal_of_deep_trees(void **state)
{
    enum { DEPTH = 2500 };
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    char *tree = mem_printf(dir, "%s/tree", dir);
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/.deep-0", tree), 0700, &err), 0);
    int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        int file = openat(next, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(file >= 0);
        close(file);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(fs_remove_tree(tree, &err), 0);
    assert_false(fs_exists(tree));
}

static void test_lock_excludes(void **state)
{
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    char *path = mem_printf(dir, "%s/lock", dir);
    int second;
    cleanup_close int first = -1;
    assert_int_equal(fs_lock(path, false, true, &first, &err), 0);
    assert_int_equal(fs_lock(path, false, false, &second, &err), LOCK_BUSY);
    close(TAKE_FD(first));
    assert_int_equal(fs_lock(path, false, false, &second, &err), 0);
    close(second);
}

static void test_spawn_reports(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    char out[64];
    int status;
    char *echo[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    struct spawn spawn = {
        .argv = echo, .std = {-1, -1, -1}
    };
    assert_int_equal(spawn_run(&spawn, out, sizeof(out), &status, &err), 0);
    assert_int_equal(status, 3);
    assert_string_equal(out, "out\nerr\n");

    char *missing[] = {"/nonexistent/program", NULL};
    spawn.argv = missing;
    assert_int_equal(spawn_run(&spawn, NULL, 0, &status, &err), -ENOENT);

    char *killed[] = {"sh", "-c", "kill -9 $$", NULL};
    spawn.argv = killed;
    assert_int_equal(spawn_run(&spawn, NULL, 0, &status, &err), 0);
    assert_int_equal(status, 137);

    char *flood[] = {"head", "-c", "300000", "/dev/zero", NULL};
    spawn.argv = flood;
    assert_int_equal(spawn_run(&spawn, out, sizeof(out), &status, &err), 0);
    assert_int_equal(status, 0);
}

static void test_messages_carry_descriptors(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    int pair[2], pipe_ends[2], got;
    assert_int_equal(fd_seqpacket_pair(pair, &err), 0);
    assert_int_equal(fd_pipe(pipe_ends, &err), 0);
    assert_int_equal(fd_send(pair[0], "hi", 2, &pipe_ends[1], 1, &err), 0);
    char data[16];
    size_t size, fds;
    assert_int_equal(fd_receive(pair[1], data, sizeof(data), &size, &got, 1, &fds, &err), 0);
    assert_int_equal(size, 2);
    assert_int_equal(fds, 1);
    assert_int_equal(fd_write_all(got, "x", 1, &err), 0);
    assert_int_equal(fd_read_full(pipe_ends[0], data, 1, &size, &err), 0);
    assert_int_equal(data[0], 'x');
    close(got), close(pipe_ends[0]), close(pipe_ends[1]), close(pair[0]), close(pair[1]);
}

struct counter {
    int timers;
    struct loop_source timer, doomed;
};

static int on_timer(struct loop *loop, struct loop_source *source UNUSED, uint32_t events UNUSED, void *data,
                    struct error *err)
{
    struct counter *c = data;
    loop_remove(loop, &c->doomed);
    if (++c->timers == 3) {
        loop_stop(loop);
        return 0;
    }
    return loop_timer(loop, &c->timer, 1000, on_timer, c, err);
}

static int on_doomed(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                     void *data UNUSED, struct error *err)
{
    return error_set(err, EIO, "a removed source was called");
}

static void test_loop_timers_and_removal(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop loop;
    struct counter c = {.timer = LOOP_SOURCE_INIT, .doomed = LOOP_SOURCE_INIT};
    assert_int_equal(loop_init(&loop, &err), 0);
    assert_int_equal(loop_timer(&loop, &c.timer, 1, on_timer, &c, &err), 0);
    assert_int_equal(loop_timer(&loop, &c.doomed, 20 * 1000000, on_doomed, &c, &err), 0);
    assert_int_equal(loop_run(&loop, &err), 0);
    assert_int_equal(c.timers, 3);
    loop_remove(&loop, &c.timer);
    loop_done(&loop);
}

static void test_process_identity(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    uint64_t a = 0, b = 0;
    assert_int_equal(process_start_time(getpid(), &a, &err), 0);
    assert_int_equal(process_start_time(getpid(), &b, &err), 0);
    assert_true(a > 0 && a == b);
    assert_true(process_start_time(0x7ffffff, &a, &err) < 0);
}

static void test_unit_of_a_process(void **state UNUSED)
{
    static const struct {
        const char *cgroups;
        bool named;
    } cases[] = {
        {"0::/system.slice/cron.service\n",                           true },
        {"0::/user.slice/user-0.slice/session-3.scope",               true },
        {"0::/user.slice/user-1.slice/user@1.service/app.slice/a",    true },
        {"1:name=systemd:/a.service\n0::/system.slice/ssh.service\n", true },
        {"0::/\n",                                                    false},
        {"",                                                          false},
        {"0::/system.slice\n",                                        false},
        {"0::/compote/a.services/b.scoped\n",                         false},
        {"0::/\n1:name=systemd:/system.slice/cron.service\n",         false},
        {"4:memory:/system.slice/cron.service\n",                     false},
        {"10::/x.service\n",                                          false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (unit_is_named(cases[i].cgroups) != cases[i].named)
            fail_msg("'%s'", cases[i].cgroups);
}

static void test_fork_outside(void **state UNUSED)
{
    pid_t pid = unit_fork_outside();
    if (pid == 0)
        _exit(getpid() > 0 ? 7 : 1);
    int status;
    struct error err = ERROR_INIT;
    assert_true(pid > 0);
    assert_int_equal(spawn_wait(pid, &status, &err), 0);
    assert_int_equal(status, 7);
}

static void take_number(void *data, char *line)
{
    int *expected = data;
    int64_t number;
    line[strcspn(line, " ")] = '\0';
    assert_true(str_to_i64(line, 0, INT64_MAX, &number));
    assert_int_equal(number, *expected);
    ++*expected;
}

static void take_any_then_next(void *data, char *line)
{
    int *expected = data;
    if (*expected < 0)
        *expected = (int)strtol(line, NULL, 10);
    take_number(data, line);
}

/* Appends lines with the numbers from..to-1, so long that a few hundred turn the journal over. */
static void append_numbers(const char *path, int from, int to)
{
    char line[1001];
    for (int i = from; i < to; i++) {
        int n = snprintf(line, sizeof(line), "%d %0*d\n", i, 900, 0);
        assert_int_equal(journal_append(path, line, (size_t)n, NULL), 0);
    }
}

static void test_journal_turns_over(void **state)
{
    static struct journal_reader reader, late, now;
    int expected = 0, expected_late = -1, expected_now = 1000;
    struct stat st;
    char *dir = scratch(state), *path = mem_printf(dir, "%s/journal", dir),
         *old = mem_printf(dir, "%s.1", path);
    reader = (struct journal_reader){.line = take_number, .data = &expected};
    journal_open(&reader, path, true); /* before there is one */
    append_numbers(path, 0, 10);
    journal_read(&reader);
    assert_int_equal(expected, 10);
    /* Twice over between two looks: the reader finds the file in between. */
    append_numbers(path, 10, 700);
    assert_int_equal(stat(old, &st), 0);
    journal_read(&reader);
    assert_int_equal(expected, 700);
    append_numbers(path, 700, 1000);
    journal_read(&reader);
    assert_int_equal(expected, 1000);
    now = (struct journal_reader){.line = take_number, .data = &expected_now};
    journal_open(&now, path, true);
    /* Who comes late gets what two files hold, and nothing twice. */
    append_numbers(path, 1000, 1010);
    journal_read(&now);
    assert_int_equal(expected_now, 1010);
    late = (struct journal_reader){.line = take_any_then_next, .data = &expected_late};
    journal_open(&late, path, false);
    journal_read(&late);
    assert_int_equal(expected_late, 1010);
    assert_true(stat(path, &st) == 0 && st.st_size < JOURNAL_MAX + JOURNAL_LINE_MAX);
    journal_close(&reader);
    journal_close(&late);
    journal_close(&now);
}

/* ---- trees that are followed ---- */

struct followed {
    char *told; /* "+new -gone", sorted as told */
    int stirs;
};

static bool skips(void *data UNUSED, const char *path, bool is_directory UNUSED)
{
    return strstr(path, "skipped") != NULL;
}

static void on_stirred(void *data)
{
    ((struct followed *)data)->stirs++;
}

static void on_entry(void *data, const struct filetree_entry *entry)
{
    struct followed *f = data;
    f->told = mem_append_printf(f->told, "%s%s%s%s", *f->told ? " " : "", entry->removed ? "-" : "+",
                                entry->path, entry->is_directory ? "/" : "");
}

/* What a command changes in the tree, as it is told. */
static void assert_told(struct loop *loop, struct filetree *tree, struct followed *f, const char *dir,
                        const char *command, const char *told)
{
    struct error err = ERROR_INIT;
    int status;
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    const struct spawn spawn = {
        .argv = argv, .cwd = dir, .std = {-1, -1, -1}
    };
    assert_int_equal(spawn_run(&spawn, NULL, 0, &status, &err), 0);
    assert_int_equal(status, 0);
    for (int before = -1; before != f->stirs;) {
        before = f->stirs;
        assert_int_equal(loop_once(loop, 0, &err), 0);
    }
    char *own = f->told = mem_strdup(NULL, "");
    assert_int_equal(filetree_changes(tree, on_entry, f, &err), 0);
    own = f->told;
    assert_string_equal(own, told);
    talloc_free(own);
}

static void test_filetree_tells_changes(void **state)
{
    char *dir = scratch(state);
    static const char *const steps[][2] = {
        {":",                                         ""                   },
        {"echo x >t/a",                               "+a"                 },
        {"echo xx >t/a; touch t/skipped",             "+a"                 },
        {"chmod 600 t/a",                             "+a"                 },
        {"echo y >t/n; mv t/n t/a",                   "+a"                 },
        {"echo y >t/n; rm t/n",                       ""                   },
        {"mkdir -p t/d/e; echo x >t/d/e/f",           "+d/ +d/e/ +d/e/f"   },
        {"echo y >t/d/e/f",                           "+d/e/f"             },
        {"mkdir t/d/skipped; echo y >t/d/skipped/f",  ""                   },
        {"mv t/d/e outside",                          "-d/e/f -d/e/"       },
        {"echo z >outside/f",                         ""                   },
        {"mv outside t/d/e",                          "+d/e/ +d/e/f"       },
        {"echo y >t/d/e/f",                           "+d/e/f"             },
        {"rm -r t/d/e; mkdir t/d/e; echo n >t/d/e/n", "+d/e/n -d/e/f"      },
        {"rm -r t/d; ln -s / t/d",                    "-d/e/n -d/e/ -d/ +d"},
        {"rm t/d; mkfifo t/d",                        "-d"                 },
        {"rm -r t",                                   "-a"                 },
        {"mkdir t; echo b >t/b",                      "+b"                 },
        {"mkdir o; echo b >o/b; mv t gone; mv o t",   "+b"                 },
        {"echo c >t/c; echo c >gone/c",               "+c"                 },
    };
    struct loop *loop = mem_new(dir, struct loop); /* outlives a failed test */
    struct error err = ERROR_INIT;
    struct followed f = {0};
    struct filetree *tree;
    char *path = mem_printf(dir, "%s/t", dir);
    const struct filetree_options options = {.path = path, .skips = skips, .stirred = on_stirred, .data = &f};
    assert_int_equal(loop_init(loop, &err), 0);
    assert_true(filetree_new(dir, loop, &options, &tree, &err) < 0);
    error_clear(&err);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(filetree_new(dir, loop, &options, &tree, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        assert_told(loop, tree, &f, dir, steps[i][0], steps[i][1]);
    talloc_free(tree);
    loop_done(loop);
}

/* Directories that change names within one batch, so that what had one watch is found under another name. */
static void test_filetree_follows_moved_directories(void **state)
{
    char *dir = scratch(state);
    struct loop *loop = mem_new(dir, struct loop); /* outlives a failed test */
    struct error err = ERROR_INIT;
    struct followed f = {0};
    struct filetree *tree;
    const struct filetree_options options = {
        .path = mem_printf(dir, "%s/t", dir), .skips = skips, .stirred = on_stirred, .data = &f};
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/t/a", dir), 0755, &err), 0);
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/t/b", dir), 0755, &err), 0);
    assert_int_equal(loop_init(loop, &err), 0);
    assert_int_equal(filetree_new(dir, loop, &options, &tree, &err), 0);
    assert_told(loop, tree, &f, dir, "mv t/a t/x; mv t/b t/a; mv t/x t/b", "");
    assert_told(loop, tree, &f, dir, "touch t/a/1", "+a/1");
    assert_told(loop, tree, &f, dir, "touch t/b/2", "+b/2");
    assert_told(loop, tree, &f, dir, "mv t/b/2 2", "-b/2");
    talloc_free(tree);
    loop_done(loop);
}

/* In a user namespace of its own, whose limits are set here. */
static int follow_with_limit(const char *dir)
{
    struct loop *loop = mem_new(dir, struct loop);
    struct error err = ERROR_INIT;
    struct followed f = {0};
    struct filetree *tree;
    const struct filetree_options options = {
        .path = mem_printf(dir, "%s/t", dir), .skips = skips, .stirred = on_stirred, .data = &f};
    cleanup_close int limit = -1;
    if (unshare(CLONE_NEWUSER) < 0 ||
        (limit = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC)) < 0 ||
        write(limit, "3", 1) != 1)
        return 77;
    if (loop_init(loop, &err) < 0 || filetree_new(dir, loop, &options, &tree, &err) != -ENOSPC)
        return 1;
    return strstr(err.text, "limit of watched directories") && strstr(err.hint, "max_user_watches") ? 0 : 2;
}

static void test_filetree_names_the_limit(void **state)
{
    char *dir = scratch(state);
    struct error err = ERROR_INIT;
    int status;
    assert_int_equal(fs_mkdir_p(mem_printf(dir, "%s/t/a/b/c/d", dir), 0755, &err), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(follow_with_limit(dir));
    assert_int_equal(spawn_wait(pid, &status, &err), 0);
    if (status == 77)
        skip(); /* no user namespaces here */
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_files_are_replaced_whole, remove_scratch),
        cmocka_unit_test(test_files_without_a_size_have_limits_too),
        cmocka_unit_test_teardown(test_pipes_are_read_while_somebody_writes, remove_scratch),
        cmocka_unit_test_teardown(test_opening_stays_beneath, remove_scratch),
        cmocka_unit_test_teardown(test_removal_does_not_follow_links, remove_scratch),
        cmocka_unit_test_teardown(test_removal_of_deep_trees, remove_scratch),
        cmocka_unit_test_teardown(test_lock_excludes, remove_scratch),
        cmocka_unit_test(test_spawn_reports),
        cmocka_unit_test(test_messages_carry_descriptors),
        cmocka_unit_test(test_loop_timers_and_removal),
        cmocka_unit_test(test_process_identity),
        cmocka_unit_test(test_unit_of_a_process),
        cmocka_unit_test(test_fork_outside),
        cmocka_unit_test_teardown(test_journal_turns_over, remove_scratch),
        cmocka_unit_test_teardown(test_filetree_tells_changes, remove_scratch),
        cmocka_unit_test_teardown(test_filetree_follows_moved_directories, remove_scratch),
        cmocka_unit_test_teardown(test_filetree_names_the_limit, remove_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
