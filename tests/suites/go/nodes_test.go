package suite

import (
	"bytes"
	"fmt"
	"reflect"
	"sort"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestCreateGetSetDelete(t *testing.T) {
	c := shared.client(t)
	path := root(t, c) + "/node"
	if created := create(t, c, path, "one", zk.FlagPersistent); created != path {
		t.Fatalf("created %s", created)
	}
	_, err := c.Create(path, nil, zk.FlagPersistent, everybody)
	checkError(t, err, zk.ErrNodeExists)
	data, stat, err := c.Get(path)
	check(t, err)
	if string(data) != "one" || stat.Version != 0 || stat.DataLength != 3 || stat.Czxid != stat.Mzxid {
		t.Fatalf("%q %+v", data, stat)
	}
	changed, err := c.Set(path, []byte("three"), 0)
	check(t, err)
	if changed.Version != 1 || changed.DataLength != 5 || changed.Mzxid <= stat.Mzxid || changed.Czxid != stat.Czxid {
		t.Fatalf("%+v after %+v", changed, stat)
	}
	_, err = c.Set(path, nil, 0)
	checkError(t, err, zk.ErrBadVersion)
	create(t, c, path+"/child", "", zk.FlagPersistent)
	checkError(t, c.Delete(path, -1), zk.ErrNotEmpty)
	check(t, c.Delete(path+"/child", 0))
	_, stat, err = c.Exists(path)
	check(t, err)
	if stat.NumChildren != 0 || stat.Cversion != 2 || stat.Version != 1 {
		t.Fatalf("%+v", stat)
	}
	checkError(t, c.Delete(path, 0), zk.ErrBadVersion)
	check(t, c.Delete(path, 1))
	checkError(t, c.Delete(path, -1), zk.ErrNoNode)
	_, _, err = c.Get(path)
	checkError(t, err, zk.ErrNoNode)
	_, err = c.Create(path+"/child", nil, zk.FlagPersistent, everybody)
	checkError(t, err, zk.ErrNoNode)
}

func TestSequence(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	for i := 0; i < 12; i++ {
		created := create(t, c, top+"/job-", "", zk.FlagSequence)
		if wanted := fmt.Sprintf("%s/job-%010d", top, i); created != wanted {
			t.Fatalf("created %s, wanted %s", created, wanted)
		}
		// The number of a deleted node is not reused.
		if i%2 == 0 {
			check(t, c.Delete(created, -1))
		}
	}
	children, _, err := c.Children(top)
	check(t, err)
	if len(children) != 6 {
		t.Fatalf("%v", children)
	}
	bare := create(t, c, top+"/", "", zk.FlagEphemeral|zk.FlagSequence)
	if len(bare) != len(top)+1+10 {
		t.Fatalf("created %s", bare)
	}
}

func TestEphemerals(t *testing.T) {
	c := shared.client(t)
	path := root(t, c) + "/mine"
	owner := shared.client(t)
	create(t, owner, path, "", zk.FlagEphemeral)
	_, stat, err := c.Get(path)
	check(t, err)
	if stat.EphemeralOwner != owner.SessionID() {
		t.Fatalf("owner %x, session %x", stat.EphemeralOwner, owner.SessionID())
	}
	_, err = owner.Create(path+"/child", nil, zk.FlagPersistent, everybody)
	checkError(t, err, zk.ErrNoChildrenForEphemerals)
	_, _, gone, err := c.ExistsW(path)
	check(t, err)
	owner.Close()
	expect(t, gone, zk.EventNodeDeleted, path)
	if exists(t, c, path) {
		t.Fatal("the ephemeral outlived its session")
	}
}

func TestMulti(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	results, err := c.Multi(
		&zk.CreateRequest{Path: top + "/a", Data: []byte("1"), Acl: everybody},
		&zk.CreateRequest{Path: top + "/s-", Acl: everybody, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: top + "/a", Data: []byte("2"), Version: 0},
		&zk.CheckVersionRequest{Path: top + "/a", Version: 1},
		&zk.DeleteRequest{Path: top + "/a", Version: 1},
		&zk.CreateRequest{Path: top + "/b", Acl: everybody},
	)
	check(t, err)
	if len(results) != 6 || results[0].String != top+"/a" || results[1].String != top+"/s-0000000001" ||
		results[2].Stat == nil || results[2].Stat.Version != 1 {
		t.Fatalf("%+v", results)
	}
	_, stat, err := c.Get(top + "/b")
	check(t, err)
	_, parent, err := c.Exists(top)
	check(t, err)
	if stat.Czxid != parent.Pzxid || parent.NumChildren != 2 || parent.Cversion != 4 {
		t.Fatalf("%+v %+v", stat, parent)
	}
	// All or nothing: the third fails, so the two before it have no effect.
	results, err = c.Multi(
		&zk.CreateRequest{Path: top + "/c", Acl: everybody},
		&zk.SetDataRequest{Path: top + "/b", Data: []byte("x"), Version: -1},
		&zk.CheckVersionRequest{Path: top + "/b", Version: 7},
		&zk.DeleteRequest{Path: top + "/b", Version: -1},
	)
	checkError(t, err, zk.ErrBadVersion)
	if len(results) != 4 || results[2].Error != zk.ErrBadVersion {
		t.Fatalf("%+v", results)
	}
	data, after, err := c.Get(top + "/b")
	check(t, err)
	if len(data) != 0 || *after != *stat || exists(t, c, top+"/c") {
		t.Fatalf("a part of a failed multi stayed: %q %+v", data, after)
	}
}

func TestACL(t *testing.T) {
	c, stranger := shared.client(t), shared.client(t)
	path := root(t, c) + "/locked"
	check(t, c.AddAuth("digest", []byte("ann:secret")))
	acl := append(zk.DigestACL(zk.PermAll, "ann", "secret"), zk.WorldACL(zk.PermRead)...)
	_, err := c.Create(path, []byte("x"), zk.FlagPersistent, acl)
	check(t, err)
	found, stat, err := c.GetACL(path)
	check(t, err)
	if !reflect.DeepEqual(found, acl) || stat.Aversion != 0 {
		t.Fatalf("%+v %+v", found, stat)
	}
	_, err = stranger.Set(path, nil, -1)
	checkError(t, err, zk.ErrNoAuth)
	_, err = stranger.Create(path+"/child", nil, 0, everybody)
	checkError(t, err, zk.ErrNoAuth)
	_, _, err = stranger.Get(path)
	check(t, err)
	stat, err = c.SetACL(path, zk.DigestACL(zk.PermAll, "ann", "secret"), 0)
	check(t, err)
	if stat.Aversion != 1 {
		t.Fatalf("%+v", stat)
	}
	_, err = c.SetACL(path, acl, 0)
	checkError(t, err, zk.ErrBadVersion)
	_, _, err = stranger.Get(path)
	checkError(t, err, zk.ErrNoAuth)
	_, err = stranger.SetACL(path, everybody, -1)
	checkError(t, err, zk.ErrNoAuth)
	check(t, stranger.AddAuth("digest", []byte("ann:wrong")))
	_, _, err = stranger.Get(path)
	checkError(t, err, zk.ErrNoAuth)
	check(t, stranger.AddAuth("digest", []byte("ann:secret")))
	_, _, err = stranger.Get(path)
	check(t, err)
	_, err = c.Create(path+"/none", nil, 0, nil)
	checkError(t, err, zk.ErrInvalidACL)
	mine, err := c.Create(path+"/auth", nil, 0, zk.AuthACL(zk.PermAll))
	check(t, err)
	found, _, err = c.GetACL(mine)
	check(t, err)
	if !reflect.DeepEqual(found, zk.DigestACL(zk.PermAll, "ann", "secret")) {
		t.Fatalf("auth became %+v", found)
	}
}

func TestManyChildren(t *testing.T) {
	const count = 5000
	c := shared.client(t)
	top := root(t, c)
	wanted := make([]string, count)
	for begin := 0; begin < count; begin += 100 {
		var operations []interface{}
		for i := begin; i < begin+100; i++ {
			wanted[i] = fmt.Sprintf("child-with-a-rather-long-name-%05d", i)
			operations = append(operations, &zk.CreateRequest{Path: top + "/" + wanted[i], Acl: everybody})
		}
		_, err := c.Multi(operations...)
		check(t, err)
	}
	children, stat, err := c.Children(top)
	check(t, err)
	sort.Strings(children)
	if !reflect.DeepEqual(children, wanted) || stat.NumChildren != count || stat.Cversion != count {
		t.Fatalf("%d children, %+v", len(children), stat)
	}
	check(t, c.Delete(top+"/"+wanted[0], -1))
	children, stat, err = c.Children(top)
	check(t, err)
	if len(children) != count-1 || stat.NumChildren != count-1 {
		t.Fatalf("%d children, %+v", len(children), stat)
	}
}

func TestLargeData(t *testing.T) {
	c := shared.client(t)
	path := root(t, c)
	for _, size := range []int{0, 1, 1023, 1024, 1025, 16384, 16385, 500000, 1000000} {
		data := bytes.Repeat([]byte{byte(size), 7, 0}, size/3+1)[:size]
		_, err := c.Set(path, data, -1)
		check(t, err)
		found, stat, err := c.Get(path)
		check(t, err)
		if !bytes.Equal(found, data) || int(stat.DataLength) != size {
			t.Fatalf("%d bytes came back as %d", size, len(found))
		}
	}
}

func TestContainers(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	path, err := c.CreateContainer(top+"/container", nil, zk.FlagContainer, everybody)
	check(t, err)
	empty, err := c.CreateContainer(top+"/never-used", nil, zk.FlagContainer, everybody)
	check(t, err)
	_, _, gone, err := c.ExistsW(path)
	check(t, err)
	create(t, c, path+"/child", "", zk.FlagPersistent)
	check(t, c.Delete(path+"/child", -1))
	expect(t, gone, zk.EventNodeDeleted, path)
	if !exists(t, c, empty) {
		t.Fatal("a container that never had a child is gone")
	}
}

func TestTTL(t *testing.T) {
	c := shared.client(t)
	top := root(t, c)
	short, err := c.CreateTTL(top+"/short", nil, zk.FlagTTL, everybody, 100*time.Millisecond)
	check(t, err)
	long, err := c.CreateTTL(top+"/long", nil, zk.FlagTTL, everybody, time.Hour)
	check(t, err)
	numbered, err := c.CreateTTL(top+"/n-", nil, zk.FlagPersistentSequentialWithTTL, everybody, time.Hour)
	check(t, err)
	if numbered != top+"/n-0000000002" {
		t.Fatalf("created %s", numbered)
	}
	parent, err := c.CreateTTL(top+"/parent", nil, zk.FlagTTL, everybody, 3*time.Second)
	check(t, err)
	create(t, c, parent+"/child", "", zk.FlagPersistent)
	_, _, gone, err := c.ExistsW(short)
	check(t, err)
	if exists(t, c, short) {
		expect(t, gone, zk.EventNodeDeleted, short)
	}
	if !exists(t, c, long) || !exists(t, c, parent) {
		t.Fatal("a node is gone before its time, or under its child")
	}
	check(t, c.Delete(parent+"/child", -1))
	eventually(t, "an old node without children goes", func() bool { return !exists(t, c, parent) })
}
