/* Sessions over broken connections, killed servers and killed clients. */
#define _GNU_SOURCE
#include "suite.h"

#include <signal.h>
#include <sys/wait.h>

static int get(zhandle_t *zh, const char *path, char *data, int size) {
  int length = size - 1;
  int rc = zoo_get(zh, path, 0, data, &length, NULL);
  data[rc == ZOK && length > 0 ? length : 0] = 0;
  return rc;
}

void test_restart(void) {
  zhandle_t *zh = client();
  const char *path = top(zh, "restart");
  int64_t session = zoo_client_id(zh)->client_id;
  struct Stat before, after;
  char name[64], data[64];
  for (int i = 0; i < 100; i++)
    EQUAL(zoo_create(zh, at(path, "n-"), "kept", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, name, 64), ZOK);
  EQUAL(zoo_create(zh, at(path, "e"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0), ZOK);
  EQUAL(zoo_exists(zh, path, 0, &before), ZOK);
  for (int round = 0; round < 3; round++) {
    server_kill();
    EVENTUALLY(zoo_state(zh) != ZOO_CONNECTED_STATE);
    EQUAL(zoo_exists(zh, path, 0, &after) != ZOK, 1);
    server_start();
    EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
    EQUAL(zoo_client_id(zh)->client_id, session);
    EQUAL(zoo_exists(zh, path, 0, &after), ZOK);
    CHECK(same_stat(&before, &after));
    EQUAL(get(zh, name, data, sizeof data), ZOK);
    SAME(data, "kept");
    EQUAL(zoo_exists(zh, at(path, "e"), 0, &after), ZOK);
    EQUAL(after.ephemeralOwner, session);
  }
}

void test_watches_after_restart(void) {
  zhandle_t *zh = client();
  const char *path = top(zh, "again");
  struct events *data = new_events(), *exists = new_events(), *children = new_events();
  struct String_vector names;
  struct Stat stat;
  char buffer[16];
  int length = sizeof buffer;
  EQUAL(zoo_wget(zh, path, note, data, buffer, &length, NULL), ZOK);
  EQUAL(zoo_wexists(zh, at(path, "c"), note, exists, &stat), ZNONODE);
  EQUAL(zoo_wget_children(zh, path, note, children, &names), ZOK);
  deallocate_String_vector(&names);
  server_kill();
  EVENTUALLY(zoo_state(zh) != ZOO_CONNECTED_STATE);
  server_start();
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
  /* Every watcher is notified of the session; only a change causes an event for a node. */
  zhandle_t *other = client();
  EQUAL(zoo_create(other, at(path, "c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
  EQUAL(zoo_set(other, path, "x", 1, -1), ZOK);
  struct { struct events *events; int type; const char *path; } wanted[] = {
      {data, ZOO_CHANGED_EVENT, path}, {exists, ZOO_CREATED_EVENT, "/again/c"}, {children, ZOO_CHILD_EVENT, path}};
  for (int i = 0; i < 3; i++) {
    struct events *events = wanted[i].events;
    EVENTUALLY(events->count && events->list[events->count - 1].type != ZOO_SESSION_EVENT);
    int last = events->count - 1;
    EQUAL(events->list[last].type, wanted[i].type);
    SAME(events->list[last].path, wanted[i].path);
    for (int j = 0; j < last; j++) EQUAL(events->list[j].type, ZOO_SESSION_EVENT);
  }
}

/* The server is killed under thousands of writes: those that were answered exist, without a gap. */
static atomic_int answered, lost, after_loss;
static void on_created(int rc, const char *value, const void *data) {
  (void)value; (void)data;
  if (rc == ZOK && lost) after_loss++;
  if (rc == ZOK) answered++;
  else lost++;
}

void test_pipeline_over_restart(void) {
  enum { count = 6000 };
  zhandle_t *zh = client();
  const char *path = top(zh, "row");
  answered = lost = after_loss = 0;
  for (int i = 0; i < count; i++) {
    char name[64];
    snprintf(name, sizeof name, "/row/%05d", i);
    EQUAL(zoo_acreate(zh, name, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, on_created, NULL), ZOK);
  }
  EVENTUALLY(answered > 500);
  server_kill();
  EVENTUALLY(answered + lost == count);
  EQUAL(after_loss, 0);
  server_start();
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
  struct String_vector names;
  EQUAL(zoo_get_children(zh, path, 0, &names), ZOK);
  int found = names.count, largest = -1;
  for (int i = 0; i < found; i++)
    if (atoi(names.data[i]) > largest) largest = atoi(names.data[i]);
  deallocate_String_vector(&names);
  CHECK(found >= answered);
  EQUAL(largest + 1, found);
}

/* A client that dies without closing: its ephemeral is deleted, and its session can no longer be resumed. */
void test_expiry(void) {
  zhandle_t *zh = client();
  const char *path = at(top(zh, "expiry"), "orphan");
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    execl("/proc/self/exe", "suite", "--orphan", host, path, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  clientid_t id;
  CHECK(read(ends[0], &id, sizeof id) == sizeof id);
  close(ends[0]);
  struct events *gone = new_events(), *session = new_events();
  struct Stat stat;
  EQUAL(zoo_wexists(zh, path, note, gone, &stat), ZOK);
  EQUAL(stat.ephemeralOwner, id.client_id);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  EVENT(gone, 0, ZOO_DELETED_EVENT, path);
  zhandle_t *late = client_with(4000, &id, 0, session);
  EVENTUALLY(session->expired);
  EQUAL(zoo_state(late), ZOO_EXPIRED_SESSION_STATE);
  CHECK(is_unrecoverable(late));
}

/* A session continues on another connection, with what it owns. */
void test_reattach(void) {
  struct events *session = new_events();
  zhandle_t *zh = client_with(30000, NULL, 0, session), *witness = client();
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
  EQUAL(zoo_create(zh, "/reattach", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0), ZOK);
  clientid_t id = *zoo_client_id(zh);
  zhandle_t *second = client_with(30000, &id, 0, NULL);
  EVENTUALLY(zoo_state(second) == ZOO_CONNECTED_STATE);
  EQUAL(zoo_client_id(second)->client_id, id.client_id);
  struct Stat stat;
  EQUAL(zoo_exists(witness, "/reattach", 0, &stat), ZOK);
  EQUAL(stat.ephemeralOwner, id.client_id);
}

void test_wrong_password(void) {
  zhandle_t *zh = client();
  struct events *session = new_events();
  clientid_t id = *zoo_client_id(zh);
  id.passwd[3] ^= 1;
  client_with(30000, &id, 0, session);
  EVENTUALLY(session->expired);
}

/* A read-write server serves a client that would accept a read-only one. */
void test_read_only_flag(void) {
  zhandle_t *zh = client_with(30000, NULL, ZOO_READONLY, NULL);
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
  EQUAL(zoo_create(zh, "/readonly", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0), ZOK);
}

void test_set_servers(void) {
  zhandle_t *zh = client();
  int64_t session = zoo_client_id(zh)->client_id;
  char hosts[160];
  struct Stat stat;
  snprintf(hosts, sizeof hosts, "%s,127.0.0.1:1", host);
  EQUAL(zoo_set_servers(zh, hosts), ZOK);
  EVENTUALLY(zoo_exists(zh, "/", 0, &stat) == ZOK);
  EQUAL(zoo_set_servers(zh, host), ZOK);
  EVENTUALLY(zoo_exists(zh, "/", 0, &stat) == ZOK);
  EQUAL(zoo_client_id(zh)->client_id, session);
}

/* Thousands of watches, set again in one request after a restart: none is lost, none fires twice. */
static atomic_int changes[3000], strange;
static void on_change(zhandle_t *zh, int type, int state, const char *path, void *number) {
  (void)zh; (void)state;
  if (type == ZOO_SESSION_EVENT) return;
  if (type != ZOO_CHANGED_EVENT || atoi(strrchr(path, '-') + 1) != (long)number) strange++;
  changes[(long)number]++;
}

static void ignore_string(int rc, const char *value, const void *data) {
  (void)value;
  if (rc != ZOK) strange++;
  ++*(atomic_int *)data;
}

static void ignore_data(int rc, const char *value, int length, const struct Stat *stat, const void *data) {
  (void)length; (void)stat;
  ignore_string(rc, value, data);
}

static void ignore_stat(int rc, const struct Stat *stat, const void *data) {
  (void)stat;
  ignore_string(rc, NULL, data);
}

void test_many_watches(void) {
  enum { count = sizeof changes / sizeof *changes };
  zhandle_t *zh = client(), *other = client();
  atomic_int done = 0;
  char name[128];
  top(zh, "many");
  strange = 0;
  for (long i = 0; i < count; i++) {
    snprintf(name, sizeof name, "/many/a-node-with-a-name-of-some-length-to-make-it-long-%ld", i);
    EQUAL(zoo_acreate(zh, name, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, ignore_string, &done), ZOK);
    EQUAL(zoo_awget(zh, name, on_change, (void *)i, ignore_data, &done), ZOK);
  }
  EVENTUALLY(done == 2 * count);
  server_kill();
  EVENTUALLY(zoo_state(zh) != ZOO_CONNECTED_STATE);
  server_start();
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE && zoo_state(other) == ZOO_CONNECTED_STATE);
  struct Stat stat;
  EQUAL(zoo_exists(zh, "/many", 0, &stat), ZOK);
  done = 0;
  for (int round = 0; round < 2; round++)
    for (long i = 0; i < count; i++) {
      snprintf(name, sizeof name, "/many/a-node-with-a-name-of-some-length-to-make-it-long-%ld", i);
      EQUAL(zoo_aset(other, name, "x", 1, -1, ignore_stat, &done), ZOK);
    }
  EVENTUALLY(done == 2 * count);
  EQUAL(zoo_exists(zh, "/many", 0, &stat), ZOK);
  for (long i = 0; i < count; i++) EVENTUALLY(changes[i] == 1);
  EQUAL(strange, 0);
}

/* Sessions that open and close, half of them leaving their ephemeral to the close. */
void test_many_sessions(void) {
  zhandle_t *zh = client();
  const char *path = top(zh, "sessions");
  for (int i = 0; i < 60; i++) {
    char name[64];
    struct events *session = new_events();
    zhandle_t *passing = zookeeper_init(host, note, 30000, NULL, session, 0);
    EVENTUALLY(zoo_state(passing) == ZOO_CONNECTED_STATE);
    EQUAL(zoo_create(passing, at(path, "e-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, name, 64), ZOK);
    if (i % 2) EQUAL(zoo_delete(passing, name, 0), ZOK);
    EQUAL(zookeeper_close(passing), ZOK);
    struct Stat stat;
    EQUAL(zoo_exists(zh, path, 0, &stat), ZOK);
    CHECK(stat.numChildren == 0 && stat.cversion == 2 * (i + 1));
  }
}
