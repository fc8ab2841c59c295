package main

import (
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/inelpandzic/imdgo/bench/internal/local"
	"github.com/inelpandzic/imdgo/bench/internal/suite"
)

// versions are those of everything that is run.
func versions(o suite.Options) map[string]string {
	modules := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			modules[m.Path] = m.Version
		}
	}
	modules["github.com/inelpandzic/imdgo"] = revision()
	found := map[string]string{"Go": runtime.Version()}
	for _, s := range o.Systems {
		found[s.Module] = modules[s.Module]
		if s.Name == "redis" {
			found["redis-server"] = redisVersion()
		}
	}
	for _, name := range o.Caches {
		if k, ok := local.Find(name); ok && k.Module != "" {
			found[k.Module] = modules[k.Module]
		}
	}
	return found
}

// revision is imdgo's, of the checkout that it was built from.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "(unknown)" // not in a checkout
	}
	return strings.TrimSpace(string(out))
}

func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return "(unknown)"
	}
	for field := range strings.FieldsSeq(string(out)) {
		if v, ok := strings.CutPrefix(field, "v="); ok {
			return v
		}
	}
	return "(unknown)"
}
