// Package directives knows every configuration directive: its name, syntax, contexts and default, how its arguments
// are read, how it merges and what can be wrong with it. It is the only place that does; the table that Apache wants in
// C and the reference page for users are generated from it.
//
// The life of a configuration:
//
//  1. Apache's parent records each directive without looking at its arguments, and encodes the records as a Recording.
//  2. The command "mod_wsgi-daemon check" decodes it and calls Check, which finds every mistake in one run. The answer
//     travels back as an encoded Answer.
//  3. Each Apache child decodes the same Recording and calls Compile, once. Config.Settings then merges what applies to
//     one request, on the first request of each combination of sections.
//  4. A directive in an .htaccess file is tried with ParseLocal when Apache reads the file, and handed to
//     Config.Settings as a local record.
//
// Check and Compile are the same pass over the records, so that they can't disagree about what a line means.
//
// The package is plain Go without cgo and knows neither Apache nor Python.
package directives

//go:generate go run ./internal/generate
