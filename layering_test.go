package imdgo_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"iter"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/inelpandzic/imdgo"
)

// The house, see the table: data flows down, nothing reaches back up.

const module = "github.com/inelpandzic/imdgo"

// floors says how high each package stands, by its directory; a name that ends
// in /... is for all below it. What is not here belongs nowhere yet, and fails.
// What is here need not exist.
var floors = map[string]int{
	"cmd/imdgo":    4,
	"examples/...": 4,
	"admin":        4,
	"imdgotest":    4,

	".": 3,

	"internal/node": 2,

	"fsm":     1,
	"forward": 1,

	"eviction":          0,
	"snapshot":          0,
	"internal/appends":  0,
	"internal/command":  0,
	"internal/logstore": 0,
	"internal/memory":   0,
	"internal/members":  0,
	"internal/value":    0,
	"internal/wire":     0,
}

// sideways are the imports within one floor that are meant, and why.
var sideways = map[[2]string]string{}

// pkg is what `go list` says of a package.
type pkg struct {
	Dir          string
	ImportPath   string
	Name         string
	Standard     bool
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	Deps         []string
}

// place is the directory of one of our packages, false for those of others.
func place(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func floorOf(dir string) (int, bool) {
	if f, ok := floors[dir]; ok {
		return f, true
	}
	for d := dir; d != "."; d = path.Dir(d) {
		if f, ok := floors[d+"/..."]; ok {
			return f, true
		}
	}
	return 0, false
}

// everything is what all our packages need, listed once.
var everything = sync.OnceValues(func() (map[string]*pkg, error) {
	return list("list", "-deps", "-json=Dir,ImportPath,Name,Standard,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps", "./...")
})

func list(args ...string) (map[string]*pkg, error) {
	cmd := exec.Command("go", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	found := make(map[string]*pkg)
	for in := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := in.Decode(p); err == io.EOF {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		found[p.ImportPath] = p
	}
}

// listed returns every package that is linked somewhere, and ours among them
// by directory.
func listed(t *testing.T) (all, ours map[string]*pkg) {
	t.Helper()
	all, err := everything()
	if err != nil {
		t.Fatal(err)
	}
	ours = make(map[string]*pkg)
	for importPath, p := range all {
		if dir, ok := place(importPath); ok {
			ours[dir] = p
		}
	}
	if len(ours) < 5 {
		t.Fatalf("only %d packages are ours: %v", len(ours), slices.Collect(maps.Keys(ours)))
	}
	return all, ours
}

func TestFloors(t *testing.T) {
	_, ours := listed(t)
	for dir, p := range ours {
		floor, ok := floorOf(dir)
		if !ok {
			t.Errorf("%s stands nowhere: give it a floor in layering_test.go", dir)
			continue
		}
		for _, importPath := range p.Imports {
			below, ok := place(importPath)
			if !ok {
				continue
			}
			f, ok := floorOf(below)
			switch {
			case !ok: // reported for itself
			case f > floor:
				t.Errorf("%s (floor %d) imports %s (floor %d), which is above it", dir, floor, below, f)
			case f == floor && sideways[[2]string{dir, below}] == "":
				t.Errorf("%s imports %s, which is on its own floor %d: list it with the reason, or do not", dir, below, f)
			}
		}
	}
}

// testOnly are the packages that have no business in a program.
var testOnly = []string{"testing", "testing/", "github.com/stretchr/testify", "go.uber.org/goleak"}

func isTestOnly(importPath string) bool {
	return slices.ContainsFunc(testOnly, func(p string) bool {
		return importPath == p || strings.HasPrefix(importPath, strings.TrimSuffix(p, "/")+"/")
	})
}

// TestNoTestingInTheProduct: none of our packages but imdgotest imports what is
// for tests.
//
// Programs that use imdgo link the package testing all the same: hashicorp/raft
// has a file testing.go that is no test. So the first claim is of what our
// packages import themselves, and the second that raft is the only way by which
// testing comes in, and that nothing else of the kind does.
func TestNoTestingInTheProduct(t *testing.T) {
	const raft = "github.com/hashicorp/raft"
	all, ours := listed(t)
	for dir, p := range ours {
		for _, importPath := range p.Imports {
			if isTestOnly(importPath) && dir != "imdgotest" {
				t.Errorf("%s imports %s", dir, importPath)
			}
		}
	}
	for _, dir := range []string{".", "cmd/imdgo"} {
		p, ok := ours[dir]
		if !ok {
			t.Errorf("there is no package %s", dir)
			continue
		}
		for _, dep := range p.Deps {
			if isTestOnly(dep) && dep != "testing" {
				t.Errorf("%s links %s", dir, dep)
			}
			if d := all[dep]; d != nil && !d.Standard && dep != raft && slices.Contains(d.Imports, "testing") {
				t.Errorf("%s links testing, through %s", dir, dep)
			}
		}
	}
	if !slices.Contains(all[raft].Imports, "testing") {
		t.Errorf("%s imports testing no more: nothing is left to tolerate, make this test strict", raft)
	}
}

// TestNoTestClustersInCommands: programs have no business with imdgotest.
func TestNoTestClustersInCommands(t *testing.T) {
	_, ours := listed(t)
	for dir, p := range ours {
		if dir != "imdgotest" && slices.Contains(p.Deps, module+"/imdgotest") {
			t.Errorf("%s links imdgotest", dir)
		}
	}
}

// parsed returns the files of a package that are built into programs.
func parsed(t *testing.T, p *pkg) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return fset, files
}

// TestStateMachineIsPure: the same log must make the same state on every node,
// so the state machine has no time, chance, goroutine or socket of its own. One
// file has a seed, of the hash by which a node's index finds an entry: no part of
// the state, and nobody is to choose keys of one hash.
func TestStateMachineIsPure(t *testing.T) {
	const seeded, seed = "fsm/keyhash.go", "imports hash/maphash"
	_, ours := listed(t)
	allowed := []string{"time.Duration"} // a type, for spans of the cluster's time
	for _, dir := range []string{"fsm", "internal/command", "eviction"} {
		p, ok := ours[dir]
		if !ok {
			if dir == "eviction" {
				continue // it is not there yet
			}
			t.Fatalf("there is no package %s", dir)
		}
		fset, files := parsed(t, p)
		for _, f := range files {
			for _, what := range impurities(f, allowed) {
				if what.what == seed && dir+"/"+filepath.Base(fset.Position(what.pos).Filename) == seeded {
					continue
				}
				t.Errorf("%s: %s", fset.Position(what.pos), what.what)
			}
		}
	}
}

type finding struct {
	pos  token.Pos
	what string
}

// impurities finds what makes a file's behaviour depend on more than its input.
func impurities(f *ast.File, allowed []string) (found []finding) {
	for _, spec := range f.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		switch strings.Split(importPath, "/")[0] {
		case "net", "os", "syscall", "context", "log":
			found = append(found, finding{spec.Pos(), "imports " + importPath})
		}
		if strings.HasPrefix(importPath, "math/rand") || importPath == "crypto/rand" || importPath == "hash/maphash" {
			found = append(found, finding{spec.Pos(), "imports " + importPath})
		}
		if spec.Name != nil && importPath == "time" {
			found = append(found, finding{spec.Pos(), "imports time under another name, which this test cannot see through"})
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, finding{n.Pos(), "starts a goroutine"})
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && !isTimeUnit(n.Sel.Name) && !slices.Contains(allowed, "time."+n.Sel.Name) {
				found = append(found, finding{n.Pos(), "uses time." + n.Sel.Name})
			}
		}
		return true
	})
	return found
}

