/* The synchronous calls, one by one. */
#include "suite.h"

static int created(zhandle_t *zh, const char *path, const char *data, int mode, char *name) {
  return zoo_create(zh, path, data, strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode, name, 256);
}

void test_create_get_set_delete(void) {
  zhandle_t *zh = client();
  const char *path = at(top(zh, "cgsd"), "node");
  char name[256], data[64];
  struct Stat stat, other;
  EQUAL(created(zh, path, "one", 0, name), ZOK);
  SAME(name, path);
  EQUAL(created(zh, path, "one", 0, name), ZNODEEXISTS);
  int length = sizeof data;
  EQUAL(zoo_get(zh, path, 0, data, &length, &stat), ZOK);
  EQUAL(length, 3);
  EQUAL(memcmp(data, "one", 3), 0);
  CHECK(stat.version == 0 && stat.dataLength == 3 && stat.czxid == stat.mzxid && stat.czxid == stat.pzxid);
  EQUAL(zoo_set2(zh, path, "three", 5, 0, &other), ZOK);
  CHECK(other.version == 1 && other.dataLength == 5 && other.mzxid > stat.mzxid && other.ctime == stat.ctime);
  EQUAL(zoo_set(zh, path, "x", 1, 0), ZBADVERSION);
  EQUAL(zoo_exists(zh, path, 0, &stat), ZOK);
  CHECK(same_stat(&stat, &other));
  EQUAL(zoo_set(zh, path, NULL, -1, -1), ZOK);
  length = sizeof data;
  EQUAL(zoo_get(zh, path, 0, data, &length, NULL), ZOK);
  EQUAL(length, -1); /* no data is not the same as data of no length */
  EQUAL(zoo_set(zh, path, "", 0, -1), ZOK);
  length = sizeof data;
  EQUAL(zoo_get(zh, path, 0, data, &length, NULL), ZOK);
  EQUAL(length, 0);
  EQUAL(zoo_delete(zh, path, 1), ZBADVERSION);
  EQUAL(zoo_delete(zh, path, 3), ZOK);
  EQUAL(zoo_delete(zh, path, -1), ZNONODE);
  EQUAL(zoo_exists(zh, path, 0, &stat), ZNONODE);
  EQUAL(zoo_get(zh, path, 0, data, &length, NULL), ZNONODE);
  EQUAL(created(zh, at(path, "child"), "", 0, name), ZNONODE);
  EQUAL(created(zh, "/cgsd//x", "", 0, name), ZBADARGUMENTS);
  EQUAL(zoo_delete(zh, "/zookeeper/quota", -1), ZBADARGUMENTS);
}

