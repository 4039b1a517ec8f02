// Driver of the X-Ray SDK for Go (github.com/aws/aws-xray-sdk-go). It reads AWS_XRAY_DAEMON_ADDRESS.
// Arguments and lines are those of tests/samplers/python/schedule.py.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-xray-sdk-go/strategy/sampling"
)

type ten struct {
	Path     string         `json:"path"`
	FromMs   int64          `json:"from_ms"`
	Requests int            `json:"requests"`
	Sampled  int            `json:"sampled"`
	Rules    map[string]int `json:"rules"`
	At       []int64        `json:"at"`
	Yes      string         `json:"yes"`
	yes      bytes.Buffer
}

func fresh(path string, nowMs int64) *ten {
	return &ten{Path: path, FromMs: nowMs, Rules: map[string]int{}, At: []int64{}}
}

func (t *ten) print() {
	t.Yes = t.yes.String()
	line, err := json.Marshal(t)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	if len(os.Args) < 8 {
		log.Fatal("ADDRESS SERVICE SECONDS RATE HOST METHOD PATH...")
	}
	service, host, method, paths := os.Args[2], os.Args[5], os.Args[6], os.Args[7:]
	strategy, err := sampling.NewCentralizedStrategy()
	if err != nil {
		log.Fatal(err)
	}
	stepMs := 1000 / (number(os.Args[4]) * float64(len(paths)))
	count := int(number(os.Args[3]) * 1000 / stepMs)
	begin := time.Now().UnixMilli()
	flushAt := begin + 10000
	tens := map[string]*ten{}
	for _, path := range paths {
		tens[path] = fresh(path, begin)
	}
	for i := 0; i < count; i++ {
		if wait := begin + int64(float64(i)*stepMs) - time.Now().UnixMilli(); wait > 0 {
			time.Sleep(time.Duration(wait) * time.Millisecond)
		}
		now := time.Now().UnixMilli()
		t := tens[paths[i%len(paths)]]
		decision := strategy.ShouldTrace(&sampling.Request{Host: host, Method: method, URL: t.Path, ServiceName: service})
		t.At = append(t.At, now-t.FromMs)
		t.Requests++
		if decision.Sample {
			t.Sampled++
			t.yes.WriteByte('1')
		} else {
			t.yes.WriteByte('0')
		}
		if decision.Rule != nil {
			t.Rules[*decision.Rule]++
		}
		if now >= flushAt || i == count-1 {
			for _, path := range paths {
				tens[path].print()
				tens[path] = fresh(path, now)
			}
			flushAt += 10000
		}
	}
}
