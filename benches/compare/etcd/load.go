package main

import (
	"context"
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// An etcd transaction holds this many operations by default.
const putsOfTransaction = 128

// A request, to a key of this number.
type request func(client *clientv3.Client, key string) error

func connect(s settings) ([]*clientv3.Client, error) {
	clients := make([]*clientv3.Client, s.connections)
	for i := range clients {
		config := clientv3.Config{
			Endpoints:   []string{s.server},
			DialTimeout: 10 * time.Second,
			Logger:      zap.NewNop(),
		}
		client, err := clientv3.New(config)
		if err != nil {
			return nil, err
		}
		clients[i] = client
	}
	return clients, nil
}

func key(s settings, number int) string {
	return fmt.Sprintf("%s/n%07d", s.root, number)
}

func prepare(s settings, client *clientv3.Client) error {
	value := strings.Repeat("x", s.size)
	for from := 0; from < s.nodes; from += putsOfTransaction {
		var puts []clientv3.Op
		for number := from; number < s.nodes && number < from+putsOfTransaction; number++ {
			puts = append(puts, clientv3.OpPut(key(s, number), value))
		}
		if _, err := client.Txn(context.Background()).Then(puts...).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Tries until a get is answered.
func ready(s settings) error {
	s.connections = 1
	begin := time.Now()
	for {
		clients, err := connect(s)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err = clients[0].Get(ctx, key(s, 0))
			cancel()
			clients[0].Close()
		}
		if err == nil {
			return nil
		}
		if time.Since(begin) > duration(s.seconds) {
			return fmt.Errorf("no answer: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func operation(s settings) (request, error) {
	value := strings.Repeat("y", s.size)
	get := func(options ...clientv3.OpOption) request {
		return func(client *clientv3.Client, key string) error {
			response, err := client.Get(context.Background(), key, options...)
			if err == nil && len(response.Kvs) != 1 {
				err = fmt.Errorf("%d values of %s", len(response.Kvs), key)
			}
			return err
		}
	}
	switch s.op {
	case "get":
		return get(clientv3.WithSerializable()), nil
	case "get-linear":
		return get(), nil
	case "set":
		return func(client *clientv3.Client, key string) error {
			_, err := client.Put(context.Background(), key, value)
			return err
		}, nil
	}
	return nil, fmt.Errorf("no operation %s", s.op)
}

const (
	warming int32 = iota
	measuring
	ended
)

// Requests in flight for the lifetime of the load.
type load struct {
	phase   int32
	begin   time.Time
	workers sync.WaitGroup
	found   sync.Mutex
	// Latencies of requests answered during the measurement, in ns.
	latencies []int64
	err       error
}

func newLoad(s settings, clients []*clientv3.Client, request request) *load {
	l := &load{}
	for i := 0; i < s.connections*s.pipeline; i++ {
		l.workers.Add(1)
		go l.work(s, clients[i%len(clients)], request, rand.New(rand.NewSource(int64(i))))
	}
	return l
}

func (l *load) work(s settings, client *clientv3.Client, request request, random *rand.Rand) {
	defer l.workers.Done()
	var latencies []int64
	var err error
	for err == nil && atomic.LoadInt32(&l.phase) != ended {
		begin := time.Now()
		err = request(client, key(s, random.Intn(s.nodes)))
		if atomic.LoadInt32(&l.phase) == measuring {
			latencies = append(latencies, int64(time.Since(begin)))
		}
	}
	l.found.Lock()
	defer l.found.Unlock()
	l.latencies = append(l.latencies, latencies...)
	if l.err == nil {
		l.err = err
	}
}

func (l *load) measure() {
	l.begin = time.Now()
	atomic.StoreInt32(&l.phase, measuring)
}

// The sorted latencies, and the duration of the measurement.
func (l *load) end() ([]int64, time.Duration, error) {
	atomic.StoreInt32(&l.phase, ended)
	elapsed := time.Since(l.begin)
	l.workers.Wait()
	sort.Slice(l.latencies, func(a, b int) bool { return l.latencies[a] < l.latencies[b] })
	return l.latencies, elapsed, l.err
}
