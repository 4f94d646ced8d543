package suite

import (
	"testing"

	"github.com/go-zookeeper/zk"
)

func TestDataWatch(t *testing.T) {
	c, other := shared.client(t), shared.client(t)
	path := root(t, c)
	_, _, watch, err := c.GetW(path)
	check(t, err)
	_, err = other.Set(path, []byte("1"), -1)
	check(t, err)
	expect(t, watch, zk.EventNodeDataChanged, path)
	// Once only: a second watch gets the next event, the first one nothing.
	data, _, again, err := c.GetW(path)
	check(t, err)
	if string(data) != "1" {
		t.Fatalf("after the event the data are %q", data)
	}
	create(t, other, path+"/child", "", zk.FlagPersistent)
	check(t, other.Delete(path+"/child", -1))
	expectNone(t, again)
	check(t, other.Delete(path, -1))
	expect(t, again, zk.EventNodeDeleted, path)
	_, _, _, err = c.GetW(path)
	checkError(t, err, zk.ErrNoNode)
}

func TestChildWatch(t *testing.T) {
	c, other := shared.client(t), shared.client(t)
	path := root(t, c)
	_, _, watch, err := c.ChildrenW(path)
	check(t, err)
	_, err = other.Set(path, []byte("not a child"), -1)
	check(t, err)
	create(t, other, path+"/child", "", zk.FlagPersistent)
	expect(t, watch, zk.EventNodeChildrenChanged, path)
	children, _, watch, err := c.ChildrenW(path)
	check(t, err)
	if len(children) != 1 || children[0] != "child" {
		t.Fatalf("%v", children)
	}
	// Neither a change of the child's data nor a grandchild.
	_, err = other.Set(path+"/child", []byte("x"), -1)
	check(t, err)
	create(t, other, path+"/child/grandchild", "", zk.FlagPersistent)
	check(t, other.Delete(path+"/child/grandchild", -1))
	check(t, other.Delete(path+"/child", -1))
	expect(t, watch, zk.EventNodeChildrenChanged, path)
	_, _, watch, err = c.ChildrenW(path)
	check(t, err)
	check(t, other.Delete(path, -1))
	expect(t, watch, zk.EventNodeDeleted, path)
}

func TestExistsWatch(t *testing.T) {
	c, other := shared.client(t), shared.client(t)
	path := root(t, c) + "/later"
	found, _, watch, err := c.ExistsW(path)
	check(t, err)
	if found {
		t.Fatal("a node that was not created")
	}
	create(t, other, path, "", zk.FlagPersistent)
	expect(t, watch, zk.EventNodeCreated, path)
	_, _, watch, err = c.ExistsW(path)
	check(t, err)
	_, err = other.Set(path, []byte("x"), -1)
	check(t, err)
	expect(t, watch, zk.EventNodeDataChanged, path)
	_, _, watch, err = c.ExistsW(path)
	check(t, err)
	check(t, other.Delete(path, -1))
	expect(t, watch, zk.EventNodeDeleted, path)
}

// A notified client can read the change: each of many watchers sees the new data after its event.
func TestWatchersSeeTheChange(t *testing.T) {
	const watchers = 20
	writer := shared.client(t)
	path := root(t, writer)
	failures := make(chan string, watchers)
	ready := make(chan struct{}, watchers)
	for i := 0; i < watchers; i++ {
		c := shared.client(t)
		go func() {
			_, _, watch, err := c.GetW(path)
			ready <- struct{}{}
			if err != nil {
				failures <- err.Error()
				return
			}
			event := <-watch
			data, _, err := c.Get(path)
			if err != nil || string(data) != "new" || event.Type != zk.EventNodeDataChanged {
				failures <- event.Type.String() + ", then " + string(data)
				return
			}
			failures <- ""
		}()
	}
	for i := 0; i < watchers; i++ {
		<-ready
	}
	_, err := writer.Set(path, []byte("new"), -1)
	check(t, err)
	for i := 0; i < watchers; i++ {
		if failure := <-failures; failure != "" {
			t.Error(failure)
		}
	}
}
