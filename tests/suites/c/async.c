/* The asynchronous calls: each one, and thousands at once, whose completions keep their order. */
#include "suite.h"

enum { pipelined = 4000 };

static atomic_int completed, disordered, errors, next_version;

static void in_order(const void *data) {
  if ((long)data != completed) disordered++;
  completed++;
}

static void on_string(int rc, const char *value, const void *data) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "/pipeline/n-%010ld", (long)data / 4);
  if (rc != ZOK || strcmp(value, wanted)) errors++;
  in_order(data);
}

/* The second of each four: the child that the first created exists. */
static void on_stat(int rc, const struct Stat *stat, const void *data) {
  if (rc != ZOK || stat->numChildren != (long)data / 4 + 1) errors++;
  in_order(data);
}

static void on_set(int rc, const struct Stat *stat, const void *data) {
  if (rc != ZOK || stat->version != ++next_version) errors++;
  in_order(data);
}

/* The fourth: the data that the third set. */
static void on_data(int rc, const char *value, int length, const struct Stat *stat, const void *data) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, "%ld", (long)data / 4);
  if (rc != ZOK || length != (int)strlen(wanted) || memcmp(value, wanted, length) || stat->version != next_version)
    errors++;
  in_order(data);
}

void test_pipeline_order(void) {
  zhandle_t *zh = client();
  const char *path = top(zh, "pipeline");
  completed = disordered = errors = next_version = 0;
  for (long i = 0; i < pipelined; i += 4) {
    char value[32];
    snprintf(value, sizeof value, "%ld", i / 4);
    EQUAL(zoo_acreate(zh, "/pipeline/n-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, on_string, (void *)i), ZOK);
    EQUAL(zoo_aexists(zh, path, 0, on_stat, (void *)(i + 1)), ZOK);
    EQUAL(zoo_aset(zh, path, value, strlen(value), i / 4, on_set, (void *)(i + 2)), ZOK);
    EQUAL(zoo_aget(zh, path, 0, on_data, (void *)(i + 3)), ZOK);
  }
  EVENTUALLY(completed == pipelined);
  EQUAL(disordered, 0);
  EQUAL(errors, 0);
}

/* Two clients: what one was told is done, the other sees. */
static void on_last(int rc, const struct Stat *stat, const void *data) {
  (void)stat;
  if (rc != ZOK) errors++;
  *(atomic_int *)data += 1;
}

void test_reads_behind_writes(void) {
  zhandle_t *writer = client(), *reader = client();
  const char *path = top(writer, "behind");
  atomic_int done = 0;
  errors = 0;
  for (int i = 0; i < 2000; i++) EQUAL(zoo_aset(writer, path, "x", 1, -1, on_last, &done), ZOK);
  for (int last = 0; last < 2000;) {
    struct Stat stat;
    last = done;
    EQUAL(zoo_exists(reader, path, 0, &stat), ZOK);
    if (stat.version < last) fail(__FILE__, __LINE__, "the version read", stat.version, last);
  }
  EQUAL(errors, 0);
}

static atomic_int seen;
static int last_rc;
#define AWAIT(call, wanted)        \
  do {                             \
    seen = 0;                      \
    EQUAL(call, ZOK);              \
    EVENTUALLY(seen);              \
    EQUAL(last_rc, wanted);        \
  } while (0)

static void any_void(int rc, const void *d) { (void)d; last_rc = rc; seen = 1; }
static void any_stat(int rc, const struct Stat *s, const void *d) { (void)s; any_void(rc, d); }
static void any_string(int rc, const char *v, const void *d) { (void)v; any_void(rc, d); }
static void any_data(int rc, const char *v, int l, const struct Stat *s, const void *d) {
  (void)v; (void)l; (void)s;
  any_void(rc, d);
}
static int strings;
static void any_strings(int rc, const struct String_vector *v, const void *d) {
  strings = v ? v->count : -1;
  any_void(rc, d);
}
static void any_strings_stat(int rc, const struct String_vector *v, const struct Stat *s, const void *d) {
  if (rc == ZOK && s->numChildren != v->count) rc = ZSYSTEMERROR;
  any_strings(rc, v, d);
}
static void any_string_stat(int rc, const char *v, const struct Stat *s, const void *d) {
  if (rc == ZOK && (strncmp(v, "/calls/", 7) || s->czxid == 0)) rc = ZSYSTEMERROR;
  any_void(rc, d);
}
static void any_acl(int rc, struct ACL_vector *acl, struct Stat *s, const void *d) {
  if (rc == ZOK && (acl->count != 1 || acl->data[0].perms != *(const int *)d || s->version != 0)) rc = ZSYSTEMERROR;
  any_void(rc, d);
}

void test_async_calls(void) {
  zhandle_t *zh = client();
  const struct ACL_vector *open = &ZOO_OPEN_ACL_UNSAFE;
  const char *path = top(zh, "calls");
  struct events *events = new_events();
  AWAIT(zoo_acreate2(zh, "/calls/a", "", 0, open, 0, any_string_stat, NULL), ZOK);
  AWAIT(zoo_acreate_ttl(zh, "/calls/t", "", 0, open, ZOO_PERSISTENT_WITH_TTL, 3600000, any_string, NULL), ZOK);
  AWAIT(zoo_acreate2_ttl(zh, "/calls/t2", "", 0, open, ZOO_PERSISTENT_WITH_TTL, 3600000, any_string_stat, NULL), ZOK);
  AWAIT(zoo_aget_children(zh, path, 0, any_strings, NULL), ZOK);
  EQUAL(strings, 3);
  AWAIT(zoo_awget_children2(zh, path, note, events, any_strings_stat, NULL), ZOK);
  AWAIT(zoo_adelete(zh, "/calls/t2", 0, any_void, NULL), ZOK);
  EVENT(events, 0, ZOO_CHILD_EVENT, path);
  AWAIT(zoo_awget_children(zh, path, note, events, any_strings, NULL), ZOK);
  EQUAL(strings, 2);
  AWAIT(zoo_awexists(zh, "/calls/b", note, events, any_stat, NULL), ZNONODE);
  AWAIT(zoo_acreate(zh, "/calls/b", "", 0, open, ZOO_EPHEMERAL, any_string, NULL), ZOK);
  EVENTUALLY(events->count == 3);
  /* For one change, the node's event comes before its parent's. */
  EVENT(events, 1, ZOO_CREATED_EVENT, "/calls/b");
  EVENT(events, 2, ZOO_CHILD_EVENT, path);
  AWAIT(zoo_awget(zh, "/calls/a", note, events, any_data, NULL), ZOK);
  AWAIT(zoo_aremove_all_watches(zh, "/calls/a", ZWATCHTYPE_DATA, 0, (void_completion_t *)any_void, NULL), ZOK);
  AWAIT(zoo_aget_acl(zh, "/calls/a", any_acl, &ZOO_PERM_ALL), ZOK);
  AWAIT(zoo_aset_acl(zh, "/calls/a", 0, &ZOO_READ_ACL_UNSAFE, any_void, NULL), ZOK);
  AWAIT(zoo_aget_acl(zh, "/calls/a", any_acl, &ZOO_PERM_READ), ZOK);
  AWAIT(zoo_agetconfig(zh, 0, any_data, NULL), ZOK);
  AWAIT(zoo_awgetconfig(zh, note, events, any_data, NULL), ZOK);
  zoo_op_t ops[2];
  zoo_op_result_t results[2];
  zoo_check_op_init(&ops[0], "/calls/b", 0);
  zoo_delete_op_init(&ops[1], "/calls/b", 0);
  AWAIT(zoo_amulti(zh, 2, ops, results, any_void, NULL), ZOK);
}

void test_async_errors(void) {
  zhandle_t *zh = client();
  const char *path = top(zh, "errors");
  AWAIT(zoo_acreate(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, any_string, NULL), ZNODEEXISTS);
  AWAIT(zoo_acreate(zh, "/errors/a/b", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, any_string, NULL), ZNONODE);
  AWAIT(zoo_adelete(zh, path, 5, any_void, NULL), ZBADVERSION);
  AWAIT(zoo_aset(zh, path, "", 0, 5, any_stat, NULL), ZBADVERSION);
  AWAIT(zoo_aget(zh, "/errors/none", 0, any_data, NULL), ZNONODE);
  AWAIT(zoo_aget_acl(zh, "/errors/none", any_acl, &ZOO_PERM_ALL), ZNONODE);
  AWAIT(zoo_aset_acl(zh, path, 3, &ZOO_OPEN_ACL_UNSAFE, any_void, NULL), ZBADVERSION);
  AWAIT(zoo_areconfig(zh, "server.9=127.0.0.1:1:2;3", NULL, NULL, -1, any_data, NULL), ZRECONFIGDISABLED);
  zoo_op_t op;
  zoo_op_result_t result;
  zoo_check_op_init(&op, path, 9);
  AWAIT(zoo_amulti(zh, 1, &op, &result, any_void, NULL), ZBADVERSION);
  EQUAL(result.err, ZBADVERSION);
}

/* Replies far beyond what a socket buffers, requested at once: all arrive complete, and do not delay
 * small ones to another client. */
enum { large = 900000, asked = 200 };

static void on_large(int rc, const char *value, int length, const struct Stat *stat, const void *data) {
  if (rc != ZOK || length != large || stat->dataLength != large) errors++;
  for (int i = 0; rc == ZOK && i < length; i += 997)
    if (value[i] != (char)(i % 251)) { errors++; break; }
  in_order(data);
}

void test_large_replies_in_a_row(void) {
  zhandle_t *zh = client(), *other = client();
  const char *path = top(zh, "replies");
  static char out[large];
  struct Stat stat;
  for (int i = 0; i < large; i++) out[i] = (char)(i % 251);
  EQUAL(zoo_set(zh, path, out, large, -1), ZOK);
  completed = disordered = errors = 0;
  for (long i = 0; i < asked; i++) EQUAL(zoo_aget(zh, path, 0, on_large, (void *)i), ZOK);
  for (int i = 0; i < 20; i++) EQUAL(zoo_exists(other, path, 0, &stat), ZOK);
  EVENTUALLY(completed == asked);
  EQUAL(disordered, 0);
  EQUAL(errors, 0);
}
