# What is asked for while processes come and go: imports slowly, as frameworks do, and writes down which requests it has begun and done.
# An appended line outlives the process.
import os, time

time.sleep(0.3)
record = os.open(os.path.join(os.path.dirname(__file__), "var", "requests-%d" % os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
body = b"%d" % os.getpid()


def application(environ, start_response):
    request = environ["QUERY_STRING"].removeprefix("n=").encode()
    os.write(record, b"begun %s\n" % request)
    time.sleep(0.005)
    os.write(record, b"done %s\n" % request)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
