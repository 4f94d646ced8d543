package suite

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestRestartKeepsSessionAndNodes(t *testing.T) {
	s := newServer(t)
	c, events := s.clientWith(t, 30*time.Second, &line{})
	session := c.SessionID()
	for i := 0; i < 200; i++ {
		create(t, c, fmt.Sprintf("/kept-%03d", i), strconv.Itoa(i), zk.FlagPersistent)
	}
	create(t, c, "/ephemeral", "", zk.FlagEphemeral)
	_, before, err := c.Get("/kept-199")
	check(t, err)
	s.restart(t)
	await(t, events, zk.StateHasSession)
	if c.SessionID() != session {
		t.Fatalf("session %x became %x", session, c.SessionID())
	}
	for i := 0; i < 200; i++ {
		data, _, err := c.Get(fmt.Sprintf("/kept-%03d", i))
		check(t, err)
		if string(data) != strconv.Itoa(i) {
			t.Fatalf("node %d has %q", i, data)
		}
	}
	_, after, err := c.Get("/kept-199")
	check(t, err)
	if *before != *after {
		t.Fatalf("%+v became %+v", before, after)
	}
	if !exists(t, c, "/ephemeral") {
		t.Fatal("the ephemeral of a living session is gone")
	}
	if next := create(t, c, "/ephemeral-", "", zk.FlagSequence); next != "/ephemeral-0000000201" {
		t.Fatalf("created %s", next)
	}
}

// What changes while a client is away arrives as an event when it is back; what does not change keeps
// its watch.
func TestWatchesAreSetAgain(t *testing.T) {
	s := newServer(t)
	l := &line{}
	c, events := s.clientWith(t, 30*time.Second, l)
	other, otherEvents := s.clientWith(t, 30*time.Second, &line{})
	for _, path := range []string{"/changed", "/deleted", "/parent", "/quiet", "/quiet-parent"} {
		create(t, c, path, "", zk.FlagPersistent)
	}
	watch := func(_ interface{}, _ *zk.Stat, watch <-chan zk.Event, err error) <-chan zk.Event {
		t.Helper()
		check(t, err)
		return watch
	}
	get := func(path string) <-chan zk.Event {
		data, stat, events, err := c.GetW(path)
		return watch(data, stat, events, err)
	}
	exist := func(path string) <-chan zk.Event {
		found, stat, events, err := c.ExistsW(path)
		return watch(found, stat, events, err)
	}
	list := func(path string) <-chan zk.Event {
		names, stat, events, err := c.ChildrenW(path)
		return watch(names, stat, events, err)
	}
	changed, deleted, created, parent := get("/changed"), get("/deleted"), exist("/created"), list("/parent")
	quiet, quietParent, absent := get("/quiet"), list("/quiet-parent"), exist("/absent")

	l.setCut(true)
	await(t, events, zk.StateDisconnected)
	_, err := other.Set("/changed", []byte("x"), -1)
	check(t, err)
	check(t, other.Delete("/deleted", -1))
	create(t, other, "/created", "", zk.FlagPersistent)
	create(t, other, "/parent/child", "", zk.FlagPersistent)
	s.restart(t)
	await(t, otherEvents, zk.StateHasSession)
	l.setCut(false)
	await(t, events, zk.StateHasSession)

	expect(t, changed, zk.EventNodeDataChanged, "/changed")
	expect(t, deleted, zk.EventNodeDeleted, "/deleted")
	expect(t, created, zk.EventNodeCreated, "/created")
	expect(t, parent, zk.EventNodeChildrenChanged, "/parent")
	expectNone(t, quiet)
	expectNone(t, quietParent)
	expectNone(t, absent)
	_, err = other.Set("/quiet", []byte("x"), -1)
	check(t, err)
	expect(t, quiet, zk.EventNodeDataChanged, "/quiet")
	create(t, other, "/quiet-parent/child", "", zk.FlagPersistent)
	expect(t, quietParent, zk.EventNodeChildrenChanged, "/quiet-parent")
	create(t, other, "/absent", "", zk.FlagPersistent)
	expect(t, absent, zk.EventNodeCreated, "/absent")
}

