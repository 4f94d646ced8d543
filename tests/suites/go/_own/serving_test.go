package zk

import (
	"bytes"
	"time"
)

// allServe says whether each server says its mode. It stands in for FLWSrvr where the tests wait for their servers:
// that reads a date as ZooKeeper wrote it until 3.6, and so finds no newer server.
func allServe(servers []string, timeout time.Duration) (interface{}, bool) {
	for _, server := range servers {
		answer, err := fourLetterWord(server, "srvr", timeout)
		if err != nil || !bytes.Contains(answer, []byte("\nMode: ")) {
			return nil, false
		}
	}
	return nil, true
}
