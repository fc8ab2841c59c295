package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample is a report with something in every table and panel.
func sample() *Report {
	r := &Report{Command: "go run . -x '<&>'", Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: time.Minute,
		Machine: Machine{CPU: "a processor", Cores: 2, Memory: 8 << 30}, Versions: map[string]string{"b": "2", "a": "1"}, Setup: []string{"so"}}
	for i, system := range []string{"redis-wait", "nats", "imdgo", "etcd", "redis"} {
		for _, name := range []string{"set/leader/1", "set/leader/64", "set/leader/512", "set/follower/512", "read/follower/512", "get/follower/512"} {
			for round := range 3 {
				r.Add(name, system, PerSecond, float64(1000*(i+1)+round))
				r.Add(name, system, P50, float64(time.Millisecond)/float64(i+1))
			}
		}
		r.Add("lag", system, P50, 2e5)
		r.Add("large/5M", system, PerSecond, 1234)
	}
	for _, cache := range []string{"otter", "imdgo"} {
		r.Add("local/1", cache, Took, 50)
		r.Add("local/2", cache, Took, 40)
		r.Add("heap", cache, HeapBytes, 300)
		r.Add("heap", cache, LogBytes, 60)
	}
	r.Note("something\nwith more to it")
	return r
}

func TestMedianAndSpread(t *testing.T) {
	r := new(Report)
	for _, v := range []float64{5, 1, 9, 3} {
		r.Add("case", "imdgo", PerSecond, v)
	}
	f := r.Figures[0]
	if f.Median != 4 || f.Least != 1 || f.Most != 9 || len(r.Figures) != 1 {
		t.Errorf("%+v", f)
	}
	if Median([]float64{3, 1, 2}) != 2 || Median(nil) != 0 {
		t.Error("the median of an odd number is the middle one, of none 0")
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		got, want string
	}{
		{Duration(36.04), "36.0 ns"}, {Duration(999.7), "1.00 µs"}, {Duration(1.5e6), "1.50 ms"}, {Duration(2.1e9), "2.10 s"},
		{Count(9.5), "9.50"}, {Count(312_456), "312,000"}, {Count(1_234), "1,230"}, {Count(1_234_567), "1,230,000"},
		{Allocs.Words(0), "0"}, {Allocs.Words(1.5), "1.50"}, {HeapBytes.Words(268.4), "268 B"}, {OfACore.Words(1.234), "1.23 %"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTablesHoldAllFigures(t *testing.T) {
	var text, markdown bytes.Buffer
	if err := Text(&text, sample()); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Writes", "redis-wait", "3,000 – 3,000", "a 1, b 2", "300 B", "60 B", "Left out", "Figures to reach"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("the Markdown lacks %q:\n%s", want, &markdown)
		}
	}
	var columns int
	for line := range strings.Lines(markdown.String()) {
		n := strings.Count(line, "|")
		if n > 0 && columns > 0 && n != columns {
			t.Errorf("a row of %d cells in a table of %d: %s", n-1, columns-1, line)
		}
		columns = n
	}
}

func TestTargetsAreJudged(t *testing.T) {
	r := new(Report)
	r.Add("set/leader/512", "imdgo", PerSecond, 200_000)
	r.Add("set/leader/512", "etcd", PerSecond, 20_000)
	r.Add("set/leader/512", "nats", PerSecond, 30_000)
	r.Add("lag", "imdgo", P50, 4e5)
	want := [][]string{
		{"writes, leader, 512 callers", "10 times etcd", "10.0 times (200,000 to 20,000)", "reached"},
		{"", "8 times NATS", "6.7 times (200,000 to 30,000)", "missed"},
		{"", "aim: 300,000 a second", "200,000", "missed"},
		{"lag behind an idle leader, p50", "0.3 ms", "400 µs", "missed"},
	}
	if got := r.targetTable()[0].rows; !reflect.DeepEqual(got, want) {
		t.Errorf("judged %q, want %q", got, want)
	}
}

func TestPictureIsWellFormed(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sample(), "nothing": {}} {
		var out bytes.Buffer
		if err := SVG(&out, r); err != nil {
			t.Fatal(err)
		}
		rects := 0
		for in := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
			token, err := in.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, &out)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
				rects++
			}
		}
		if want := map[string]int{"sample": 1 + 2*(6*5+2*2), "nothing": 1}[name]; rects != want {
			t.Errorf("%s: %d rectangles, want %d", name, rects, want)
		}
	}
}

func TestBestBarIsOnTop(t *testing.T) {
	r := sample()
	names := func(p panel) (list []string) {
		for _, b := range r.bars(p) {
			list = append(list, b.name)
		}
		return list
	}
	if got := names(panels[0]); got[0] != "Redis" || got[4] != "Redis WAIT 1" {
		t.Errorf("writes a second: %q", got)
	}
	if got := names(panels[3]); got[0] != "Redis" || got[4] != "Redis WAIT 1" {
		t.Errorf("times: %q", got)
	}
}

func TestJSONIsReadBack(t *testing.T) {
	var out bytes.Buffer
	if err := sample().JSON(&out); err != nil {
		t.Fatal(err)
	}
	r, err := Read(&out)
	if err != nil || !reflect.DeepEqual(r, sample()) {
		t.Errorf("%v: read back %+v", err, r)
	}
}

func TestResultsGoBetweenTheMarks(t *testing.T) {
	document := "before\n" + MarkBegin + "\nold\n" + MarkEnd + "\nafter\n"
	want := "before\n" + MarkBegin + "\n\nnew\n\n" + MarkEnd + "\nafter\n"
	if got := Between(document, "new\n"); got != want || Between(got, "new") != want {
		t.Errorf("became %q", got)
	}
	if got := Between("no marks", "new"); got != "new" {
		t.Errorf("without marks it became %q", got)
	}
}
