package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// identityFormat is what this release writes, and the newest that it reads.
const identityFormat = 1

// errDamaged is returned when a data directory does not say who the node is.
var errDamaged = errors.New("damaged")

// identity is who a node with a data directory is: the file "identity" there.
// Without a cluster nothing else in the directory counts.
type identity struct {
	Format      int    `json:"format"`
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	Cluster     string `json:"cluster,omitempty"` // empty: none yet, or no more
	Checksum    string `json:"checksum"`          // of all the above
}

// sum is the checksum of the rest. A cluster that a damaged byte has hidden would
// have the directory taken for one of no cluster, and emptied.
func (id identity) sum() string {
	text := fmt.Sprintf("%d %q %q %q", id.Format, id.Name, id.Incarnation, id.Cluster)
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text)))
}

func identityOf(name string, inc wire.Incarnation, cluster wire.ClusterID) identity {
	id := identity{Format: identityFormat, Name: name, Incarnation: inc.String()}
	if cluster != 0 {
		id.Cluster = cluster.String()
	}
	return id
}

// who takes the numbers out of the text.
func (id identity) who() (inc wire.Incarnation, cluster wire.ClusterID, err error) {
	if id.Format != identityFormat {
		return 0, 0, fmt.Errorf("format %d, this release reads %d", id.Format, identityFormat)
	}
	if inc, err = wire.ParseIncarnation(id.Incarnation); err != nil {
		return 0, 0, err
	}
	var number wire.Incarnation
	if id.Cluster != "" {
		number, err = wire.ParseIncarnation(id.Cluster) // written alike
	}
	if err == nil && (inc == 0 || number == 0 && id.Cluster != "") {
		err = errors.New("an incarnation or a cluster of 0")
	}
	return inc, wire.ClusterID(number), err
}

// readIdentity reads a file. os.ErrNotExist says that there is none.
func readIdentity(path string) (identity, error) {
	var id identity
	b, err := os.ReadFile(path)
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	if _, _, err := id.who(); err != nil {
		return id, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	if id.Checksum != id.sum() {
		return id, fmt.Errorf("%s: %w: checksum %q where %q is right", path, errDamaged, id.Checksum, id.sum())
	}
	return id, nil
}

// write puts a file in the place of the one there is. After a crash at any
// moment it is the one or the other, and when write has returned the new one.
func (id identity) write(path string) error {
	id.Checksum = id.sum()
	b, err := json.MarshalIndent(id, "", "\t")
	if err != nil {
		return err
	}
	next := path + ".next"
	if err := writeSynced(next, append(b, '\n')); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
