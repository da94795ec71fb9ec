"""A Flask application with what ordinary ones do: routing, forms, sessions, uploads, streaming, files, errors."""
import hashlib
import io
import os

from flask import (Flask, Response, abort, jsonify, redirect, request, send_file, session, stream_with_context, url_for)

application = app = Flask(__name__)
app.secret_key = b"known, so that two servers sign alike"
app.config["MAX_CONTENT_LENGTH"] = 4 << 20


@app.route("/")
def index():
    return "hello from Flask\n"


@app.route("/greet/<name>")
def greet(name):
    return "<p>Hello, %s, at %s</p>" % (name, url_for("greet", name=name, _external=True).split("/", 3)[3])


@app.route("/query")
def query():
    return jsonify({name: request.args.getlist(name) for name in sorted(request.args)})


@app.route("/form", methods=["GET", "POST"])
def form():
    return jsonify(method=request.method, form={name: request.form.getlist(name) for name in sorted(request.form)})


@app.route("/json", methods=["POST", "PUT"])
def echo_json():
    return jsonify(got=request.get_json())


@app.route("/raw", methods=["POST", "PUT", "PATCH", "DELETE"])
def raw():
    body = request.get_data()
    return jsonify(method=request.method, length=len(body), sha256=hashlib.sha256(body).hexdigest())


@app.route("/upload", methods=["POST"])
def upload():
    parts = [(file.filename, file.content_type, hashlib.sha256(file.read()).hexdigest())
             for file in request.files.getlist("file")]
    return jsonify(files=parts, comment=request.form.get("comment"))


@app.route("/stream")
def stream():
    def lines():
        for number in range(200):
            yield "line %d of %s\n" % (number, request.path)
    return Response(stream_with_context(lines()), mimetype="text/plain")


@app.route("/session/<value>")
def set_session(value):
    session["value"] = value
    return redirect(url_for("get_session"))


@app.route("/session")
def get_session():
    return "the session holds %r\n" % session.get("value")


@app.route("/file")
def file():
    return send_file(os.path.abspath(__file__), mimetype="text/x-python", conditional=True, etag="fixed", last_modified=1600000000)


@app.route("/memory")
def memory():
    return send_file(io.BytesIO(b"0123456789" * 1000), mimetype="application/octet-stream", download_name="ten.bin", as_attachment=True)


@app.route("/status/<int:code>")
def status(code):
    return "status %d\n" % code, code, {"X-Status": str(code)}


@app.route("/abort/<int:code>")
def aborted(code):
    abort(code)


@app.route("/cookies")
def cookies():
    response = jsonify(request.cookies)
    response.set_cookie("first", "1")
    response.set_cookie("second", "2", httponly=True)
    response.delete_cookie("third")
    return response


@app.route("/error")
def error():
    raise RuntimeError("raised on purpose by the Flask application")


@app.route("/unicode/é")
def unicode_path():
    return "path %s, root %r\n" % (request.path, request.script_root)


@app.errorhandler(404)
def missing(_error):
    return "nothing at %s\n" % request.path, 404
