// Package keys makes, seals, opens and schedules signing keys, and holds the
// master key that everything sealed depends on.
//
// It writes nothing but the file of the master key: what is due when is a
// function of the documents and of the time ([Plan]), so that every node comes
// to the same answer and a restart changes nothing. Who plans also writes the
// documents.
package keys
