// Load measures get and put of an etcd server and writes the results under the names that
// `ringkeeper bench --json` uses, so that one report shows both.
//
// It does only what the comparison needs: a closed loop over keys drawn at random, each client with
// a connection of its own. It ends at the first error, because figures of a run with errors are
// meaningless.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

type settings struct {
	server      string
	op          string
	connections int
	pipeline    int
	size        int
	nodes       int
	root        string
	seconds     float64
	warmup      float64
	pid         int
	json        string
	prepareOnly bool
}

func main() {
	var s settings
	flag.StringVar(&s.server, "server", "127.0.0.1:2379", "host:port")
	flag.StringVar(&s.op, "op", "get", "get (serializable), get-linear, set, or ready: one get and the time until it is answered")
	flag.IntVar(&s.connections, "connections", 64, "clients")
	flag.IntVar(&s.pipeline, "pipeline", 1, "requests in flight of each client")
	flag.IntVar(&s.size, "size", 100, "bytes of a value")
	flag.IntVar(&s.nodes, "nodes", 10000, "keys")
	flag.StringVar(&s.root, "root", "/bench", "what keys begin with")
	flag.Float64Var(&s.seconds, "seconds", 10, "how long to measure; ready: how long to try")
	flag.Float64Var(&s.warmup, "warmup", 2, "how long to run before")
	flag.IntVar(&s.pid, "pid", 0, "the server's process")
	flag.StringVar(&s.json, "json", "", "write the results to this file")
	flag.BoolVar(&s.prepareOnly, "prepare-only", false, "put the keys and measure nothing")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	if s.op == "ready" {
		return ready(s)
	}
	clients, err := connect(s)
	if err != nil {
		return err
	}
	defer func() {
		for _, client := range clients {
			client.Close()
		}
	}()
	if s.prepareOnly {
		return prepare(s, clients[0])
	}
	request, err := operation(s)
	if err != nil {
		return err
	}
	load := newLoad(s, clients, request)
	time.Sleep(duration(s.warmup))
	before, err := readUsed(s.pid)
	if err != nil {
		return err
	}
	load.measure()
	time.Sleep(duration(s.seconds))
	latencies, elapsed, err := load.end()
	if err != nil {
		return err
	}
	after, err := readUsed(s.pid)
	if err != nil {
		return err
	}
	return report(s, latencies, elapsed, after.since(before))
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
