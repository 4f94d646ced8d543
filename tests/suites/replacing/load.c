/* Clients by the C library: pipelined sequence nodes, watches, ephemeral nodes, until standard input
 * ends. load HOSTS NOTES - see drive.py for what is noted and printed. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define WRITERS 2
#define WATCHERS 2
#define SESSIONS (WRITERS + 2 * WATCHERS)
#define WINDOW 8
#define NODES_MAX 200000
#define PATIENCE_SECONDS 60
#define TOP "/c"

struct session {
  zhandle_t *handle;
  int64_t id, born;
  int number, connected, lost, expired;
};

/* One create: what became of it. The payload is the writer and its index in `nodes`. */
struct node {
  struct writer *writer;
  int state; /* 0: sent, 1: made, 2: unknown */
  char path[64];
};

struct writer {
  struct session session;
  struct node *nodes;
  int sent, open, made, unknown;
};

struct watcher {
  struct session session, other;
  char path[64], *fired;
  int armed, events, rounds, twice;
};

static struct writer writers[WRITERS];
static struct watcher watchers[WATCHERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static FILE *notes;
static char hosts[3][64];
static volatile int stopping;
static int failed;

static void verdict(int good, const char *what, const char *format, ...) {
  va_list words;
  va_start(words, format);
  printf("%sok %s: ", good ? "" : "not ", what);
  vprintf(format, words);
  printf("\n");
  va_end(words);
  failed |= !good;
}

static void note(const char *writer, int number) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  fprintf(notes, "%lld %s-%d\n", now.tv_sec * 1000000000LL + now.tv_nsec, writer, number);
  fflush(notes);
}

/* With the lock held: waits until another thread says that something has changed, or a second is over. */
static void pause_locked(void) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 1;
  pthread_cond_timedwait(&changed, &lock, &end);
}

