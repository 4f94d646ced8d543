package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A tick of /proc/PID/stat, the same on every common Linux.
const tickUs = 10_000

// CPU time in us: of the server, of this process, and of the whole machine, busy and total.
type used struct{ server, own, busy, all float64 }

func (u used) since(before used) used {
	return used{u.server - before.server, u.own - before.own, u.busy - before.busy, u.all - before.all}
}

func readUsed(pid int) (used, error) {
	var u used
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return u, err
	}
	u.own = float64(own.Utime.Nano()+own.Stime.Nano()) / 1e3
	machine, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u, err
	}
	// user nice system idle iowait irq softirq steal; guests are in user already.
	for i, word := range strings.Fields(strings.SplitN(string(machine), "\n", 2)[0])[1:9] {
		ticks, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return u, err
		}
		u.all += ticks * tickUs
		if i != 3 && i != 4 {
			u.busy += ticks * tickUs
		}
	}
	if pid == 0 {
		return u, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The name of a process may hold spaces; it ends at the last parenthesis.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return u, errors.New("the server's stat is short")
	}
	for _, word := range fields[11:13] {
		ticks, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return u, err
		}
		u.server += ticks * tickUs
	}
	return u, nil
}

func report(s settings, latencies []int64, seconds interface{ Seconds() float64 }, u used) error {
	ops := float64(len(latencies))
	if ops == 0 {
		return errors.New("nothing was answered")
	}
	name := strings.TrimSuffix(s.op, "-linear")
	lines := []string{}
	add := func(name string, value interface{}) {
		text, _ := json.Marshal(value)
		lines = append(lines, fmt.Sprintf("  %q: %s", name, text))
	}
	add("op", s.op)
	add("server", s.server)
	add("connections", s.connections)
	add("pipeline", s.pipeline)
	add("size_bytes", s.size)
	add("nodes", s.nodes)
	add("unit", "op")
	add("ops", len(latencies))
	add("seconds", rounded(seconds.Seconds(), 6))
	add("ops_per_s", rounded(ops/seconds.Seconds(), 1))
	for _, q := range []struct {
		word  string
		share float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}, {"max", 1}} {
		at := int(math.Ceil(ops*q.share)) - 1
		add(name+"_us_"+q.word, rounded(float64(latencies[at])/1e3, 1))
	}
	add("generator_cpu_us_per_op", rounded(u.own/ops, 4))
	if s.pid != 0 {
		add("server_cpu_us_per_op", rounded(u.server/ops, 4))
		add("others_share", rounded(math.Max(0, u.busy-u.server-u.own)/math.Max(1, u.all), 4))
	}
	add("errors", 0)
	text := "{\n" + strings.Join(lines, ",\n") + "\n}\n"
	if s.json == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(s.json, []byte(text), 0o644)
}

func rounded(value float64, digits int) float64 {
	unit := math.Pow(10, float64(digits))
	return math.Round(value*unit) / unit
}
