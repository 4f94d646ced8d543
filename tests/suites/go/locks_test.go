package suite

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
)

// One holder at a time, and none is skipped.
func TestLock(t *testing.T) {
	const clients, rounds = 8, 15
	top := root(t, shared.client(t))
	var inside, entered int32
	var group sync.WaitGroup
	failures := make(chan error, clients)
	for i := 0; i < clients; i++ {
		c := shared.client(t)
		group.Add(1)
		go func() {
			defer group.Done()
			lock := zk.NewLock(c, top+"/deep/lock", everybody)
			for round := 0; round < rounds; round++ {
				if err := lock.Lock(); err != nil {
					failures <- err
					return
				}
				if atomic.AddInt32(&inside, 1) != 1 {
					t.Error("two hold the lock")
				}
				entered++
				atomic.AddInt32(&inside, -1)
				if err := lock.Unlock(); err != nil {
					failures <- err
					return
				}
			}
			failures <- nil
		}()
	}
	group.Wait()
	for i := 0; i < clients; i++ {
		check(t, <-failures)
	}
	if entered != clients*rounds {
		t.Fatalf("%d entries of %d", entered, clients*rounds)
	}
	children, _, err := shared.client(t).Children(top + "/deep/lock")
	check(t, err)
	if len(children) != 0 {
		t.Fatalf("left behind: %v", children)
	}
}

// The holder dies without closing: the next one gets the lock.
func TestLockOfAClosedSession(t *testing.T) {
	holder, next := shared.client(t), shared.client(t)
	path := root(t, next) + "/lock"
	first, second := zk.NewLock(holder, path, everybody), zk.NewLock(next, path, everybody)
	check(t, first.Lock())
	checkError(t, first.Lock(), zk.ErrDeadlock)
	done := make(chan error)
	go func() { done <- second.Lock() }()
	eventually(t, "the second stands in the queue", func() bool {
		children, _, err := next.Children(path)
		return err == nil && len(children) == 2
	})
	holder.Close()
	check(t, <-done)
	check(t, second.Unlock())
	checkError(t, second.Unlock(), zk.ErrNotLocked)
}

func TestConcurrentIncrements(t *testing.T) {
	const clients, rounds = 8, 40
	path := root(t, shared.client(t))
	var conflicts int32
	var group sync.WaitGroup
	for i := 0; i < clients; i++ {
		c := shared.client(t)
		group.Add(1)
		go func() {
			defer group.Done()
			for done := 0; done < rounds; {
				data, stat, err := c.Get(path)
				value, _ := strconv.Atoi(string(data))
				if err == nil {
					_, err = c.Set(path, []byte(strconv.Itoa(value+1)), stat.Version)
				}
				switch err {
				case nil:
					done++
				case zk.ErrBadVersion:
					atomic.AddInt32(&conflicts, 1)
				default:
					t.Error(err)
					return
				}
			}
		}()
	}
	group.Wait()
	data, stat, err := shared.client(t).Get(path)
	check(t, err)
	if string(data) != strconv.Itoa(clients*rounds) || stat.Version != clients*rounds {
		t.Fatalf("%s, version %d, %d conflicts", data, stat.Version, conflicts)
	}
}

func TestProtectedSequence(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	path, err := c.CreateProtectedEphemeralSequential(top+"/member-", []byte("x"), everybody)
	check(t, err)
	if !strings.HasPrefix(path, top+"/_c_") || !strings.HasSuffix(path, "member-0000000000") {
		t.Fatalf("created %s", path)
	}
	_, stat, err := c.Get(path)
	check(t, err)
	if stat.EphemeralOwner != c.SessionID() {
		t.Fatalf("%+v", stat)
	}
}

// Several applications below prefixes of their own: the same names, without interference.
func TestPrefixes(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	for _, name := range []string{"a", "b", "a.b", "\u00e9t\u00e9", "..."} {
		prefix := create(t, c, top+"/"+name, "", zk.FlagPersistent)
		create(t, c, prefix+"/same", name, zk.FlagPersistent)
	}
	for _, name := range []string{"a", "b", "a.b", "\u00e9t\u00e9", "..."} {
		data, _, err := c.Get(top + "/" + name + "/same")
		check(t, err)
		if string(data) != name {
			t.Fatalf("%s has %q", name, data)
		}
		check(t, c.Delete(top+"/"+name+"/same", -1))
	}
	synced, err := c.Sync(top)
	check(t, err)
	if synced != top {
		t.Fatalf("synced %s", synced)
	}
}