static void on_session(zhandle_t *handle, int type, int state, const char *path, void *context) {
  struct session *session = context;
  (void)path;
  if (type != ZOO_SESSION_EVENT) return;
  pthread_mutex_lock(&lock);
  if (state == ZOO_CONNECTED_STATE) {
    const clientid_t *id = zoo_client_id(handle);
    if (session->id && session->id != id->client_id) session->expired = 1;
    session->id = id->client_id;
    session->connected = 1;
  } else {
    if (state == ZOO_EXPIRED_SESSION_STATE) session->expired = 1;
    if (session->connected) session->lost++;
    session->connected = 0;
  }
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

/* Whether an answer is none: the connection went before it came. */
static int is_loss(int code) { return code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT; }

static void name_of(struct session *session, char *path) { sprintf(path, TOP "/alive-%d", session->number); }

static void open_session(struct session *session, int number) {
  char list[256], path[64];
  struct Stat stat;
  int code;
  snprintf(list, sizeof list, "%s,%s,%s", hosts[number % 3], hosts[(number + 1) % 3], hosts[(number + 2) % 3]);
  session->number = number;
  session->handle = zookeeper_init(list, on_session, 20000, NULL, session, 0);
  pthread_mutex_lock(&lock);
  while (!session->connected) pause_locked();
  pthread_mutex_unlock(&lock);
  zoo_create(session->handle, TOP, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  name_of(session, path);
  code = zoo_create(session->handle, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
  if (code == ZOK) code = zoo_exists(session->handle, path, 0, &stat);
  if (code != ZOK) exit((fprintf(stderr, "%s: %s\n", path, zerror(code)), 1));
  session->born = stat.czxid;
}

static void on_made(int code, const char *path, const void *data) {
  struct node *node = (struct node *)data;
  struct writer *writer = node->writer;
  pthread_mutex_lock(&lock);
  writer->open--;
  node->state = code == ZOK ? 1 : 2;
  if (code == ZOK) {
    snprintf(node->path, sizeof node->path, "%s", path);
    writer->made++;
    note("sequences", writer->session.number);
  } else {
    writer->unknown++;
    if (!is_loss(code)) verdict(0, "create", "%s", zerror(code));
  }
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *write_nodes(void *context) {
  struct writer *writer = context;
  char text[32];
  while (!stopping && writer->sent < NODES_MAX) {
    pthread_mutex_lock(&lock);
    while (writer->open >= WINDOW || !writer->session.connected) pause_locked();
    writer->open++;
    pthread_mutex_unlock(&lock);
    struct node *node = &writer->nodes[writer->sent];
    node->writer = writer;
    int length = sprintf(text, "%d-%d", writer->session.number, writer->sent++);
    int code = zoo_acreate(writer->session.handle, TOP "/sequences/s-", text, length, &ZOO_OPEN_ACL_UNSAFE,
                           ZOO_SEQUENCE, on_made, node);
    if (code != ZOK) on_made(code, NULL, node);
    usleep(2000);
  }
  pthread_mutex_lock(&lock);
  while (writer->open > 0) pause_locked();
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void on_watch(zhandle_t *handle, int type, int state, const char *path, void *context) {
  struct watcher *watcher;
  (void)handle, (void)state, (void)path;
  if (type == ZOO_SESSION_EVENT) return;
  for (watcher = watchers; (char *)context < watcher->fired || (char *)context >= watcher->fired + NODES_MAX;) watcher++;
  pthread_mutex_lock(&lock);
  if ((*(char *)context)++) watcher->twice++;
  watcher->events++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

/* Reads with a watch, sets at another session, and waits for the event: the library sets watches again
 * with each new connection, and the server sends what was missed. */
static void *watch_nodes(void *context) {
  struct watcher *watcher = context;
  struct Stat stat;
  int code;
  while (!stopping && watcher->armed < NODES_MAX) {
    char *slot = &watcher->fired[watcher->armed];
    while (is_loss(code = zoo_wexists(watcher->session.handle, watcher->path, on_watch, slot, &stat))) usleep(20000);
    if (code != ZOK) return verdict(0, "exists", "%s", zerror(code)), NULL;
    watcher->armed++;
    /* After a loss, ZBADVERSION says that the set before was done. */
    int lost = 0;
    while (is_loss(code = zoo_set(watcher->other.handle, watcher->path, "", 0, stat.version))) lost = 1, usleep(20000);
    if (code != ZOK && !(lost && code == ZBADVERSION)) return verdict(0, "set", "%s", zerror(code)), NULL;
    note("watches", watcher->session.number);
    pthread_mutex_lock(&lock);
    for (int wait = 0; !*slot && wait < PATIENCE_SECONDS * 200; wait++) {
      struct timespec end;
      clock_gettime(CLOCK_REALTIME, &end);
      end.tv_nsec += 5000000;
      if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
      pthread_cond_timedwait(&changed, &lock, &end);
    }
    int came = *slot;
    pthread_mutex_unlock(&lock);
    if (!came) return verdict(0, "watches", "no event after set %d of %s", watcher->armed, watcher->path), NULL;
    watcher->rounds++;
    usleep(5000);
  }
  return NULL;
}

static int by_path(const void *a, const void *b) {
  return strcmp((*(struct node *const *)a)->path, (*(struct node *const *)b)->path);
}

/* All children of TOP/sequences are those that were acknowledged or unknown, each with its own data. */
static void check_nodes(zhandle_t *handle, const char *server) {
  struct String_vector children;
  int wrong = 0, made = 0, unknown = 0, known = 0, count;
  for (int i = 0; i < WRITERS; i++) made += writers[i].made, unknown += writers[i].unknown;
  struct node **all = malloc((made + 1) * sizeof *all);
  for (int i = 0, next = 0; i < WRITERS; i++)
    for (int n = 0; n < writers[i].sent; n++)
      if (writers[i].nodes[n].state == 1) all[next++] = &writers[i].nodes[n];
  qsort(all, made, sizeof *all, by_path);
  for (int i = 1; i < made; i++) wrong += strcmp(all[i - 1]->path, all[i]->path) == 0;
  zoo_get_children(handle, TOP "/sequences", 0, &children);
  count = children.count;
  for (int i = 0; i < count; i++) {
    char path[80], text[32] = "", *rest;
    int length = sizeof text - 1;
    snprintf(path, sizeof path, TOP "/sequences/%s", children.data[i]);
    zoo_get(handle, path, 0, text, &length, NULL);
    int number = (int)strtol(text, &rest, 10), index = *rest == '-' ? atoi(rest + 1) : -1;
    struct writer *writer = number < WRITERS ? &writers[number] : NULL;
    if (!writer || index < 0 || index >= writer->sent) {
      wrong++;
    } else if (writer->nodes[index].state == 1) {
      known++;
      wrong += strcmp(writer->nodes[index].path, path) != 0;
    }
  }
  deallocate_String_vector(&children);
  free(all);
  verdict(wrong == 0 && known == made && count <= made + unknown, "sequences",
          "%d nodes acknowledged, %d of them at %s, %d unknown, %d wrong", made, known, server, unknown, wrong);
}

static void check_session(struct session *session, int *lost) {
  struct Stat stat;
  char path[64];
  int code;
  name_of(session, path);
  while (is_loss(code = zoo_exists(session->handle, path, 0, &stat))) usleep(20000);
  int remained = code == ZOK && stat.czxid == session->born && stat.ephemeralOwner == session->id;
  if (!remained || session->expired) verdict(0, "session", "%s: %s, expired %d", path, zerror(code), session->expired);
  *lost += session->lost;
}

static void check(void) {
  int lost = 0, rounds = 0, twice = 0, events = 0, armed = 0;
  for (int i = 0; i < 3; i++) {
    struct session reader = {0};
    reader.handle = zookeeper_init(hosts[i], on_session, 20000, NULL, &reader, 0);
    pthread_mutex_lock(&lock);
    while (!reader.connected) pause_locked();
    pthread_mutex_unlock(&lock);
    check_nodes(reader.handle, hosts[i]);
    zookeeper_close(reader.handle);
  }
  for (int i = 0; i < WRITERS; i++) check_session(&writers[i].session, &lost);
  for (int i = 0; i < WATCHERS; i++) {
    check_session(&watchers[i].session, &lost);
    check_session(&watchers[i].other, &lost);
    rounds += watchers[i].rounds, twice += watchers[i].twice;
    events += watchers[i].events, armed += watchers[i].armed;
  }
  verdict(twice == 0 && events == armed && rounds == armed, "watches", "%d set, %d events, %d of them twice", armed, events, twice);
  if (!failed) verdict(1, "sessions", "%d, none lost, %d connections lost", SESSIONS, lost);
}

int main(int count, char **words) {
  pthread_t threads[WRITERS + WATCHERS];
  char byte;
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  zoo_deterministic_conn_order(1);
  if (count != 3 || sscanf(words[1], "%63[^,],%63[^,],%63[^,]", hosts[0], hosts[1], hosts[2]) != 3 ||
      !(notes = fopen(words[2], "w")))
    return fprintf(stderr, "load HOST,HOST,HOST NOTES\n"), 2;
  for (int i = 0; i < WRITERS; i++) {
    writers[i].nodes = calloc(NODES_MAX, sizeof *writers[i].nodes);
    open_session(&writers[i].session, i);
  }
  zoo_create(writers[0].session.handle, TOP "/sequences", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  for (int i = 0; i < WATCHERS; i++) {
    watchers[i].fired = calloc(NODES_MAX, 1);
    sprintf(watchers[i].path, TOP "/watched-%d", i);
    open_session(&watchers[i].session, WRITERS + 2 * i);
    open_session(&watchers[i].other, WRITERS + 2 * i + 1);
    zoo_create(watchers[i].session.handle, watchers[i].path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  }
  for (int i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, write_nodes, &writers[i]);
  for (int i = 0; i < WATCHERS; i++) pthread_create(&threads[WRITERS + i], NULL, watch_nodes, &watchers[i]);
  while (read(0, &byte, 1) > 0) continue;
  stopping = 1;
  for (int i = 0; i < WRITERS + WATCHERS; i++) pthread_join(threads[i], NULL);
  check();
  fflush(stdout);
  for (int i = 0; i < WRITERS; i++) zookeeper_close(writers[i].session.handle);
  for (int i = 0; i < WATCHERS; i++) zookeeper_close(watchers[i].session.handle), zookeeper_close(watchers[i].other.handle);
  return failed;
}
