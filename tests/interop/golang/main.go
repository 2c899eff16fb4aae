// A verifier that shares no code with ours: golang.org/x/mod/sumdb/{note,tlog} does all the
// cryptography and all the tree arithmetic; this file only reads formats and hands them over.
//
// It reads one JSON request a line and answers each with one JSON line, {"ok":true} or
// {"ok":false,"error":"..."}. Build without modules against the Debian package:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o verifier .
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Check      string   `json:"check"`
	Vkey       string   `json:"vkey"`
	Origin     string   `json:"origin"`
	Proof      string   `json:"proof"`      // a .tlog-proof file
	Entry      []byte   `json:"entry"`      // base64 in JSON
	Checkpoint string   `json:"checkpoint"` // a signed checkpoint; the newer one for consistency
	Older      string   `json:"older"`      // the older signed checkpoint
	Hashes     []string `json:"hashes"`     // consistency proof, base64
	Directory  string   `json:"directory"`  // a log laid out as tlog-tiles says
	Witness    string   `json:"witness"`    // the vkey of a witness that must have cosigned
}

type answer struct {
	Ok    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var r request
			e := json.Unmarshal(line, &r)
			if e == nil {
				e = check(r)
			}
			if e != nil {
				out.Encode(answer{Error: e.Error()})
			} else {
				out.Encode(answer{Ok: true})
			}
		}
		if err != nil {
			return
		}
	}
}

func check(r request) error {
	switch r.Check {
	case "note":
		_, err := open(r.Checkpoint, r.Vkey)
		return err
	case "checkpoint":
		_, err := openCheckpoint(r.Checkpoint, r.Vkey, r.Origin)
		return err
	case "inclusion":
		return checkProof(r)
	case "consistency":
		return checkConsistency(r)
	case "tiles":
		return checkTiles(r)
	case "cosigned":
		return checkCosigned(r)
	}
	return fmt.Errorf("unknown check %q", r.Check)
}

func open(signed, vkey string) (*note.Note, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	return note.Open([]byte(signed), note.VerifierList(verifier))
}

// cosigner is a witness as the note library wants its verifiers: C2SP tlog-cosignature, Ed25519 v1.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	material, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(material) != 33 || material[0] != 4 {
		return nil, errors.New("not the key of a witness")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), material...))
	if fmt.Sprintf("%x", sum[:4]) != parts[1] {
		return nil, errors.New("not the key's own ID")
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(sum[:4]), material[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := bytes.NewBufferString("cosignature/v1\n")
	fmt.Fprintf(signed, "time %d\n", binary.BigEndian.Uint64(sig))
	signed.Write(msg)
	return ed25519.Verify(c.key, signed.Bytes(), sig[8:])
}

// checkCosigned opens a checkpoint with both keys at once: log and witness must have signed it.
func checkCosigned(r request) error {
	witness, err := newCosigner(r.Witness)
	if err != nil {
		return err
	}
	log, err := note.NewVerifier(r.Vkey)
	if err != nil {
		return err
	}
	n, err := note.Open([]byte(r.Checkpoint), note.VerifierList(log, witness))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, sig := range n.Sigs {
		seen[sig.Name] = true
	}
	if !seen[log.Name()] || !seen[witness.Name()] {
		return errors.New("not signed by both")
	}
	_, err = openCheckpoint(r.Checkpoint, r.Vkey, r.Origin)
	return err
}

func openCheckpoint(signed, vkey, origin string) (tlog.Tree, error) {
	n, err := open(signed, vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != origin {
		return tlog.Tree{}, errors.New("not a checkpoint of this origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("not a tree size")
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkProof(r request) error {
	parts := strings.SplitN(r.Proof, "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("no index")
	}
	index, err := strconv.ParseInt(lines[0][len("index "):], 10, 64)
	if err != nil {
		return err
	}
	path, err := parseHashes(lines[1:])
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(parts[1], r.Vkey, r.Origin)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(r.Entry))
}

func checkConsistency(r request) error {
	older, err := openCheckpoint(r.Older, r.Vkey, r.Origin)
	if err != nil {
		return err
	}
	newer, err := openCheckpoint(r.Checkpoint, r.Vkey, r.Origin)
	if err != nil {
		return err
	}
	proof, err := parseHashes(r.Hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := []tlog.Hash{}
	for _, line := range lines {
		// DecodeString, because ParseHash would also take other spellings.
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, errors.New("not a hash")
		}
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// tiles reads a directory; its paths are those of x/mod without the tile height.
type tiles struct{ directory string }

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := [][]byte{}
	for _, tile := range wanted {
		path := strings.TrimPrefix(tile.Path(), "tile/8/")
		read, err := os.ReadFile(filepath.Join(t.directory, "tile", filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		data = append(data, read)
	}
	return data, nil
}

// checkTiles authenticates every leaf hash against the checkpoint's root and every entry of every
// bundle against its leaf hash. The checkpoint is the file of that name in the directory.
func checkTiles(r request) error {
	signed, err := os.ReadFile(filepath.Join(r.Directory, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(string(signed), r.Vkey, r.Origin)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles{r.Directory})
	for start := int64(0); start < tree.N; start += 256 {
		width := min(256, tree.N-start)
		indexes := []int64{}
		for i := int64(0); i < width; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, start+i))
		}
		leaves, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		if err := checkBundle(r.Directory, start/256, leaves); err != nil {
			return err
		}
	}
	return nil
}

func checkBundle(directory string, index int64, leaves []tlog.Hash) error {
	tile := tlog.Tile{H: 8, L: 0, N: index, W: len(leaves)}
	path := strings.TrimPrefix(tile.Path(), "tile/8/0/")
	data, err := os.ReadFile(filepath.Join(directory, "tile", "entries", filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("bundle %d is cut short", index)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if tlog.RecordHash(data[2:end]) != leaf {
			return fmt.Errorf("entry %d does not hash to its leaf", index*256+int64(i))
		}
		data = data[end:]
	}
	if len(data) > 0 {
		return fmt.Errorf("bundle %d has a tail", index)
	}
	return nil
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
