module github.com/inelpandzic/imdgo/bench

go 1.26.0

require (
	github.com/Yiling-J/theine-go v0.6.3
	github.com/cespare/xxhash/v2 v2.3.0
	github.com/dgraph-io/ristretto/v2 v2.4.2
	github.com/hashicorp/golang-lru/arc/v2 v2.0.7
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/inelpandzic/imdgo v0.0.0
	github.com/maypok86/otter/v2 v2.4.0
)

require (
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	github.com/zeebo/xxh3 v1.0.2 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/inelpandzic/imdgo => ../
