"""Shows the WSGI environ of the request: what `make run` serves."""
import html
import platform
import sys

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mod_wsgi: the environ of this request</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd; }}
th {{ font-weight: 600; white-space: nowrap; }}
td {{ overflow-wrap: anywhere; }}
th, td {{ font: 13px/1.5 ui-monospace, monospace; }}
input, button {{ font: inherit; padding: .25rem .5rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd; }} th, td {{ border-color: #444; }} }}
</style>
</head>
<body>
<h1>It works</h1>
<p>{server}, Python {python}, process {process}</p>
<form method="post"><input name="text" value="some text to post"> <button>POST it</button></form>
{tables}
</body>
</html>
"""

SECTIONS = (
    ("Request", lambda name: not name.startswith(("HTTP_", "wsgi.", "mod_wsgi.", "apache."))),
    ("Headers", lambda name: name.startswith("HTTP_")),
    ("WSGI", lambda name: name.startswith("wsgi.")),
    ("mod_wsgi", lambda name: name.startswith(("mod_wsgi.", "apache."))),
)


def table(title, rows):
    cells = "".join(
        "<tr><th>%s</th><td>%s</td></tr>" % (html.escape(name), html.escape(value)) for name, value in rows)
    return "<h2>%s</h2>\n<table>%s</table>" % (html.escape(title), cells)


def application(environ, start_response):
    body = environ["wsgi.input"].read(65536)
    tables = []
    for title, belongs in SECTIONS:
        rows = [(name, value if isinstance(value, str) else repr(value))
                for name, value in sorted(environ.items()) if belongs(name)]
        if rows:
            tables.append(table(title, rows))
    if body:
        tables.append(table("Body", [("%d bytes" % len(body), body.decode("utf-8", "backslashreplace"))]))
    page = PAGE.format(
        server=html.escape(environ.get("SERVER_SOFTWARE", "")),
        python=platform.python_version(),
        process=html.escape(str(environ.get("mod_wsgi.process_group") or "embedded in Apache's child")),
        tables="\n".join(tables),
    ).encode("utf-8")
    print("%s %s" % (environ["REQUEST_METHOD"], environ.get("REQUEST_URI", "")), file=sys.stderr)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))])
    return [page]