func TestSessionExpires(t *testing.T) {
	l := &line{}
	c, events := shared.clientWith(t, 4*time.Second, l)
	witness := shared.client(t)
	path := root(t, witness)
	create(t, c, path+"/ephemeral", "", zk.FlagEphemeral)
	session := c.SessionID()
	_, _, gone, err := witness.ExistsW(path + "/ephemeral")
	check(t, err)
	l.setCut(true)
	expect(t, gone, zk.EventNodeDeleted, path+"/ephemeral")
	l.setCut(false)
	await(t, events, zk.StateExpired)
	await(t, events, zk.StateHasSession)
	if c.SessionID() == session {
		t.Fatal("the expired session lives again")
	}
	create(t, c, path+"/ephemeral", "", zk.FlagEphemeral)
}

// A session that only breaks its connection keeps what it owns.
func TestShortBreakKeepsEphemerals(t *testing.T) {
	l := &line{}
	c, events := shared.clientWith(t, 30*time.Second, l)
	path := root(t, c) + "/ephemeral"
	create(t, c, path, "", zk.FlagEphemeral)
	_, before, err := c.Get(path)
	check(t, err)
	for i := 0; i < 5; i++ {
		l.setCut(true)
		await(t, events, zk.StateDisconnected)
		l.setCut(false)
		await(t, events, zk.StateHasSession)
		_, after, err := c.Get(path)
		check(t, err)
		if *after != *before {
			t.Fatalf("%+v became %+v", before, after)
		}
	}
}

// Every increment that was answered counts once, even over restarts. One whose answer was lost may
// count or not: the node shows which, by its writer.
func TestIncrementsOverRestarts(t *testing.T) {
	const writers, each = 6, 60
	s := newServer(t)
	first := s.client(t)
	create(t, first, "/counter", "0", zk.FlagPersistent)
	var group sync.WaitGroup
	failures := make(chan error, writers)
	for i := 0; i < writers; i++ {
		c := s.client(t)
		name := fmt.Sprintf("/writer-%d", i)
		create(t, c, name, "0", zk.FlagPersistent)
		group.Add(1)
		go func() {
			defer group.Done()
			failures <- increment(c, name, each)
		}()
	}
	for i := 0; i < 3; i++ {
		goal := writers * each * (i + 1) / 5
		eventually(t, "the counter moves on", func() bool {
			data, _, err := first.Get("/counter")
			if err != nil {
				return false
			}
			value, _ := strconv.Atoi(string(data))
			return value >= goal
		})
		s.restart(t)
	}
	group.Wait()
	for i := 0; i < writers; i++ {
		check(t, <-failures)
	}
	data, stat, err := s.client(t).Get("/counter")
	check(t, err)
	if string(data) != strconv.Itoa(writers*each) || stat.Version != writers*each {
		t.Fatalf("%s after %d increments, version %d", data, writers*each, stat.Version)
	}
}

// increment raises the counter until the writer's own node, raised in the same transaction, says
// that it has done so often enough.
func increment(c *zk.Conn, own string, times int32) error {
	for end := time.Now().Add(2 * patience); time.Now().Before(end); {
		_, mine, err := c.Get(own)
		if err != nil {
			continue
		}
		if mine.Version == times {
			return nil
		}
		data, stat, err := c.Get("/counter")
		if err != nil {
			continue
		}
		value, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = c.Multi(
			&zk.SetDataRequest{Path: "/counter", Data: []byte(strconv.Itoa(value + 1)), Version: stat.Version},
			&zk.SetDataRequest{Path: own, Version: mine.Version},
		)
		switch err {
		case nil, zk.ErrBadVersion, zk.ErrConnectionClosed, zk.ErrNoServer:
		default:
			return err
		}
	}
	return fmt.Errorf("%s is not done", own)
}
