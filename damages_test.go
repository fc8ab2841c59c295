package imdgo_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo"
)

// damagesEnv is how many damages TestDamages tries, where that is to be more
// than its default.
const damagesEnv = "IMDGO_DAMAGES"

// files are the files of a data directory, by their paths below it.
func files(t *testing.T, dir string) (names []string, of map[string][]byte) {
	t.Helper()
	of = map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		of[path], err = os.ReadFile(filepath.Join(dir, path))
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names, of
}

// damage is one file changed in one way. Half of them are in raft.db, where
// most is to be mistaken for something else.
func damage(random *rand.Rand, names []string, of map[string][]byte) (name, what string, changed []byte) {
	name = names[random.IntN(len(names))]
	if random.IntN(2) == 0 {
		name = "raft.db"
	}
	changed = bytes.Clone(of[name])
	const page = 4096
	n := random.IntN((len(changed) + page - 1) / page)
	at := changed[n*page : min(len(changed), (n+1)*page)]
	where := random.IntN(len(at))
	if random.IntN(2) == 0 {
		where = random.IntN(min(len(at), 256))
	}
	switch random.IntN(6) {
	case 0:
		clear(at)
		return name, fmt.Sprintf("page %d is zero", n), changed
	case 1:
		for i := range at {
			at[i] = byte(random.Uint32())
		}
		return name, fmt.Sprintf("page %d is garbage", n), changed
	case 2:
		end := random.IntN(len(changed))
		return name, fmt.Sprintf("cut off at %d of %d", end, len(changed)), changed[:end]
	default:
		bit := random.IntN(8)
		at[where] ^= 1 << bit
		return name, fmt.Sprintf("bit %d at page %d + %d", bit, n, where), changed
	}
}

// However a file of a directory is damaged: New gives an error that names the
// directory, or the node has everything that was acknowledged and goes on.
func TestDamages(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := grown(t)
	names, of := files(t, dir)
	damages, err := strconv.Atoi(os.Getenv(damagesEnv))
	if err != nil {
		damages = 40
	}
	random := rand.New(rand.NewPCG(3, 4))
	outcomes := map[string]int{}
	for range damages {
		name, what, changed := damage(random, names, of)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for path, b := range of {
			if path == name {
				b = changed
			}
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		outcome, err := openDamaged(t.Context(), dir)
		if err != nil {
			t.Errorf("%s, %s: %v", name, what, err)
		}
		outcomes[filepath.Base(name)+" "+outcome]++
	}
	t.Logf("of %d: %v", damages, outcomes)
}

// openDamaged opens a directory, and returns an error if it is neither refused
// nor whole.
func openDamaged(ctx context.Context, dir string) (outcome string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := imdgo.New(imdgo.WithDataDir(dir), imdgo.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "remove") {
			return "unclear", fmt.Errorf("an error that does not say what to do where: %w", err)
		}
		return "refused", nil
	}
	defer c.Close()
	if err := c.Ready(ctx); err != nil {
		return "stuck", err
	}
	if v, ok := c.Get("last"); !ok || v != int64(1) || c.Count() != 11 {
		return "wrong", fmt.Errorf("the last write is %v, %v; %d entries", v, ok, c.Count())
	}
	for i := range 10 {
		if v, _ := c.Get(fmt.Sprint(i)); len(v.([]byte)) != 10_000 {
			return "wrong", fmt.Errorf("%d is %v", i, v)
		}
		if err := c.Set(fmt.Sprint(i), i); err != nil {
			return "wrong", err
		}
	}
	return "whole", nil
}
