// Package appends is the form in which a leader's appends to the logs of others
// travel, and the answers to them: what raft sends with every batch. All else that
// raft says goes in raft's own form.
//
// Raft's form is MessagePack, made by reflection, with the name of each field in
// each message and the leader's name in each twice. In a round of a lone write,
// that was an eighth of what the leader computes and a sixth of what a follower
// does (see bench/README.md). Here numbers are of fixed size, big endian, and what
// stays the same on a connection is said once.
//
//	connection  hello request*                  answered by answer*, in that order
//	hello       version id addr                 as short strings: 2 bytes of length
//	request     term previous-index previous-term commit count entry*
//	entry       type term appended extensions-length data-length extensions data
//	answer      flags term last-log             and a short string if it failed
//
// Entries have no index of their own: they follow the previous one.
package appends

import (
	"errors"

	"github.com/hashicorp/raft"
)

// ErrMalformed is returned when what arrives is not of this form, or beyond its
// limits. The connection cannot be used any further.
var ErrMalformed = errors.New("malformed append")

// Limits are what is believed of a request.
type Limits struct {
	Entries int // how many there are
	Bytes   int // of all of them together, data and extensions
}

const (
	requestHead = 4*8 + 2
	entryHead   = 1 + 8 + 8 + 2 + 4
	answerHead  = 1 + 8 + 8

	// nameMost bounds short strings.
	nameMost = 1 << 10
	// believed is how much room is made for data before it has come. What is longer
	// grows as it comes, so that who announces much and sends nothing costs little.
	believed = 1 << 20
)

// The flags of an answer.
const (
	flagSuccess = 1 << iota
	flagNoRetryBackoff
	flagFailed

	flags = 1<<iota - 1
)

// Answer is what became of a request: raft's response, or why there is none.
type Answer struct {
	raft.AppendEntriesResponse
	Failure string // empty: none
}
