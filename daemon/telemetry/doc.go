// Package telemetry tells the administrator what requests do: it reports slow ones in the error log (slow.go), and sends samples of everything to
// a collector (service.go; the format is package datagram's). It runs in Apache's children and in daemon processes, on goroutines of its
// own, and sees requests through package interp only. Nothing of it starts unless the configuration asks for it.
package telemetry
