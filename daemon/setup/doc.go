// Package setup makes a fresh process what its WSGIDaemonProcess says: user and groups, directories, limits, environment. Decide finds out what
// has to be done while the accounts of the system can still be looked up, before a chroot; Apply does it, in the order that configurations
// rely on.
package setup
