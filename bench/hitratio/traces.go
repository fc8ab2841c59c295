package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// trace is a sequence of requests. Keys are dense: 0, 1, 2 … by first
// appearance.
type trace struct {
	name   string
	real   bool
	keys   []uint32
	unique int
}

// newTrace takes the keys and makes them dense.
func newTrace(name string, real bool, keys []uint32) *trace {
	ids := make(map[uint32]uint32)
	for i, k := range keys {
		id, ok := ids[k]
		if !ok {
			id = uint32(len(ids))
			ids[k] = id
		}
		keys[i] = id
	}
	return &trace{name, real, keys, len(ids)}
}

const traceSuffix = ".u32.gz"

// traceFiles returns the traces in a folder, in the order of their names.
func traceFiles(dir string) ([]string, error) {
	if dir == "" {
		root, err := repository()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(root, "..", "shared", "traces")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"+traceSuffix))
	if err != nil {
		return nil, fmt.Errorf("looking for traces in %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no traces *%s in %s: name their folder with -traces or IMDGO_TRACES, or run -only generated", traceSuffix, dir)
	}
	return files, nil
}

// repository returns the folder above that of this module.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "bench", "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in the repository: name the folder of the traces with -traces or IMDGO_TRACES", dir)
		}
	}
}

// readTrace reads a trace of little-endian 32-bit keys, compressed.
func readTrace(name, file string) (*trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading a trace: %w", err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("reading trace %s: %w", file, err)
	}
	in := bufio.NewReader(unzipped)
	var keys []uint32
	var b [4]byte
	for {
		switch _, err := io.ReadFull(in, b[:]); {
		case errors.Is(err, io.EOF):
			if len(keys) == 0 {
				return nil, fmt.Errorf("trace %s is empty", file)
			}
			return newTrace(name, true, keys), nil
		case err != nil:
			return nil, fmt.Errorf("reading trace %s after %d keys: %w", file, len(keys), err)
		}
		keys = append(keys, binary.LittleEndian.Uint32(b[:]))
	}
}