func isTimeUnit(name string) bool {
	return slices.Contains([]string{"Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}, name)
}

// TestImpurities: the test above would notice.
func TestImpurities(t *testing.T) {
	const source = `package p
import ("math/rand/v2"; "net"; "time")
var a, b = time.Now(), time.Second
func f(d time.Duration) { go f(d); time.Sleep(d) }`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, what := range impurities(f, []string{"time.Duration"}) {
		got = append(got, what.what)
	}
	want := []string{"imports math/rand/v2", "imports net", "uses time.Now", "starts a goroutine", "uses time.Sleep"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestDocumented: every package has a comment, once, and so has every exported
// name.
func TestDocumented(t *testing.T) {
	_, ours := listed(t)
	for dir, p := range ours {
		fset, files := parsed(t, p)
		var comments []string
		for _, f := range files {
			if f.Doc != nil {
				comments = append(comments, filepath.Base(fset.Position(f.Pos()).Filename))
			}
		}
		if len(comments) != 1 {
			t.Errorf("package %s has comments in %q, it wants one", dir, comments)
		}
		if p.Name == "main" {
			continue
		}
		d, err := doc.NewFromFiles(fset, files, p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range undocumented(d) {
			t.Errorf("%s.%s has no comment", dir, name)
		}
	}
}

// undocumented are the exported names without a comment. One comment may be for
// a group of constants or variables, and a method may go without that only
// implements error or fmt.Stringer.
func undocumented(d *doc.Package) (names []string) {
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, spec := range v.Decl.Specs {
				s := spec.(*ast.ValueSpec)
				for _, name := range s.Names {
					if name.IsExported() && v.Doc == "" && s.Doc == nil && s.Comment == nil {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	funcs := func(receiver string, list []*doc.Func) {
		for _, f := range list {
			if f.Doc == "" {
				names = append(names, receiver+f.Name)
			}
		}
	}
	values(d.Consts)
	values(d.Vars)
	funcs("", d.Funcs)
	for _, typ := range d.Types {
		if typ.Doc == "" {
			names = append(names, typ.Name)
		}
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
	}
	return names
}

// TestEveryMethodHasAnExample: the examples are the tutorial.
func TestEveryMethodHasAnExample(t *testing.T) {
	_, ours := listed(t)
	fset, files := parsed(t, ours["."])
	examples, err := parser.ParseFile(fset, "example_test.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, e := range doc.Examples(examples) {
		there[e.Name] = true
	}
	d, err := doc.NewFromFiles(fset, files, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range d.Types {
		if typ.Name != "Cache" && typ.Name != "Map" {
			continue
		}
		for _, m := range append(typ.Methods, typ.Funcs...) {
			name := m.Name
			if m.Recv != "" {
				name = typ.Name + "_" + m.Name
			}
			if !there[name] {
				t.Errorf("there is no Example%s", name)
			}
		}
	}
}

// The names of the public face, with their types: what does not compile here
// has changed for users.
var (
	_ func(...imdgo.Option) (*imdgo.Cache, error) = imdgo.New
	_ imdgo.Option                                = &imdgo.Config{Members: []string(nil), LogLevel: "", Logger: hclog.Logger(nil)}
	_ *imdgo.Store                                = (*imdgo.Cache)(nil)

	_ func(...string) imdgo.Option         = imdgo.WithMembers
	_ func(string) imdgo.Option            = imdgo.WithBindAddr
	_ func(string) imdgo.Option            = imdgo.WithAdvertiseAddr
	_ func(string) imdgo.Option            = imdgo.WithDataDir
	_ func(float64) imdgo.Option           = imdgo.WithMemoryPercent
	_ func(int64) imdgo.Option             = imdgo.WithMemoryLimit
	_ func(time.Duration) imdgo.Option     = imdgo.WithDefaultTTL
	_ func(time.Duration) imdgo.Option     = imdgo.WithTimeout
	_ func(*tls.Config) imdgo.Option       = imdgo.WithTLS
	_ func(*slog.Logger) imdgo.Option      = imdgo.WithLogger
	_ func(int) imdgo.Option               = imdgo.WithMaxValueSize
	_ func(imdgo.Network) imdgo.Option     = imdgo.WithNetwork
	_ func(imdgo.Clock) imdgo.Option       = imdgo.WithClock
	_ interface{ Now() time.Time }         = imdgo.Clock(nil)
	_ interface{ Elapsed() time.Duration } = imdgo.Clock(nil)

	_ func(*imdgo.Cache, context.Context) error                                                                           = (*imdgo.Cache).Ready
	_ func(*imdgo.Cache, string) (any, bool)                                                                              = (*imdgo.Cache).Get
	_ func(*imdgo.Cache, string, any, ...imdgo.WriteOption) error                                                         = (*imdgo.Cache).Set
	_ func(*imdgo.Cache, string) error                                                                                    = (*imdgo.Cache).Delete
	_ func(*imdgo.Cache) int                                                                                              = (*imdgo.Cache).Count
	_ func(*imdgo.Cache) imdgo.Stats                                                                                      = (*imdgo.Cache).Stats
	_ func(*imdgo.Cache) (index, hash uint64)                                                                             = (*imdgo.Cache).StateHash
	_ func(*imdgo.Cache, context.Context) error                                                                           = (*imdgo.Cache).Leave
	_ func(*imdgo.Cache) error                                                                                            = (*imdgo.Cache).Close
	_ func(*imdgo.Cache, string, ...imdgo.MapOption) (*aMap, error)                                                       = imdgo.OpenMap[string, int]
	_ func(*aMap, string) (int, bool)                                                                                     = (*aMap).Get
	_ func(*aMap, context.Context, string, ...imdgo.ReadOption) (imdgo.Entry[int], error)                                 = (*aMap).Read
	_ func(*aMap, context.Context, string, func(context.Context, string) (int, error), ...imdgo.WriteOption) (int, error) = (*aMap).GetOrLoad
	_ func(*aMap, context.Context, string, int, ...imdgo.WriteOption) error                                               = (*aMap).Set
	_ func(*aMap, context.Context, map[string]int, ...imdgo.WriteOption) error                                            = (*aMap).SetMany
	_ func(*aMap, context.Context, string, int, ...imdgo.WriteOption) (imdgo.Version, bool, error)                        = (*aMap).SetIfAbsent
	_ func(*aMap, context.Context, string, imdgo.Version, int, ...imdgo.WriteOption) (imdgo.Version, bool, error)         = (*aMap).CompareAndSwap
	_ func(*aMap, context.Context, string, imdgo.Version) (bool, error)                                                   = (*aMap).CompareAndDelete
	_ func(*aMap, context.Context, ...string) error                                                                       = (*aMap).Delete
	_ func(*aMap, context.Context, string, time.Duration) (bool, error)                                                   = (*aMap).Expire
	_ func(*aMap, string) (time.Duration, bool)                                                                           = (*aMap).TTL
	_ func(*aMap) iter.Seq2[string, int]                                                                                  = (*aMap).All
	_ func(*aMap) int                                                                                                     = (*aMap).Len
	_ func(*aMap, context.Context) error                                                                                  = (*aMap).Clear

	_ = imdgo.Entry[int]{Value: int(0), Version: imdgo.Version(0), ExpiresAt: time.Time{}}
	_ = imdgo.Stats{NodeID: "", Role: imdgo.Role(0), Leader: "", Term: uint64(0), AppliedIndex: uint64(0), Entries: int(0),
		AccountedBytes: int64(0), BudgetBytes: int64(0), LogBytes: int64(0), Hits: uint64(0), Misses: uint64(0),
		Evictions: uint64(0), Expirations: uint64(0)}
	_ fmt.Stringer = imdgo.Role(0)

	_ uint64        = uint64(imdgo.Version(0))
	_ time.Duration = time.Duration(imdgo.TTL(0))
	_ time.Duration = time.Duration(imdgo.MaxStaleness(0))
	_ int           = int(imdgo.MaxEntries(0))
	_ int64         = int64(imdgo.MaxBytes(0))

	_ = []imdgo.WriteOption{imdgo.TTL(0)}
	_ = []imdgo.ReadOption{imdgo.Local, imdgo.Linearizable, imdgo.MaxStaleness(0)}
	_ = []imdgo.MapOption{imdgo.TTL(0), imdgo.Local, imdgo.Linearizable, imdgo.MaxStaleness(0), imdgo.MaxEntries(0), imdgo.MaxBytes(0)}

	_ = []error{imdgo.ErrNotFound, imdgo.ErrClosed, imdgo.ErrNoLeader, imdgo.ErrTimeout, imdgo.ErrUnknownOutcome, imdgo.ErrTooLarge,
		imdgo.ErrFull, imdgo.ErrStale, imdgo.ErrMapMismatch, imdgo.ErrRemoved, imdgo.ErrForeignCluster, imdgo.ErrInvalid}
)

type aMap = imdgo.Map[string, int]

const _ uint8 = uint8(imdgo.Linearizable - imdgo.Local) // Local first: what is stronger is larger

// Every kind of key that a map may have.
type (
	namedString string
	namedInt    int
)

var (
	_ = imdgo.OpenMap[namedString, int]
	_ = imdgo.OpenMap[namedInt, int]
	_ = imdgo.OpenMap[int32, int]
	_ = imdgo.OpenMap[int64, int]
	_ = imdgo.OpenMap[uint, int]
	_ = imdgo.OpenMap[uint32, int]
	_ = imdgo.OpenMap[uint64, int]
	_ = imdgo.OpenMap[[16]byte, int]
)

// TestErrorsSayWhoseTheyAre: all errors begin with the package's name, and no
// two are one.
func TestErrorsSayWhoseTheyAre(t *testing.T) {
	all := []error{imdgo.ErrNotFound, imdgo.ErrClosed, imdgo.ErrNoLeader, imdgo.ErrTimeout, imdgo.ErrUnknownOutcome, imdgo.ErrTooLarge,
		imdgo.ErrFull, imdgo.ErrStale, imdgo.ErrMapMismatch, imdgo.ErrRemoved, imdgo.ErrForeignCluster, imdgo.ErrInvalid}
	texts := make(map[string]bool)
	for _, err := range all {
		text := err.Error()
		if !strings.HasPrefix(text, "imdgo: ") || texts[text] {
			t.Errorf("error %q", text)
		}
		texts[text] = true
	}
}

// TestNoPublicNameLeaksAnInternalOne: what users see of a type must be theirs
// to name.
func TestNoPublicNameLeaksAnInternalOne(t *testing.T) {
	out, err := exec.Command("go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		signature := strings.HasPrefix(line, "func ") || strings.HasPrefix(line, "type ")
		for _, internal := range []string{"command.", "node.", "wire.", "fsm.", "forward.", "value."} {
			if signature && strings.Contains(line, internal) {
				t.Errorf("an internal type in the public face: %s", line)
			}
		}
	}
	if _, err := os.Stat("go.mod"); err != nil {
		t.Error(err) // then all of the above looked elsewhere
	}
}
