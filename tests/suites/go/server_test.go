// Package suite uses the Go client as an application would, against the server that SERVER_CMD runs.
// Every test has a server of its own kind: most share one; those that kill it start their own.
package suite

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// patience is how long a condition may take to come true. No test depends on speed.
const patience = 60 * time.Second

var everybody = zk.WorldACL(zk.PermAll)

// server is a process run by SERVER_CMD on a folder and a port that stay the same over restarts.
type server struct {
	folder, address string
	process         *exec.Cmd
}

var shared *server

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "go-suite-")
	if err == nil {
		shared = &server{folder: folder}
		err = shared.start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "no server:", err)
		os.Exit(2)
	}
	status := m.Run()
	shared.kill()
	os.RemoveAll(folder)
	os.Exit(status)
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{folder: t.TempDir()}
	if err := s.start(); err != nil {
		t.Fatal("no server: ", err)
	}
	t.Cleanup(s.kill)
	return s
}

func (s *server) configure() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	listener.Close()
	port := s.address[strings.LastIndex(s.address, ":")+1:]
	lines := []string{"tickTime=200", "maxSessionTimeout=60000", "dataDir=" + s.folder + "/data",
		"clientPort=" + port, "clientPortAddress=127.0.0.1", "maxClientCnxns=0",
		"admin.enableServer=false", "4lw.commands.whitelist=*", "extendedTypesEnabled=true", ""}
	if err := os.MkdirAll(s.folder+"/data", 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.folder+"/zoo.cfg", []byte(strings.Join(lines, "\n")), 0o644)
}

func (s *server) start() error {
	if s.address == "" {
		if err := s.configure(); err != nil {
			return err
		}
	}
	words := append(strings.Fields(os.Getenv("SERVER_CMD")), filepath.Join(s.folder, "zoo.cfg"))
	if len(words) == 1 {
		return errors.New("SERVER_CMD is not set")
	}
	log, err := os.OpenFile(s.folder+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(words[0], words[1:]...)
	s.process.Stdout, s.process.Stderr = log, log
	// ZooKeeper accepts this one only as a JVM property.
	s.process.Env = append(os.Environ(), "JVMFLAGS=-Dznode.container.checkIntervalMs=300")
	if err := s.process.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if zk.FLWRuok([]string{s.address}, time.Second)[0] {
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("%v does not serve", words)
}

// kill is a SIGKILL: what the server has acknowledged must be on its disk.
func (s *server) kill() {
	s.process.Process.Kill()
	s.process.Wait()
}

func (s *server) restart(t *testing.T) {
	t.Helper()
	s.kill()
	if err := s.start(); err != nil {
		t.Fatal("no server after the restart: ", err)
	}
}

// line is a path to the server that a test can cut, as a network would.
type line struct {
	mutex sync.Mutex
	cut   bool
	open  []net.Conn
}

func (l *line) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.cut {
		return nil, errors.New("the line is cut")
	}
	conn, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		l.open = append(l.open, conn)
	}
	return conn, err
}

func (l *line) setCut(cut bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = cut
	for _, conn := range l.open {
		conn.Close()
	}
	l.open = nil
}

type silent struct{}

func (silent) Printf(string, ...interface{}) {}

// client is a session of its own, closed with the test.
func (s *server) client(t *testing.T) *zk.Conn {
	t.Helper()
	conn, _ := s.clientWith(t, 20*time.Second, &line{})
	return conn
}

func (s *server) clientWith(t *testing.T, timeout time.Duration, l *line) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	conn, events, err := zk.Connect([]string{s.address}, timeout, zk.WithLogger(silent{}), zk.WithDialer(l.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	await(t, events, zk.StateHasSession)
	return conn, events
}

// await reads events of the session until this state.
func await(t *testing.T, events <-chan zk.Event, state zk.State) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case event := <-events:
			if event.State == state {
				return
			}
		case <-end:
			t.Fatalf("the session does not get to %v", state)
		}
	}
}

// expect reads one event of a watch.
func expect(t *testing.T, watch <-chan zk.Event, kind zk.EventType, path string) {
	t.Helper()
	select {
	case event := <-watch:
		if event.Type != kind || event.Path != path || event.Err != nil {
			t.Fatalf("event %+v, wanted %v of %s", event, kind, path)
		}
	case <-time.After(patience):
		t.Fatalf("no event %v of %s", kind, path)
	}
}

func expectNone(t *testing.T, watch <-chan zk.Event) {
	t.Helper()
	select {
	case event := <-watch:
		t.Fatalf("an event that nothing caused: %+v", event)
	default:
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func checkError(t *testing.T, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("error %v, wanted %v", err, wanted)
	}
}

func create(t *testing.T, c *zk.Conn, path, data string, flags int32) string {
	t.Helper()
	created, err := c.Create(path, []byte(data), flags, everybody)
	check(t, err)
	return created
}

// root is the test's own part of the shared tree.
func root(t *testing.T, c *zk.Conn) string {
	t.Helper()
	return create(t, c, "/"+t.Name(), "", zk.FlagPersistent)
}

func exists(t *testing.T, c *zk.Conn, path string) bool {
	t.Helper()
	found, _, err := c.Exists(path)
	check(t, err)
	return found
}