void test_create_modes(void) {
  zhandle_t *zh = client(), *other = client();
  const char *parent = top(zh, "modes");
  char name[256];
  struct Stat stat;
  EQUAL(created(zh, at(parent, "s-"), "", ZOO_SEQUENCE, name), ZOK);
  SAME(name, "/modes/s-0000000000");
  EQUAL(created(other, at(parent, "e"), "", ZOO_EPHEMERAL, name), ZOK);
  EQUAL(created(zh, at(parent, "e/child"), "", 0, name), ZNOCHILDRENFOREPHEMERALS);
  EQUAL(zoo_exists(zh, at(parent, "e"), 0, &stat), ZOK);
  EQUAL(stat.ephemeralOwner, zoo_client_id(other)->client_id);
  EQUAL(zoo_create2(other, at(parent, "s-"), "12", 2, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE,
                    name, sizeof name, &stat), ZOK);
  SAME(name, "/modes/s-0000000002");
  CHECK(stat.dataLength == 2 && stat.ephemeralOwner == zoo_client_id(other)->client_id);
  EQUAL(zoo_create2(zh, at(parent, "c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, name, sizeof name, &stat), ZOK);
  EQUAL(created(zh, at(parent, "c/child"), "", 0, name), ZOK);
  EQUAL(zoo_delete(zh, at(parent, "c/child"), -1), ZOK);
  EVENTUALLY(zoo_exists(zh, at(parent, "c"), 0, &stat) == ZNONODE);
  EQUAL(zoo_create_ttl(zh, at(parent, "t"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 100,
                       name, sizeof name), ZOK);
  EQUAL(zoo_create2_ttl(zh, at(parent, "t-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL,
                        3600000, name, sizeof name, &stat), ZOK);
  SAME(name, "/modes/t-0000000005");
  EQUAL(stat.ephemeralOwner, 0); /* how a TTL is kept is nothing for clients */
  EVENTUALLY(zoo_exists(zh, at(parent, "t"), 0, &stat) == ZNONODE);
  EQUAL(zoo_exists(zh, name, 0, &stat), ZOK);
}

void test_ttl_unlike(void) {
  zhandle_t *zh = client();
  char name[64];
  EQUAL(zoo_create_ttl(zh, "/unlike", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 0, name, 64), ZBADARGUMENTS);
  EQUAL(zoo_create_ttl(zh, "/unlike", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, 100, name, 64), ZBADARGUMENTS);
  /* The largest TTL that fits beside the mark of its kind. */
  EQUAL(zoo_create_ttl(zh, "/unlike", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 0xffffffffffLL, name, 64), ZOK);
  EQUAL(zoo_create_ttl(zh, "/unlike2", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 0x10000000000LL, name, 64),
        ZBADARGUMENTS);
}

void test_children(void) {
  zhandle_t *zh = client();
  const char *parent = top(zh, "children");
  struct String_vector names;
  struct Stat stat;
  char name[256];
  for (int i = 0; i < 300; i++) EQUAL(created(zh, at(parent, "n-"), "", ZOO_SEQUENCE, name), ZOK);
  EQUAL(zoo_get_children(zh, parent, 0, &names), ZOK);
  EQUAL(names.count, 300);
  deallocate_String_vector(&names);
  EQUAL(zoo_get_children2(zh, parent, 0, &names, &stat), ZOK);
  CHECK(names.count == 300 && stat.numChildren == 300 && stat.cversion == 300 && stat.version == 0);
  deallocate_String_vector(&names);
  EQUAL(zoo_get_children2(zh, name, 0, &names, &stat), ZOK);
  CHECK(names.count == 0 && stat.numChildren == 0);
  deallocate_String_vector(&names);
  EQUAL(zoo_get_children(zh, "/nowhere", 0, &names), ZNONODE);
  EQUAL(zoo_delete(zh, parent, -1), ZNOTEMPTY);
}

static atomic_int authenticated;
static void on_auth(int rc, const void *data) {
  (void)data;
  authenticated = rc == ZOK ? 1 : -1;
}

static int add_auth(zhandle_t *zh, const char *scheme, const char *who) {
  authenticated = 0;
  EQUAL(zoo_add_auth(zh, scheme, who, strlen(who), on_auth, NULL), ZOK);
  EVENTUALLY(authenticated != 0);
  return authenticated;
}

void test_acl(void) {
  zhandle_t *zh = client(), *stranger = client();
  const char *path = at(top(zh, "acl"), "locked");
  EQUAL(add_auth(zh, "digest", "ann:secret"), 1);
  EQUAL(zoo_create(zh, path, "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZOK);
  struct ACL_vector acl;
  struct Stat stat;
  char data[8];
  int length = sizeof data;
  EQUAL(zoo_get_acl(zh, path, &acl, &stat), ZOK);
  CHECK(acl.count == 1 && acl.data[0].perms == ZOO_PERM_ALL && stat.aversion == 0);
  SAME(acl.data[0].id.scheme, "digest");
  SAME(acl.data[0].id.id, "ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=");
  EQUAL(zoo_get(stranger, path, 0, data, &length, NULL), ZNOAUTH);
  EQUAL(zoo_set(stranger, path, "y", 1, -1), ZNOAUTH);
  EQUAL(zoo_set_acl(stranger, path, -1, &ZOO_OPEN_ACL_UNSAFE), ZNOAUTH);
  EQUAL(zoo_set_acl(zh, path, 0, &ZOO_READ_ACL_UNSAFE), ZOK);
  EQUAL(zoo_set_acl(zh, path, 0, &acl), ZNOAUTH);
  deallocate_ACL_vector(&acl);
  EQUAL(zoo_get_acl(zh, path, &acl, &stat), ZOK);
  CHECK(acl.count == 1 && acl.data[0].perms == ZOO_PERM_READ && stat.aversion == 1);
  deallocate_ACL_vector(&acl);
  length = sizeof data;
  EQUAL(zoo_get(stranger, path, 0, data, &length, NULL), ZOK);
  struct ACL_vector none = {0, NULL};
  EQUAL(zoo_create(zh, "/acl/none", "", 0, &none, 0, NULL, 0), ZINVALIDACL);
  EQUAL(zoo_create(stranger, "/acl/auth", "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZINVALIDACL);
  struct events *session = new_events();
  zhandle_t *rejected = client_with(30000, NULL, 0, session);
  EVENTUALLY(zoo_state(rejected) == ZOO_CONNECTED_STATE);
  EQUAL(add_auth(rejected, "nobody-knows", "x"), -1);
  EVENTUALLY(zoo_state(rejected) == ZOO_AUTH_FAILED_STATE);
}

void test_multi(void) {
  zhandle_t *zh = client();
  const char *parent = top(zh, "multi");
  zoo_op_t ops[6];
  zoo_op_result_t results[6];
  char names[3][64];
  struct Stat stat, seen;
  zoo_create_op_init(&ops[0], at(parent, "a"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, names[0], 64);
  zoo_create_op_init(&ops[1], at(parent, "s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, names[1], 64);
  zoo_set_op_init(&ops[2], at(parent, "a"), "22", 2, 0, &stat);
  zoo_check_op_init(&ops[3], at(parent, "a"), 1);
  zoo_create_op_init(&ops[4], at(parent, "a/b"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, names[2], 64);
  zoo_delete_op_init(&ops[5], at(parent, "s-0000000001"), 0);
  EQUAL(zoo_multi(zh, 6, ops, results), ZOK);
  for (int i = 0; i < 6; i++) EQUAL(results[i].err, ZOK);
  SAME(names[1], "/multi/s-0000000001");
  CHECK(stat.version == 1 && stat.dataLength == 2);
  EQUAL(zoo_exists(zh, at(parent, "a"), 0, &seen), ZOK);
  CHECK(seen.czxid == stat.mzxid && seen.pzxid == stat.mzxid && seen.numChildren == 1);
  zoo_set_op_init(&ops[0], at(parent, "a"), "333", 3, 1, &stat);
  zoo_create_op_init(&ops[1], at(parent, "a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, names[0], 64);
  zoo_delete_op_init(&ops[2], at(parent, "a/b"), -1);
  EQUAL(zoo_multi(zh, 3, ops, results), ZNODEEXISTS);
  EQUAL(results[0].err, ZOK);
  EQUAL(results[1].err, ZNODEEXISTS);
  EQUAL(results[2].err, ZRUNTIMEINCONSISTENCY);
  struct Stat after;
  EQUAL(zoo_exists(zh, at(parent, "a"), 0, &after), ZOK);
  CHECK(same_stat(&after, &seen));
  EQUAL(zoo_multi(zh, 0, ops, results), ZOK);
}

void test_watches(void) {
  zhandle_t *zh = client(), *other = client();
  const char *path = top(zh, "watches");
  struct events *data = new_events(), *exists = new_events(), *children = new_events(), *children2 = new_events();
  struct String_vector names;
  struct Stat stat;
  char buffer[16];
  int length = sizeof buffer;
  EQUAL(zoo_wget(zh, path, note, data, buffer, &length, &stat), ZOK);
  EQUAL(zoo_wexists(zh, at(path, "later"), note, exists, &stat), ZNONODE);
  EQUAL(zoo_wget_children(zh, path, note, children, &names), ZOK);
  deallocate_String_vector(&names);
  EQUAL(zoo_wget_children2(zh, path, note, children2, &names, &stat), ZOK);
  deallocate_String_vector(&names);
  EQUAL(zoo_create(other, at(path, "later"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
  EVENT(exists, 0, ZOO_CREATED_EVENT, "/watches/later");
  EVENT(children, 0, ZOO_CHILD_EVENT, "/watches");
  EVENT(children2, 0, ZOO_CHILD_EVENT, "/watches");
  EQUAL(data->count, 0);
  EQUAL(zoo_set(other, path, "x", 1, -1), ZOK);
  EVENT(data, 0, ZOO_CHANGED_EVENT, "/watches");
  EQUAL(zoo_wexists(zh, at(path, "later"), note, exists, &stat), ZOK);
  EQUAL(zoo_wget(zh, at(path, "later"), note, data, buffer, &length, NULL), ZOK);
  EQUAL(zoo_delete(other, at(path, "later"), -1), ZOK);
  EVENT(exists, 1, ZOO_DELETED_EVENT, "/watches/later");
  EVENT(data, 1, ZOO_DELETED_EVENT, "/watches/later");
  EQUAL(zoo_set(other, path, "y", 1, -1), ZOK);
  EQUAL(zoo_exists(zh, path, 0, &stat), ZOK);
  CHECK(data->count == 2 && exists->count == 2 && children->count == 1 && children2->count == 1);
}

void test_remove_watches(void) {
  zhandle_t *zh = client(), *other = client();
  const char *path = top(zh, "remove");
  struct events *kept = new_events(), *removed = new_events();
  struct Stat stat;
  char buffer[16];
  int length = sizeof buffer;
  EQUAL(zoo_wget(zh, path, note, kept, buffer, &length, NULL), ZOK);
  EQUAL(zoo_wexists(zh, path, note, removed, &stat), ZOK);
  EQUAL(zoo_remove_watches(zh, path, ZWATCHTYPE_CHILD, note, removed, 0), ZNOWATCHER);
  EQUAL(zoo_remove_watches(zh, path, ZWATCHTYPE_DATA, note, removed, 0), ZOK);
  EQUAL(zoo_set(other, path, "x", 1, -1), ZOK);
  EVENT(kept, 0, ZOO_CHANGED_EVENT, "/remove");
  for (int i = 0; i < removed->count; i++) CHECK(removed->list[i].type != ZOO_CHANGED_EVENT);
  EQUAL(zoo_wget(zh, path, note, kept, buffer, &length, NULL), ZOK);
  EQUAL(zoo_remove_all_watches(zh, path, ZWATCHTYPE_ANY, 0), ZOK);
  EQUAL(zoo_remove_all_watches(zh, path, ZWATCHTYPE_ANY, 0), ZNOWATCHER);
  EQUAL(zoo_set(other, path, "y", 1, -1), ZOK);
  EQUAL(zoo_exists(zh, path, 0, &stat), ZOK);
  for (int i = 1; i < kept->count; i++) CHECK(kept->list[i].type != ZOO_CHANGED_EVENT);
}

static atomic_int synced;
static void on_sync(int rc, const char *value, const void *data) {
  (void)data;
  synced = rc == ZOK && value && !strcmp(value, "/") ? 1 : -1;
}

void test_config_and_sync(void) {
  zhandle_t *zh = client();
  char buffer[1024];
  int length = sizeof buffer;
  struct Stat stat;
  EQUAL(zoo_getconfig(zh, 0, buffer, &length, &stat), ZOK);
  EQUAL(zoo_reconfig(zh, NULL, NULL, "server.1=127.0.0.1:1:2;3", -1, buffer, &length, &stat), ZRECONFIGDISABLED);
  EQUAL(zoo_async(zh, "/", on_sync, NULL), ZOK);
  EVENTUALLY(synced != 0);
  EQUAL(synced, 1);
  CHECK(zoo_recv_timeout(zh) == 30000 && !is_unrecoverable(zh));
  SAME(zoo_get_current_server(zh), host);
}

void test_large_data(void) {
  enum { most = 1000000 };
  zhandle_t *zh = client();
  const char *path = top(zh, "large");
  static char out[most], in[most];
  const int sizes[] = {1, 1023, 1024, 1025, 4096, 16383, 16385, 65536, 300000, most};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (int i = 0; i < sizes[s]; i++) out[i] = (char)(i * 31 + s);
    struct Stat stat;
    int length = most;
    EQUAL(zoo_set2(zh, path, out, sizes[s], -1, &stat), ZOK);
    EQUAL(stat.dataLength, sizes[s]);
    memset(in, 0, most);
    EQUAL(zoo_get(zh, path, 0, in, &length, &stat), ZOK);
    EQUAL(length, sizes[s]);
    EQUAL(memcmp(in, out, sizes[s]), 0);
  }
  /* A buffer that is too small gets a part; the Stat has the full length. */
  struct Stat stat;
  int length = 100;
  EQUAL(zoo_get(zh, path, 0, in, &length, &stat), ZOK);
  CHECK(length == 100 && stat.dataLength == most);
}
