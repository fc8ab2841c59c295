package process

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// childVariable in the environment makes the test's program a child.
const childVariable = "IMDGO_BENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	hang := make(chan struct{})
	_ = Serve(os.Stdin, os.Stdout, map[string]Handler{
		"double": On(func(n int) (int, error) { return 2 * n, nil }),
		"fail":   On(func(None) (None, error) { return None{}, errors.New("as asked") }),
		"hang":   On(func(None) (None, error) { <-hang; return None{}, nil }),
	})
}

func start(t *testing.T) *Process {
	t.Helper()
	p, err := Start("child", []string{os.Args[0]}, append(os.Environ(), childVariable+"=1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestChildAnswers(t *testing.T) {
	p := start(t)
	if got, err := Ask[int](context.Background(), p, "double", 21); got != 42 || err != nil {
		t.Errorf("answered %d, %v", got, err)
	}
	for op, want := range map[string]string{"fail": "as asked", "sing": `no request "sing"`, "double": "arguments"} {
		if _, err := Ask[int](context.Background(), p, op, None{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("asked to %s: %v, want %q in it", op, err, want)
		}
	}
}

func TestChildThatIsKilledAnswersNobody(t *testing.T) {
	p := start(t)
	asked := make(chan error)
	go func() {
		_, err := Ask[None](context.Background(), p, "hang", None{})
		asked <- err
	}()
	if _, err := Ask[int](context.Background(), p, "double", 1); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := <-asked; err == nil {
		t.Error("a child that was killed has answered")
	}
}

func TestChildEndsWithItsInput(t *testing.T) {
	p := start(t)
	p.End(time.Minute)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d: it was killed", code)
	}
}

func TestPatienceWithAnAnswerEnds(t *testing.T) {
	p := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := Ask[None](ctx, p, "hang", None{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestUsageIsOfThisProcess(t *testing.T) {
	u, err := Here()
	if err != nil || u.CPU <= 0 || u.Heap <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if sum := u.Add(u); sum.CPU != 2*u.CPU || sum.Heap != 2*u.Heap || sum.RSS != 2*u.RSS || sum.Mallocs != 2*u.Mallocs {
		t.Errorf("twice %+v is %+v", u, sum)
	}
}
