// Package snapshot is the stream of a state at one point in time: how it is
// framed, what its records are, and how both are checked.
//
//	stream  = "imdgosnp" format payload-size chunk* end
//	chunk   = length bytes checksum              at most 64 KiB, all but the last exactly
//	end     = 0 digest                           of the whole payload
//	payload = (length record)*
//
// format is one byte, payload-size and digest (xxHash64) are eight, length and
// checksum (CRC-32C) four, all big endian. The size of a stream follows from that
// of its payload, so it can be declared before the first byte is written, which
// raft wants.
//
// A reader believes nothing before it has checked it: a stream that is cut off,
// damaged, of another program or of a later format is an error, and whoever
// builds a state from records must not make use of it before Close has said
// that all of them have come.
package snapshot
