package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func mustOpen(t *testing.T, dir string) *home {
	t.Helper()
	h, err := openHome(dir, "a:1")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closed(t *testing.T, h *home) {
	t.Helper()
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, h *home) (wire.Incarnation, wire.ClusterID) {
	t.Helper()
	inc, cluster, err := h.whose()
	if err != nil {
		t.Fatal(err)
	}
	return inc, cluster
}

// put makes what a life leaves in its directory.
func put(t *testing.T, h *home) {
	t.Helper()
	if err := os.WriteFile(h.logPath(), []byte("votes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.snapshotsPath(), 0o700); err != nil {
		t.Fatal(err)
	}
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A life that has a cluster goes on, one without is another every time, with
// nothing of the former one; whenever the process ends.
func TestLivesInADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "anew")
	h := mustOpen(t, dir)
	first, cluster := mustBe(t, h)
	if cluster != 0 {
		t.Errorf("a new directory is of cluster %s", cluster)
	}
	put(t, h)
	closed(t, h) // before it had a cluster

	h = mustOpen(t, dir)
	second, _ := mustBe(t, h)
	if second == first || isThere(h.logPath()) || isThere(h.snapshotsPath()) {
		t.Errorf("a life without a cluster goes on")
	}
	put(t, h)
	const id = wire.ClusterID(77)
	if h.attach(first, id) == nil {
		t.Error("a life that has ended is one of a cluster")
	}
	if err := h.attach(second, id); err != nil {
		t.Fatal(err)
	}
	closed(t, h)

	h = mustOpen(t, dir)
	if inc, cluster := mustBe(t, h); inc != second || cluster != id || !isThere(h.logPath()) {
		t.Errorf("it is %s in %s, with a log: %v", inc, cluster, isThere(h.logPath()))
	}
	h.renounce()
	third, cluster := mustBe(t, h)
	if third == second || cluster != 0 || isThere(h.logPath()) || isThere(h.snapshotsPath()) {
		t.Errorf("a life that was renounced goes on")
	}
	if h.attach(second, id) == nil {
		t.Error("a life that was renounced is one of a cluster")
	}
	put(t, h)
	if err := h.forget(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	closed(t, h)
}

// An identity is the former or the next one, also when the process ends while
// it is written.
func TestIdentityIsWrittenWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	want := identityOf("a:1", 5, 7)
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".next", []byte(`{"format": 1, "na`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readIdentity(path); err != nil || got.sum() != want.sum() {
		t.Errorf("%+v, %v", got, err)
	}
	want = identityOf("a:1", 6, 0)
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := readIdentity(path); err != nil || got.sum() != want.sum() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, damaged := range []string{"", "{}", `{"format":1,"name":"a:1","incarnation":"5"}`, `{"format":1,"incarnation":"0000000000000000"}`,
		`{"format":1,"incarnation":"0000000000000005","cluster":"x"}`, `{"format":2,"incarnation":"0000000000000005"}`} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readIdentity(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", damaged, err)
		}
	}
}
