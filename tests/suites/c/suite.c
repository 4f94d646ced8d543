/* The C client used as an application would. `suite` runs every test against a server by $SERVER_CMD
 * below $SUITE_FOLDER, and prints a line for each; `suite NAME` one; `suite --orphan HOST PATH` is a
 * client that one of the tests kills. */
#define _GNU_SOURCE
#include "suite.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static jmp_buf failed;
static char config[512], log_file[512];
char host[64];
static int port;
static pid_t server;

static zhandle_t *clients[64];
static int client_count;

void fail(const char *file, int line, const char *what, long found, long wanted) {
  printf("  %s:%d: %s is %ld, wanted %ld\n", file, line, what, found, wanted);
  longjmp(failed, 1);
}

static int ask_mode(void) {
  char answer[4096];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = 0, got, fd = socket(AF_INET, SOCK_STREAM, 0);
  struct timeval limit = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, "srvr", 4) == 4)
    while ((got = read(fd, answer + length, sizeof answer - 1 - length)) > 0) length += got;
  close(fd);
  answer[length] = 0;
  return strstr(answer, "Mode:") != NULL;
}

static void configure(void) {
  const char *folder = getenv("SUITE_FOLDER");
  if (!folder || !getenv("SERVER_CMD")) exit((fprintf(stderr, "SUITE_FOLDER, SERVER_CMD: unset\n"), 2));
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (struct sockaddr *)&address, &size))
    exit((perror("a free port"), 2));
  port = ntohs(address.sin_port);
  close(fd);
  snprintf(host, sizeof host, "127.0.0.1:%d", port);
  snprintf(config, sizeof config, "%s/zoo.cfg", folder);
  snprintf(log_file, sizeof log_file, "%s/log", folder);
  FILE *file = fopen(config, "w");
  if (!file) exit((perror(config), 2));
  fprintf(file, "tickTime=200\nmaxSessionTimeout=60000\ndataDir=%s/data\nclientPort=%d\n", folder, port);
  fprintf(file, "clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n");
  fprintf(file, "4lw.commands.whitelist=*\nextendedTypesEnabled=true\n");
  fclose(file);
  setenv("JVMFLAGS", "-Dznode.container.checkIntervalMs=300", 1);
}

void server_start(void) {
  char command[4096];
  snprintf(command, sizeof command, "exec %s %s >> %s 2>&1", getenv("SERVER_CMD"), config, log_file);
  server = fork();
  if (server == 0) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  for (int wait = 0; !ask_mode(); wait++) {
    if (wait > PATIENCE_SECONDS * 50 || waitpid(server, NULL, WNOHANG) == server) {
      kill(server, SIGKILL);
      exit((fprintf(stderr, "the server does not serve; see %s\n", log_file), 2));
    }
    usleep(20000);
  }
}

void server_kill(void) {
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
}

void note(zhandle_t *zh, int type, int state, const char *path, void *context) {
  (void)zh;
  struct events *events = context;
  if (!events) return;
  if (state == ZOO_EXPIRED_SESSION_STATE) events->expired = 1;
  int at = events->count;
  if (at == sizeof events->list / sizeof *events->list) return;
  events->list[at].type = type;
  events->list[at].state = state;
  snprintf(events->list[at].path, sizeof events->list[at].path, "%s", path ? path : "");
  events->count = at + 1;
}

struct events *new_events(void) { return calloc(1, sizeof(struct events)); }

zhandle_t *client_with(int timeout_ms, const clientid_t *id, int flags, struct events *session) {
  zhandle_t *zh = zookeeper_init(host, note, timeout_ms, id, session, flags);
  CHECK(zh != NULL);
  clients[client_count++] = zh;
  return zh;
}

zhandle_t *client(void) {
  zhandle_t *zh = client_with(30000, NULL, 0, NULL);
  EVENTUALLY(zoo_state(zh) == ZOO_CONNECTED_STATE);
  return zh;
}

const char *at(const char *parent, const char *name) {
  static char paths[64][256];
  static int next;
  char *path = paths[next++ % 64];
  snprintf(path, sizeof paths[0], "%s/%s", parent, name);
  return path;
}

const char *top(zhandle_t *zh, const char *name) {
  EQUAL(zoo_create(zh, at("", name), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
  char *path = strdup(at("", name));
  return path;
}

/* Field by field, because the padding between them is not initialised. */
int same_stat(const struct Stat *one, const struct Stat *other) {
  return one->czxid == other->czxid && one->mzxid == other->mzxid && one->pzxid == other->pzxid &&
         one->ctime == other->ctime && one->mtime == other->mtime && one->version == other->version &&
         one->cversion == other->cversion && one->aversion == other->aversion &&
         one->ephemeralOwner == other->ephemeralOwner && one->dataLength == other->dataLength &&
         one->numChildren == other->numChildren;
}

static int orphan(const char *where, const char *path) {
  zhandle_t *zh = zookeeper_init(where, note, 4000, NULL, NULL, 0);
  while (zoo_state(zh) != ZOO_CONNECTED_STATE) usleep(5000);
  if (zoo_create(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0) != ZOK) return 1;
  if (write(1, zoo_client_id(zh), sizeof(clientid_t)) != sizeof(clientid_t)) return 1;
  pause();
  return 0;
}

static const struct { const char *name; test *run; } tests[] = {
#define TEST(name) {#name, test_##name}
    TEST(create_get_set_delete), TEST(create_modes), TEST(children), TEST(acl), TEST(multi),
    TEST(watches), TEST(remove_watches), TEST(config_and_sync), TEST(large_data), TEST(ttl_unlike),
    TEST(pipeline_order), TEST(async_calls), TEST(async_errors), TEST(reads_behind_writes),
    TEST(large_replies_in_a_row), TEST(many_watches), TEST(many_sessions),
    TEST(restart), TEST(watches_after_restart), TEST(pipeline_over_restart), TEST(expiry),
    TEST(reattach), TEST(read_only_flag), TEST(set_servers), TEST(wrong_password),
};

int main(int count, char **words) {
  zoo_set_debug_level(0);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count == 4 && !strcmp(words[1], "--orphan")) return orphan(words[2], words[3]);
  volatile int passed = 0, bad = 0;
  configure();
  server_start();
  for (volatile size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    if (count > 1 && strcmp(words[1], tests[i].name)) continue;
    if (setjmp(failed) == 0) {
      tests[i].run();
      printf("ok %s\n", tests[i].name);
      passed++;
    } else {
      printf("not ok %s\n", tests[i].name);
      bad++;
    }
    while (client_count) zookeeper_close(clients[--client_count]);
  }
  server_kill();
  printf("%d passed, %d failed\n", passed, bad);
  return bad != 0 || passed == 0;
}
