// Package errorlog writes log records that look as if Apache had written them: it reads ErrorLogFormat, and renders records that belong
// to no request. The supervisor and the daemon processes have Apache's error log as descriptor 2, but not Apache.
package errorlog
