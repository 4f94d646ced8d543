/* Shared by every part of the suite: checks, waiting, the server, events. */
#ifndef SUITE_H
#define SUITE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define PATIENCE_SECONDS 60

/* A failed check ends the running test; the others continue. */
void fail(const char *file, int line, const char *what, long found, long wanted);
#define EQUAL(found, wanted)                                                  \
  do {                                                                        \
    long found_ = (long)(found), wanted_ = (long)(wanted);                    \
    if (found_ != wanted_) fail(__FILE__, __LINE__, #found, found_, wanted_); \
  } while (0)
#define CHECK(holds) EQUAL(!!(holds), 1)
#define SAME(found, wanted) EQUAL(strcmp(found, wanted), 0)
#define EVENTUALLY(holds)                                                       \
  do {                                                                          \
    for (int wait_ = 0; !(holds); wait_++) {                                    \
      if (wait_ > PATIENCE_SECONDS * 200) fail(__FILE__, __LINE__, #holds, 0, 1); \
      usleep(5000);                                                             \
    }                                                                           \
  } while (0)

/* The server that SERVER_CMD runs: one folder and one port, over restarts. */
extern char host[64];
void server_start(void);
void server_kill(void);

/* Events that a watcher received, in order. */
struct events {
  atomic_int count, expired;
  struct { int type, state; char path[128]; } list[4096];
};
void note(zhandle_t *zh, int type, int state, const char *path, void *events);
#define EVENT(events, at, wanted_type, wanted_path)  \
  do {                                               \
    EVENTUALLY((events)->count > (at));              \
    EQUAL((events)->list[at].type, wanted_type);     \
    SAME((events)->list[at].path, wanted_path);      \
  } while (0)

/* A connected client, closed when its test has ended. */
zhandle_t *client(void);
zhandle_t *client_with(int timeout_ms, const clientid_t *id, int flags, struct events *session);
struct events *new_events(void);
/* A node of the test's own, at the top. */
const char *top(zhandle_t *zh, const char *name);
const char *at(const char *parent, const char *name);
int same_stat(const struct Stat *one, const struct Stat *other);

typedef void test(void);
test test_create_get_set_delete, test_create_modes, test_children, test_acl, test_multi,
    test_watches, test_remove_watches, test_config_and_sync, test_large_data, test_ttl_unlike;
test test_pipeline_order, test_async_calls, test_async_errors, test_reads_behind_writes,
    test_large_replies_in_a_row;
test test_restart, test_watches_after_restart, test_pipeline_over_restart, test_expiry, test_reattach,
    test_read_only_flag, test_set_servers, test_wrong_password, test_many_watches,
    test_many_sessions;

#endif
